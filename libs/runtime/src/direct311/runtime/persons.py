"""Two persons who must be different: what a person is called, folded for that question alone.

The folded form says that two names might be one person's. It never proves that they are: who
somebody is, is `sub` byte for byte, as OpenID Connect says.
"""

import unicodedata
from collections.abc import Iterable
from functools import cache

from direct311.runtime.text import characters, shows_all, visible
from direct311.schemas.unicode import normalized

LONGEST_SUBJECT = 255
"""Characters of a `sub` (OpenID Connect Core 1.0, section 2)."""


def is_subject(sub: object) -> bool:
    """Whether a token's `sub` can name somebody: text of 1 to 255 characters without blanks and
    without any that show nothing."""
    return isinstance(sub, str) and 0 < len(sub) <= LONGEST_SUBJECT and shows_all(sub)


def same_person(one: str, other: str) -> bool:
    """Whether two names of persons could be one's, where two different persons are needed.

    Compared are letters and digits alone: without case, accents, punctuation, blanks, what is not
    seen, the tag of a mail address (`name+tag@…`), and with letters of other alphabets that look
    like Latin ones taken for those. A name without a letter or digit is nobody's, and so never a
    second person's.
    """
    ones, others = _folds(one), _folds(other)
    return not all(ones) or not all(others) or ones[0] == others[0] or ones[1] == others[1]


def different_persons(names: Iterable[str]) -> tuple[str, ...]:
    """The names, without those that could be a person's who was named before."""
    found: list[str] = []
    for name in names:
        if all(_folds(name)) and not any(same_person(name, each) for each in found):
            found.append(name)
    return tuple(found)


def _folds(name: str) -> tuple[str, str]:
    """Folded as written, and with look-alikes as Latin letters. Both are needed: a capital and its
    small letter may look like two different Latin ones."""
    plain = normalized("NFKC", visible(name))
    local, at, domain = plain.rpartition("@")
    if at and local.partition("+")[0]:
        plain = f"{local.partition('+')[0]}@{domain}"
    bare = "".join(c for c in normalized("NFKD", plain) if not _is_mark(c))
    return _bones(bare), _bones(bare.translate(_look_alikes()))


def _bones(text: str) -> str:
    folded = normalized("NFKD", text.casefold()).casefold()
    return "".join(_digit(c) for c in folded if c.isalnum() and not _is_mark(c))


def _digit(char: str) -> str:
    value = unicodedata.decimal(char, None)
    return char if value is None else str(value)


def _is_mark(char: str) -> bool:
    return unicodedata.category(char)[0] == "M"


@cache
def _look_alikes() -> dict[int, str]:
    return {ord(char): latin for char, latin in characters().look_alikes.items()}
