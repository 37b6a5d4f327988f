"""The released packages of the case desk in memory, as intake fetches them."""

from collections.abc import Mapping
from hashlib import sha256

from direct311.intake.records_packages.domain import ReleasedPackage
from direct311.runtime.errors import RefusedError


class InMemoryReleasedPackages:
    """`ReleasedPackages`: the bytes of each token's packages, oldest first. `away`: the desk does
    not answer."""

    def __init__(self, packages: Mapping[str, list[bytes]]) -> None:
        self.packages = dict(packages)
        self.asked: list[str] = []
        self.away = False

    async def fetch(self, token: str, number: int | None) -> ReleasedPackage:
        self.asked.append(token)
        if self.away:
            raise RefusedError("case_desk_unavailable", "Away.", retry_after=5)
        found = self.packages.get(token)
        if found is None:
            raise RefusedError("unknown_case", "No case has this token.")
        wanted = len(found) if number is None else number
        if not 1 <= wanted <= len(found):
            raise RefusedError("not_released", "No such package was released.")
        content = found[wanted - 1]
        return ReleasedPackage(sha256(content).hexdigest(), content, wanted, len(found))
