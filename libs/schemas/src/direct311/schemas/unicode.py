"""Unicode normal forms, in time that depends only on the length of the text.

A normal form puts the combining marks of a letter in order, and CPython sorts them by insertion: a
hundred thousand marks of mixed classes in a row take seconds. No language needs more than a few, so
marks beyond `MOST_MARKS` are dropped first (the Stream-Safe Text Format of UAX 15, section 13,
except that nothing replaces what is dropped).
"""

import re
import unicodedata
from typing import Literal

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]

MOST_MARKS = 30
"""Combining marks in a row. According to UAX 15, the longest run known in any language has 18."""

# The first combining mark is U+0300. Hardly any text has this many such characters in a row.
_MANY = re.compile(rf"[\u0300-\U0010ffff]{{{MOST_MARKS + 1}}}")


class _Marks(dict[str, bool]):
    """Whether a character is a mark that normalization sorts, or decomposes into only such
    marks."""

    def __missing__(self, char: str) -> bool:
        first = unicodedata.normalize("NFKD", char)[0]
        found = self[char] = unicodedata.combining(first) != 0
        return found


_MARKS = _Marks()


def normalized(form: Form, text: str) -> str:
    """The text in a normal form, without combining marks beyond `MOST_MARKS` in a row."""
    if text.isascii():
        return text
    return unicodedata.normalize(form, _stream_safe(text))


def _stream_safe(text: str) -> str:
    if not _MANY.search(text):
        return text
    kept: list[str] = []
    marks = 0
    for char in text:
        marks = marks + 1 if _MARKS[char] else 0
        if marks <= MOST_MARKS:
            kept.append(char)
    return "".join(kept)
