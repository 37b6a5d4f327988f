"""One-time codes and passphrases: words that somebody reads out on the telephone.

They are made of letters and digits that nobody mistakes for each other (Crockford's base 32), in
groups of four.
"""

import secrets
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""32 characters: 5 bits each."""
CODE_LENGTH: Final = 20
"""100 bits."""
PASSPHRASE_LENGTH: Final = 28
"""140 bits."""
CODE_VALID_FOR: Final = timedelta(hours=24)
LARGEST_WITH_PASSPHRASE: Final = 64 * 1024**2
"""In bytes. What is encrypted with a passphrase is in memory as a whole."""
BY_DOWNLOAD: Final = "encrypted_transfer"
"""How a package is handed over that its recipient downloads."""
_GROUP: Final = 4
_MISTAKEN: Final = str.maketrans({"O": "0", "I": "1", "L": "1"})


def new_code(choice: Callable[[str], str] = secrets.choice) -> str:
    """A one-time code."""
    return _in_groups("".join(choice(ALPHABET) for _ in range(CODE_LENGTH)))


def new_passphrase(choice: Callable[[str], str] = secrets.choice) -> str:
    """A passphrase; all of it counts, as it is written here."""
    return _in_groups("".join(choice(ALPHABET) for _ in range(PASSPHRASE_LENGTH)))


def hash_of(code: str) -> str:
    """SHA-256 (hex) of a code, however it was typed."""
    typed = "".join(code.split()).replace("-", "").upper().translate(_MISTAKEN)
    return sha256(typed.encode()).hexdigest()


def _in_groups(text: str) -> str:
    return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))
