"""Two persons who must be different: what a person is called, folded for that question alone.

The folded form says that two names might be one person's. It never proves that they are: who
somebody is, is `sub` byte for byte, as OpenID Connect says.
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
    """Whether somebody who reads this can ask for it: text of 1 to 255 characters that is clean as
    it stands, in NFC, without blanks. Questions are cleaned before they are looked for, so what is
    stored in another form would never be found."""
    return (
        isinstance(text, str)
        and 0 < len(text) <= LONGEST_IDENTIFIER
        and shows_all(text)
        and cleaned(text) == text
    )


def same_person(one: str, other: str) -> bool:
    """Whether two names of persons could be one's, where two different persons are needed.

    Compared are letters and digits alone: without case, accents, punctuation, blanks, what is not
    seen, the tag of a mail address (`name+tag@…`); with letters of other alphabets that look like
    Latin ones taken for those; and with Latin letters and digits of one shape (`0` and `O`, `1`,
    `l` and `I`, `rn` and `m`) taken for one. Where the letters and digits are the same, it counts
    where digits are parted: `1-12` is not `11-2`. A name without a letter or digit is nobody's, and
    so never a second person's.
    """
    ones, others = _folded(one), _folded(other)
    if not (ones.is_somebody and others.is_somebody):
        return True
    if ones.letters == others.letters:
        return ones.parted == others.parted
    return ones.latin == others.latin or ones.shapes == others.shapes


def different_persons(names: Iterable[str]) -> tuple[str, ...]:
    """The names, without those that could be a person's who was named before."""
    found: list[str] = []
    for name in names:
        if _folded(name).is_somebody and not any(same_person(name, each) for each in found):
            found.append(name)
    return tuple(found)


def reads_as(name: str, beginnings: Iterable[str]) -> bool:
    """Whether a reader could take what `name` begins with for one of `beginnings`, which are small
    Latin letters and signs."""
    wanted = tuple(beginnings)
    return any(_caseless(each).startswith(wanted) for each in _readings(name))


class _Folded(NamedTuple):
    """Letters and digits of a name: as written; the same with a sign where digits are parted; with
    look-alikes as Latin letters; with one letter for all of a shape. All are needed: a capital and
    its small letter may look like two different ones."""

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
    """The name as written, with Latin letters for look-alikes, and with one of each shape; without
    accents and the tag of a mail address."""
    plain = normalized("NFKC", visible(name))
    local, at, domain = plain.rpartition("@")
    if at and local.partition("+")[0]:
        plain = f"{local.partition('+')[0]}@{domain}"
    latin = plain.translate(_look_alikes())
    shapes = _without_marks(latin.translate(_shapes()))
    return (
        _without_marks(plain),
        _without_marks(latin),
        # A capital may have a shape of its own, and so may its small letter.
        _caseless(shapes).translate(_shapes()),
    )


def _runs(text: str) -> list[str]:
    """Letters and digits that stand together, without case."""
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
