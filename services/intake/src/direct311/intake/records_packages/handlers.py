"""The use case of a requester who fetches the records."""

from hashlib import sha256

from direct311.intake.records_packages.domain import ReleasedPackage
from direct311.intake.records_packages.ports import ReleasedPackages
from direct311.runtime.errors import RefusedError


class FetchRecords:
    """Hands a released package to whoever has the token of the case."""

    def __init__(self, desk: ReleasedPackages) -> None:
        self._desk = desk

    async def __call__(self, token: str, number: int | None) -> ReleasedPackage:
        """:raises RefusedError: no case has this token, no such package was released, or the case
        desk does not answer with the bytes of the hash that it names."""
        found = await self._desk.fetch(token, number)
        if sha256(found.content).hexdigest() != found.sha256:
            raise RefusedError(
                "case_desk_unavailable", "The package did not arrive whole.", retry_after=5
            )
        return found
