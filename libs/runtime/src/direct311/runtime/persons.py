"""For rules that need two different people: folds people's names, for that question only.

The folded form says that two names might be one person's. It never proves that they are: a person's
identity is the exact `sub`, as OpenID Connect says.
"""

import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from string import ascii_uppercase
from typing import NamedTuple

from direct311.runtime.text import characters, cleaned, shows_all, visible
from direct311.schemas.unicode import normalized

LONGEST_IDENTIFIER = 255
"""Characters of a `sub` (OpenID Connect Core 1.0, section 2), and of other ids in tokens."""


def is_identifier(text: object) -> bool:
    """Whether a reader can search for this id: 1 to 255 characters, already clean, in NFC, without
    spaces. Questions are cleaned before the search, so an id stored in another form would never be
    found."""
    return (
        isinstance(text, str)
        and 0 < len(text) <= LONGEST_IDENTIFIER
        and shows_all(text)
        and cleaned(text) == text
    )


def same_person(one: str, other: str) -> bool:
    """Whether two names could belong to one person, where two different people are required.

    Compares only letters and digits: without case, accents, punctuation, spaces, invisible
    characters, or the tag of an e-mail address (`name+tag@…`). Letters of other alphabets that look
    like Latin ones count as those, and Latin letters and digits with the same shape (`0` and `O`,
    `1`, `l` and `I`, `rn` and `m`) count as one. If letters and digits are the same, the places
    where digits are separated count: `1-12` is not `11-2`. A name without a letter or digit belongs
    to nobody, and so never to a second person.
    """
    ones, others = _folded(one), _folded(other)
    if not (ones.is_somebody and others.is_somebody):
        return True
    if ones.letters == others.letters:
        return ones.parted == others.parted
    return ones.latin == others.latin or ones.shapes == others.shapes


def different_persons(names: Iterable[str]) -> tuple[str, ...]:
    """The names, without those that could belong to a person named before."""
    found: list[str] = []
    for name in names:
        if _folded(name).is_somebody and not any(same_person(name, each) for each in found):
            found.append(name)
    return tuple(found)


def reads_as(name: str, beginnings: Iterable[str]) -> bool:
    """Whether a reader could mistake the beginning of `name` for one of `beginnings`, which are
    lowercase Latin letters and signs."""
    wanted = tuple(beginnings)
    return any(_caseless(each).startswith(wanted) for each in _readings(name))


class _Folded(NamedTuple):
    """The letters and digits of a name in four forms: as written; with a sign where digits are
    separated; with look-alikes as Latin letters; and with one letter for each shape. All are
    needed, because a capital and its lowercase letter may look like two different letters."""

    letters: str
    parted: str
    latin: str
    shapes: str

    @property
    def is_somebody(self) -> bool:
        return bool(self.letters and self.latin)


@lru_cache(maxsize=4096)
def _folded(name: str) -> _Folded:
    written, latin, shapes = map(_runs, _readings(name))
    parted = "".join(
        f"-{run}" if before[-1:].isdigit() and run[0].isdigit() else run
        for before, run in zip(["", *written], written, strict=False)
    )
    return _Folded("".join(written), parted, "".join(latin), "".join(shapes))


def _readings(name: str) -> tuple[str, str, str]:
    """The name as written, with Latin letters for look-alikes, and with one letter for each shape;
    without accents and the tag of an e-mail address."""
    plain = normalized("NFKC", visible(name))
    local, at, domain = plain.rpartition("@")
    if at and local.partition("+")[0]:
        plain = f"{local.partition('+')[0]}@{domain}"
    latin = plain.translate(_look_alikes())
    shapes = _without_marks(latin.translate(_shapes()))
    return (
        _without_marks(plain),
        _without_marks(latin),
        # A capital may have its own shape, and so may its lowercase letter.
        _caseless(shapes).translate(_shapes()),
    )


def _runs(text: str) -> list[str]:
    """Adjacent letters and digits, without case."""
    return "".join(char if char.isalnum() else " " for char in _caseless(text)).split()


def _caseless(text: str) -> str:
    folded = normalized("NFKD", text.casefold()).casefold()
    return "".join(map(_digit, _without_marks(folded)))


def _without_marks(text: str) -> str:
    return "".join(
        char for char in normalized("NFKD", text) if unicodedata.category(char)[0] != "M"
    )


def _digit(char: str) -> str:
    value = unicodedata.digit(char, None)
    return char if value is None else str(value)


@cache
def _look_alikes() -> dict[int, str]:
    file = characters()
    signs = {
        int(first, 16) + at: letter
        for first in file.alphabets
        for at, letter in enumerate(ascii_uppercase)
    }
    return signs | {ord(char): latin for char, latin in file.look_alikes.items()}


@cache
def _shapes() -> dict[int, str]:
    return {ord(char): shape for char, shape in characters().shapes.items()}
