"""Signs notes with retention's own key for events."""

from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from direct311.runtime.messaging.signing import read_private
from direct311.verifier.note import Note, Signer

NAME: Final = "direct311/retention"
"""The name of the key in a note."""


class NoteSigner:
    """Implements `Notary`. Ed25519 signs the same text the same way each time."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._signer = Signer(NAME, private)

    @classmethod
    def from_file(cls, path: Path) -> "NoteSigner":
        """The key that the file has (`read_private`)."""
        _, private = read_private(path)
        return cls(private)

    @property
    def vkey(self) -> str:
        """What verifies the notes."""
        return str(self._signer.key)

    def sign(self, text: str) -> str:
        return str(Note(text, (self._signer.sign(text),)))
