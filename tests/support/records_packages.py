"""The released packages of the case desk in memory, as intake fetches them."""

from collections.abc import AsyncGenerator, Mapping
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
        return released(content, wanted, len(found))


def released(content: bytes, number: int = 1, of: int = 1) -> ReleasedPackage:
    """A package that arrives in three pieces."""
    third = len(content) // 3 + 1
    pieces = [content[at : at + third] for at in range(0, len(content), third)]
    return ReleasedPackage(sha256(content).hexdigest(), len(content), arriving(pieces), number, of)


async def arriving(pieces: list[bytes]) -> AsyncGenerator[bytes]:
    """Bytes, piece by piece."""
    for each in pieces:
        yield each
