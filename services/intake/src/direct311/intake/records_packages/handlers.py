"""The use case of a requester who fetches the records."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from hashlib import sha256

from direct311.intake.records_packages.domain import ReleasedPackage
from direct311.intake.records_packages.ports import ReleasedPackages
from direct311.runtime.arriving import begun_with
from direct311.runtime.errors import RefusedError


class FetchRecords:
    """Hands a released package to whoever has the token of the case, and holds a piece of it or two
    in memory."""

    def __init__(self, desk: ReleasedPackages) -> None:
        self._desk = desk

    async def __call__(self, token: str, number: int | None) -> ReleasedPackage:
        """The package while it arrives. Its last piece comes only if the bytes are those of the
        hash; otherwise reading raises `RefusedError`, so that no whole file arrives.

        :raises RefusedError: no case has this token, no such package was released, or the case
            desk does not answer with the bytes of the hash that it names.
        """
        found = await self._desk.fetch(token, number)
        reading = _checked(found)
        # Until here, a refusal is an answer of its own.
        first = await anext(reading)
        # A requester who goes away closes this, and this closes the call to the case desk.
        return replace(found, content=begun_with(first, reading))


async def _checked(found: ReleasedPackage) -> AsyncGenerator[bytes]:
    digest, size, held = sha256(), 0, b""
    async with aclosing(found.content) as content:
        async for piece in content:
            if held:
                yield held
            digest.update(piece)
            size += len(piece)
            held = piece
    if (digest.hexdigest(), size) != (found.sha256, found.size):
        raise RefusedError(
            "case_desk_unavailable", "The package did not arrive whole.", retry_after=5
        )
    yield held
