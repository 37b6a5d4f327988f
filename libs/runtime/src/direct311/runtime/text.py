"""Text from outside: one cleaner at the edge, for everything that others will see.

What a person, a client or a department sends is shown on screens, in lists and in spreadsheets of
other people. `cleaned` keeps every letter of every language, and removes characters that are
invisible or move the text around them. The lists of characters are data (`data/characters.yaml`).
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from direct311.runtime.datafile import load, packaged
from direct311.runtime.errors import RuntimeFaultError
from direct311.schemas import Model
from direct311.schemas.unicode import normalized

MOST_MARKS = 4
"""Combining marks on one letter. Vietnamese, Thai and Hebrew need no more; stacks of hundreds hide
the lines around them."""

_JOINERS = "\u200c\u200d"
_AS_EMOJI = "\ufe0f"
_BREAKS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
# Visible, composed Latin letters and signs; nearly all texts contain only these.
_SEEN = r"\x20-\x7e\u00a1-\u00ac\u00ae-\u024f\u2013\u2014\u2018-\u201e\u2026\u20ac"
_PLAIN = re.compile(f"[{_SEEN}]*")
_PLAIN_LINES = re.compile(rf"[{_SEEN}\n\t]*")
_WEB = re.compile(r"""https?://[^\s/?#@\\"'<>]+(?:[/?#][^\s\\"'<>]*)?""")
_RANGE = r"^[0-9A-F]{4,5}-[0-9A-F]{4,5}$"

_Range = Annotated[str, Field(pattern=_RANGE)]
_Char = Annotated[str, Field(min_length=1, max_length=1)]


class Characters(Model, extra="forbid"):
    """The file of characters. Ranges are code points in hex, both ends included."""

    characters: str
    version: str
    citation: str
    invisible: tuple[_Range, ...]
    blank: tuple[_Range, ...]
    joined: tuple[_Range, ...]
    pictures: tuple[_Range, ...]
    unspaced: tuple[_Range, ...]
    ideographs: tuple[_Range, ...]
    look_alikes: Mapping[_Char, str]
    alphabets: tuple[Annotated[str, Field(pattern=r"^[0-9A-F]{4,5}$")], ...]
    shapes: Mapping[_Char, str]


@dataclass(frozen=True, slots=True)
class _Tables:
    invisible: frozenset[str]
    blank: frozenset[str]
    joined: frozenset[str]
    pictures: frozenset[str]


@cache
def characters() -> Characters:
    """The packaged file.

    :raises DataFileError: the file is invalid.
    """
    return load(Characters, packaged("direct311.runtime", "characters.yaml")).content


@cache
def _tables() -> _Tables:
    file = characters()

    def chars(ranges: tuple[str, ...]) -> frozenset[str]:
        ends = [[int(end, 16) for end in each.split("-")] for each in ranges]
        return frozenset(chr(code) for first, last in ends for code in range(first, last + 1))

    return _Tables(
        chars(file.invisible), chars(file.blank), chars(file.joined), chars(file.pictures)
    )


def cleaned(text: str, *, lines: bool = False) -> str:
    """The text as others may see it, in NFC, without spaces around it.

    Removed: control characters, direction and format characters, tags, fillers, variation
    selectors, private-use and unassigned code points, marks without a letter, and marks beyond four
    on one letter. Every kind of space becomes an ordinary one. Kept: letters, marks, digits and
    signs of all languages; joiners between letters of scripts that need them; emoji, with the
    joiner between two of them.

    With `lines`, line ends (as `\\n`) and tabs stay. Otherwise the text becomes one line, and
    spaces in a row become one. Clean text is not changed, so cleaning twice changes nothing.
    """
    if (_PLAIN_LINES if lines else _PLAIN).fullmatch(text):
        return text.strip() if lines else " ".join(text.split())
    known = _tables()
    text = "".join(map(_kept, _BREAKS.sub("\n", text)))
    # Composed and joined characters are judged once nothing is between them any more.
    kept = normalized("NFC", "".join(_bound(normalized("NFC", text), known)))
    return kept.strip() if lines else " ".join(kept.split())


def is_web_address(text: str) -> bool:
    """Whether a text is a web address and nothing else: http or https, a host, and no character
    that is invisible or breaks out of a link."""
    return _WEB.fullmatch(text) is not None and cleaned(text) == text


class ForeignLinkError(RuntimeFaultError):
    """A location is given that no browser may be sent to: our links lead only to the web."""


def on_the_web(addresses: Iterable[str | None]) -> None:
    """:raises ForeignLinkError: one of these is set, but is not a web address."""
    if not all(each is None or is_web_address(each) for each in addresses):
        raise ForeignLinkError("not an address on the web")


def visible(text: str) -> str:
    """The text without invisible characters and spaces, in NFC."""
    known = _tables()
    return "".join(
        char
        for char in normalized("NFC", text)
        if unicodedata.category(char)[0] not in "CZ"
        and char not in known.invisible
        and char not in known.blank
    )


def letters_without_blanks(char: str) -> int:
    """How many letters the character counts for in a script without spaces between words: an
    ideograph counts as two, any other letter as one, a character of another script as none."""
    for ranges, letters in ((_ranges("ideographs"), 2), (_ranges("unspaced"), 1)):
        if any(ord(char) in each for each in ranges):
            return letters
    return 0


@cache
def _ranges(name: str) -> tuple[range, ...]:
    ends = [each.split("-") for each in getattr(characters(), name)]
    return tuple(range(int(first, 16), int(last, 16) + 1) for first, last in ends)


def shows_all(text: str) -> bool:
    """Whether every character of the text is visible: no space and no invisible character."""
    return visible(text) == normalized("NFC", text)


def cell(text: str) -> str:
    """The text as a cell of a spreadsheet: cleaned, and never a formula.

    A formula begins with `=`, `+`, `-` or `@`, also in a wide, small or raised form, and also after
    spaces and invisible characters. It gets an apostrophe in front, which tells a spreadsheet that
    this is text.
    """
    text = cleaned(text, lines=True).replace("\t", " ")
    head = normalized("NFKC", visible(text))[:1]
    return f"'{text}" if head in _FORMULA else text


_FORMULA = frozenset("=+-@\u2212")


def _kept(char: str) -> str:
    """The character, a space in its place, or nothing."""
    if " " <= char <= "~" or char in "\n\t" or char in _JOINERS or char == _AS_EMOJI:
        return char
    known, category = _tables(), unicodedata.category(char)
    if char in known.blank or category == "Zs":
        return " "
    if char in known.pictures:
        return char
    return "" if category[0] in "CZ" or char in known.invisible else char


def _bound(text: str, known: _Tables) -> Iterator[str]:
    """The text without joiners, selectors and marks that belong to nothing."""
    base, marks = "", 0
    for at, char in enumerate(text):
        if char == _AS_EMOJI:
            before = text[at - 1 : at]
            if before in known.pictures or (before and before in "0123456789#*\u00a9\u00ae"):
                yield char
        elif char in _JOINERS:
            if _joins(text, at, known):
                yield char
        elif unicodedata.category(char) in ("Mn", "Me"):
            marks += 1
            if base and marks <= MOST_MARKS:
                yield char
        else:
            base, marks = ("" if char.isspace() else char), 0
            yield char


def _joins(text: str, at: int, known: _Tables) -> bool:
    before, after = text[max(at - 1, 0) : at], text[at + 1 : at + 2]
    if before == _AS_EMOJI:
        before = text[at - 2 : at - 1]
    if not before or not after:
        return False
    if text[at] == "\u200d" and before in known.pictures:
        return after in known.pictures
    return before in known.joined and after in known.joined


def _line(text: str) -> str:
    return cleaned(text)


def _lines(text: str) -> str:
    return cleaned(text, lines=True)


Line = AfterValidator(_line)
"""Annotates a one-line text that others will see: it is cleaned."""

Lines = AfterValidator(_lines)
"""Annotates a text of several lines that others will see: it is cleaned."""


def _title(text: str) -> str:
    line = cleaned(text)
    if not any(char.isalnum() for char in visible(line)):
        raise PydanticCustomError("name", "Give a name with letters or digits.")
    return line


Title = AfterValidator(_title)
"""Annotates a name: one line, cleaned, with a letter or digit."""
