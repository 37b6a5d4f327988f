"""A package of records that was released, as the case desk hands it over."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReleasedPackage:
    """`sha256`: of the bytes, in hex. `size`: how many bytes, which come piece by piece. `number`:
    which of the released packages, from 1; `of`: how many there are. It is passed on and kept
    nowhere here, so the content is not in the representation of this object."""

    sha256: str
    size: int
    content: AsyncGenerator[bytes]
    number: int
    of: int

    def __repr__(self) -> str:
        return f"ReleasedPackage({self.sha256})"
