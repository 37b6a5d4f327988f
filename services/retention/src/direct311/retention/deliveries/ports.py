"""What deliveries need from outside."""

from typing import BinaryIO, Protocol

from direct311.retention.cases.domain import CaseFile


class Encryption(Protocol):
    """Encrypts to a recipient in the age format (age-encryption.org/v1)."""

    def check(self, key: str) -> None:
        """:raises RefusedError: this is no public key of a recipient."""
        ...

    def to_key(self, plain: BinaryIO, out: BinaryIO, key: str) -> None:
        """Encrypt a file to a key while it is read. Blocks; to be called in a thread."""
        ...

    def with_passphrase(self, plain: bytes, passphrase: str) -> bytes:
        """Encrypt bytes with a passphrase. Takes about a second; to be called in a thread."""
        ...


class CodeCases(Protocol):
    """Cases by the one-time codes of their deliveries."""

    async def of_code(self, code_hash: str) -> CaseFile | None:
        """The case file with this code (SHA-256, hex), if it is not destroyed or being
        destroyed."""
        ...
