"""A plain shadow of a text, in which patterns see through Unicode's disguises.

Patterns search the shadow; what they find is cut from the text itself, by the offsets kept here.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

CUT = "\x01"
"""Stands in a shadow where something was taken out: no pattern matches it or crosses it."""

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


class _Shadows(dict[int, str | None]):
    """Code point to the one character that stands for it, or `None` where nothing does."""

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
    if category in _UNSEEN:
        return None
    digit = unicodedata.digit(char, None)
    if digit is not None:
        return str(digit)
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
    """`shadow`: lower case, ASCII digits, dashes and spaces, accents and unseen characters gone.

    `offsets`: for each character of the shadow, and for its end, where it stands in the text;
    `None` where both have the same length and so the same positions.
    """

    text: str
    shadow: str
    offsets: Sequence[int] | None

    def start(self, position: int) -> int:
        return position if self.offsets is None else self.offsets[position]


def fold(text: str) -> Folded:
    """The shadow of a text."""
    shadow = text.translate(_SHADOWS)
    if len(shadow) == len(text):
        return Folded(text, shadow, None)
    offsets = [at for at, char in enumerate(text) if _SHADOWS[ord(char)] is not None]
    offsets.append(len(text))
    return Folded(text, shadow, offsets)
