"""A plain shadow of a text, in which patterns see through web encodings and Unicode disguises.

Patterns search the shadow. What they find is cut from the text itself, using the offsets stored
here.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from direct311.redaction.decode import decode

CUT = "\x01"
"""Marks in a shadow where something was removed: no pattern matches it or crosses it."""

_PUNCTUATION = {
    "\u2018": "'",
    "\u2019": "'",
    "\u02bc": "'",
    "\u0060": "'",
    "\u00b4": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\u2212": "-",
    "\u2043": "-",
    "\u2022": ".",
    "\u00b7": ".",
    "\u2027": ".",
    "\u30fb": ".",
    "\u2028": "\n",
    "\u2029": "\n",
}
_UNSEEN = frozenset({"Cf", "Mn", "Me", "Cc", "Cs"})
_BLANK_LETTERS = "\u115f\u1160\u3164\uffa0"
"""Invisible characters (Unicode: Default_Ignorable_Code_Point)."""
_IDEOGRAPHS = dict(zip("〇零一二三四五六七八九", "00123456789", strict=True))


class _Shadows(dict[int, str | None]):
    """Maps a code point to the one character that replaces it, or to `None` if none does."""

    def __missing__(self, code: int) -> str | None:
        shadow = self[code] = _shadow_of(chr(code))
        return shadow


def _shadow_of(char: str) -> str | None:
    if char in _PUNCTUATION:
        return _PUNCTUATION[char]
    if char in "\t\n":
        return char
    if char == "\r":
        return " "
    category = unicodedata.category(char)
    if category in _UNSEEN or char in _BLANK_LETTERS:
        return None
    if char in _IDEOGRAPHS:
        return _IDEOGRAPHS[char]
    value = unicodedata.numeric(char, None) if category.startswith("N") else None
    if value is not None and value in range(10):
        return str(int(value))
    if category == "Pd":
        return "-"
    if category.startswith("Z"):
        return " "
    plain = [c for c in unicodedata.normalize("NFKD", char) if unicodedata.category(c) != "Mn"]
    single = plain[0] if len(plain) == 1 else char
    lowered = single.lower()
    return lowered if len(lowered) == 1 else single


_SHADOWS = _Shadows()


@dataclass(frozen=True, slots=True)
class Folded:
    """`shadow`: the decoded text in lower case with ASCII digits, dashes and spaces, without
    accents and invisible characters.

    `offsets`: the position in the text of each character of the shadow, and of its end; `None` if
    both have the same length and so the same positions. `plain` and `places`: the decoded text, and
    the shadow's positions in it.
    """

    text: str
    shadow: str
    offsets: Sequence[int] | None
    plain: str
    places: Sequence[int] | None

    def start(self, position: int) -> int:
        return position if self.offsets is None else self.offsets[position]

    def char(self, position: int) -> str:
        """The shadow's character at this position, before it was folded."""
        return self.plain[position if self.places is None else self.places[position]]


def fold(text: str) -> Folded:
    """The shadow of a text."""
    plain, steps = decode(text)
    shadow = plain.translate(_SHADOWS)
    if len(shadow) == len(plain):
        return Folded(text, shadow, steps, plain, None)
    places = [at for at, char in enumerate(plain) if _SHADOWS[ord(char)] is not None]
    places.append(len(plain))
    offsets = places if steps is None else [steps[place] for place in places]
    return Folded(text, shadow, offsets, plain, places)


def shadow_of(text: str) -> str:
    """The shadow of a text alone, for those who change nothing in the text."""
    return plain_and_shadow(text)[1]


def plain_and_shadow(text: str) -> tuple[str, str]:
    """The decoded text and its shadow. If both have the same length, so have their positions."""
    plain, _ = decode(text)
    return plain, plain.translate(_SHADOWS)
