"""An encrypted file, as the case desk hands it over."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EncryptedFile:
    """`sha256`: of the bytes, in hex. `size`: how many bytes, which come piece by piece. It is
    passed on and kept nowhere here."""

    sha256: str
    size: int
    content: AsyncGenerator[bytes]

    def __repr__(self) -> str:
        return f"EncryptedFile({self.sha256})"
