"""What extracting gives, and how it is told from one process to another.

A question is two lengths (4 bytes each), a name and a content. An answer is a byte that says what
follows: a text, that the document is done, or that it cannot be extracted. A text is four lengths
and the members of an `Extracted`; a length of `NOTHING` stands for `None`.
"""

import struct
from dataclasses import dataclass
from typing import Final

from direct311.runtime.errors import RuntimeFaultError

LENGTHS: Final = struct.Struct(">2I")
TEXT, DONE, FAILED = b"t", b"d", b"f"
TEXT_LENGTHS: Final = struct.Struct(">4I")
NOTHING: Final = 0xFFFFFFFF


class NotExtractableError(RuntimeFaultError):
    """A file cannot be extracted completely. The message says why, and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """A piece of text. `entry`: the entry of the package that it is in. `record_id`: whose own text
    it is; `SEVERAL` if it has the texts of several records; `None` if it is no record's. `sha256`:
    of a file or picture that lies here inside of the entry; the text is empty then."""

    entry: str
    text: str
    record_id: str | None = None
    sha256: bytes | None = None
