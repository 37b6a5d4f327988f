"""Reads an address line into the one form in which addresses are compared.

Only rules, no statistics: the same text gives the same result in every version of every parser,
because keyed hashes of the result decide whether a protected home is recognised. Forms and
abbreviations are those of USPS Publication 28. A line without a house number and a street is not an
address, and none of it is repeated: people type their names into address fields.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from typing import Literal

from direct311.geo.addresses.domain.folding import digits_for_letters, upper_ascii
from direct311.geo.addresses.domain.municipalities import Gazette
from direct311.schemas import Model, replaced

_LONGEST = 300
_NOISE = re.compile(r"\(\s*-?[\d.]+\s*,\s*-?[\d.]+\s*\)|\(APPROX\.?\)")
_BREAKS = re.compile(r"[\r\n;]+")
_WORD = re.compile(r"[A-Z0-9][A-Z0-9'-]*")
_POINTS = re.compile(r"\b([NS])\.\s?([EW])\b\.?")
_ZIP = re.compile(r"[\s,]*\b(3[2-4]\d{3})(?:-?\d{4})?$")
_STATE = re.compile(r"[\s,]+(?:FL|FLA|FLORIDA)$")
_COUNTRY = re.compile(r"[\s,]+(?:USA|US|UNITED STATES)$")
_CROSSING = re.compile(r"\s*(?:&|@|/|\bAND\b|\bAT\b)\s*")
_NUMBER = re.compile(r"^(\d{1,5})(?:\s?-\s?\d{1,5})?([A-Z])?(?![\dA-Z])")
_ORDINAL = re.compile(r"^(\d{1,3})(ST|ND|RD|TH)?$")
_UNIT = re.compile(r"[A-Z]{0,2}-?\d{0,5}-?[A-Z]?")
# 17SW, 200NW2, 8ST, 35THST, 501MARLINS: a space is missing.
_GLUED = (
    re.compile(r"(?<=\d)(?=(?:[NS][EW]?|[EW])(?:\d|\s|$))"),
    re.compile(r"(?<=\s[NS][EW])(?=\d)|(?<=^[NS][EW])(?=\d)|(?<=\d[NS][EW])(?=\d)"),
    re.compile(r"(?<=\dTH|\dND)(?=[A-Z]{2})|(?<=1ST|3RD)(?=[A-Z]{2})"),
    re.compile(r"(?<=^\d)(?=[A-Z]{3})|(?<=^\d\d\d)(?=[A-Z]{3})|(?<=^\d\d\d\d)(?=[A-Z]{3})"),
)


class StreetWords(Model):
    """The content of `streets.yaml`: abbreviation → other spellings."""

    version: str
    citation: str
    effective_on: date
    directions: dict[str, tuple[str, ...]]
    suffixes: dict[str, tuple[str, ...]]
    local: dict[str, tuple[str, ...]]
    pretypes: tuple[str, ...]
    routes: dict[str, tuple[str, ...]]
    units: dict[str, tuple[str, ...]]


class Street(Model):
    """A street without its house number. `number` is a numbered street's number.

    `kind` is the abbreviation that says which way a numbered street runs: AVE for '41ST AVENUE RD'.
    A numbered street is `plain` if all its words are known: there may be a person's name between a
    number and AVE.
    """

    predirectional: str | None = None
    name: str
    suffix: str | None = None
    postdirectional: str | None = None
    number: int | None = None
    kind: str | None = None
    plain: bool = True

    @property
    def line(self) -> str:
        parts = (self.predirectional, self.name, self.suffix, self.postdirectional)
        return " ".join(part for part in parts if part)


class NormalisedAddress(Model):
    """`canonical` is upper case, without unit, city and ZIP code; empty unless `kind` is an address
    or an intersection. `confidence` is 0 to 1: how certain the reading is, not whether the address
    exists.
    """

    kind: Literal["address", "intersection", "area", "none"]
    canonical: str = ""
    number: int | None = None
    street: Street | None = None
    cross: Street | None = None
    unit: str | None = None
    city: str | None = None
    zip_code: str | None = None
    confidence: float = 0.0
    reason: str | None = None

    @property
    def is_plain(self) -> bool:
        """Whether all its words are known, or are a name that must be looked up."""
        return all(street.plain for street in (self.street, self.cross) if street is not None)

    @property
    def own(self) -> str:
        """The line with only number and street, without a letter after the number."""
        if self.kind != "address" or self.number is None or self.street is None:
            return self.canonical
        return f"{self.number} {self.street.line}"

    def placed(
        self, unit: str | None, city: str | None, zip_code: str | None
    ) -> "NormalisedAddress":
        """A copy with this unit, city and ZIP code."""
        return replaced(self, unit=unit, city=city, zip_code=zip_code)


@dataclass(frozen=True, slots=True)
class AddressReader:
    """Reads address lines; never raises, whatever the text."""

    words: StreetWords
    gazette: Gazette
    _directions: dict[str, str] = field(init=False, repr=False, compare=False)
    _suffixes: dict[str, str] = field(init=False, repr=False, compare=False)
    _units: dict[str, str] = field(init=False, repr=False, compare=False)
    _routes: tuple[tuple[re.Pattern[str], str], ...] = field(init=False, repr=False, compare=False)
    _compass: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        words = self.words
        derived: dict[str, object] = {
            "_directions": _spellings(words.directions),
            "_suffixes": _spellings(words.suffixes | words.local),
            "_units": _spellings(words.units),
            "_routes": tuple(
                (re.compile(rf"\b(?:{'|'.join((*spellings, short))})[\s-]*(?=\d{{1,3}}\b)"), short)
                for short, spellings in words.routes.items()
            ),
            "_compass": re.compile(r"\b(NORTH|SOUTH|[NS](?=\s[EW]\b))\s(EAST|WEST|[EW])\b"),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def normalise(self, text: str | None) -> NormalisedAddress:
        """The parsed `text`. `kind` is 'none' with a `reason` if it is not an address."""
        line = _plain(text or "")
        if not (text or "").strip():
            return NormalisedAddress(kind="none", reason="address is empty")
        if len(line) > _LONGEST:
            return NormalisedAddress(kind="none", reason="address is too long")
        line, city, zip_code = self._without_place(line)
        line, unit = self._without_unit(line)
        # Text after a comma that is not a city is a remark.
        first = line.partition(",")[0]
        found = (
            self._intersection(line)
            or self._address(line.replace(",", " "))
            or self._address(first)
        )
        if found is None:
            if city or zip_code:
                return NormalisedAddress(
                    kind="area", city=city, zip_code=zip_code, reason="no house number and street"
                )
            return NormalisedAddress(kind="none", reason="not an address")
        return found.placed(unit, city, zip_code)

    def _without_place(self, line: str) -> tuple[str, str | None, str | None]:
        """Removes country, ZIP code, state and city from the end."""
        line = _COUNTRY.sub("", line)
        zip_code = None
        if found := _ZIP.search(line):
            zip_code, line = found[1], line[: found.start()]
        line = _COUNTRY.sub("", _STATE.sub("", line)).strip(" ,")
        street, comma, place = line.rpartition(",")
        if comma and (city := self.gazette.canonical(place)):
            return street.strip(" ,"), city, zip_code
        tokens = line.replace(",", " , ").split()
        for length in (4, 3, 2, 1):
            head, tail = tokens[:-length], tokens[-length:]
            city = self.gazette.canonical(" ".join(tail)) if "," not in tail else None
            # 'N MIAMI AVE' ends in a suffix, '1025 MIAMI' would be a street without one.
            if city and (not head or self._ends_a_street(head)):
                return " ".join(head).replace(" ,", ",").strip(" ,"), city, zip_code
        return line, None, zip_code

    def _ends_a_street(self, tokens: Sequence[str]) -> bool:
        last = tokens[-1]
        return (
            last == ","
            or last in self._suffixes
            or last in self._directions
            or any(token in self._units or token.startswith("#") for token in tokens[-2:])
        )

    def _without_unit(self, line: str) -> tuple[str, str | None]:
        """Removes an apartment or the like from the end; anything that is not a unit number
        stays."""
        tokens = line.replace("#", " # ").split()
        for index in range(2, len(tokens) - 1):
            designator = "#" if tokens[index] == "#" else self._units.get(tokens[index].strip(","))
            unit = tokens[-1]
            between = tokens[index + 1 : -1]
            if designator and between in ([], ["#"]) and _UNIT.fullmatch(unit):
                return " ".join(tokens[:index]).rstrip(" ,"), f"{designator} {unit}"
        return line, None

    def _intersection(self, line: str) -> NormalisedAddress | None:
        sides = [side.strip() for side in _CROSSING.split(line) if side.strip()]
        if len(sides) != 2:
            return None
        tokens = [self._spaced(side).split() for side in sides]
        streets = [self._street(side) for side in tokens]
        compass = next((one.predirectional for one in streets if one and one.number), None)
        # In 'SW 92 ST and 101 AVE' the single direction applies to both.
        found = [
            self._street([compass, *side])
            if compass and side[0].rstrip("NDRSTH").isdigit() and not (one and one.predirectional)
            else one
            for one, side in zip(streets, tokens, strict=True)
        ]
        if found[0] is None or found[1] is None:
            return None
        first, second = sorted((found[0], found[1]), key=lambda street: street.line)
        return NormalisedAddress(
            kind="intersection",
            canonical=f"{first.line} & {second.line}",
            street=first,
            cross=second,
            confidence=0.9 if first.kind and second.kind else 0.7,
        )

    def _address(self, line: str) -> NormalisedAddress | None:
        line = self._spaced(line)
        found = _NUMBER.match(line)
        if found is None or int(found[1]) == 0:
            return None
        street = self._street(line[found.end() :].split())
        if street is None or street.number == 0:
            return None
        number = int(found[1])
        confidence = 1.0 if street.suffix else 0.6
        return NormalisedAddress(
            kind="address",
            canonical=f"{number}{found[2] or ''} {street.line}",
            number=number,
            street=street,
            confidence=confidence,
        )

    def _spaced(self, line: str) -> str:
        for gap in _GLUED:
            line = gap.sub(" ", line)
        line = self._compass.sub(lambda m: f"{m[1]}{m[2]}", line)
        for route, short in self._routes:
            line = route.sub(f"{short} ", line)
        return " ".join(line.split())

    def _street(self, tokens: Sequence[str]) -> Street | None:
        """A street of at least a name and either a suffix, a direction or a route number."""
        words = list(tokens)
        if not words or len(words) > 8:
            return None
        before = self._directions.get(words[0]) if len(words) > 1 else None
        if before and words[1] not in self._suffixes:
            words = words[1:]
        else:
            before = None
        if ordinal := _ORDINAL.match(words[0]):
            return self._numbered(int(ordinal[1]), ordinal[2], before, words[1:])
        return self._named(before, words)

    def _numbered(
        self, number: int, ending: str | None, before: str | None, words: Sequence[str]
    ) -> Street | None:
        words = _without_ordinal_words(number, ending, words)
        rest, after = self._postdirectional(words)
        if before is None and len(rest) > 1 and rest[0] in self._directions:
            before, rest = self._directions[rest[0]], rest[1:]
        types = [self._suffix(word) for word in rest]
        if not types and ending in ("ST", "RD") and ending != ordinal_ending(number):
            # 8ST is 8 ST with the space left out.
            types = [ending]
        if len(types) > 4 or (types and types[-1] is None) or not (types or before):
            return None
        inner = [
            self._spelled_out(short) if short else word
            for short, word in zip(types[:-1], rest, strict=False)
        ]
        running = [short for short in types if short and short != "CIR"]
        return Street(
            predirectional=before,
            name=" ".join([f"{number}{ordinal_ending(number)}", *inner]),
            suffix=types[-1] if types else None,
            postdirectional=after,
            number=number,
            kind=running[0] if running else (types[-1] if types else None),
            plain=None not in types,
        )

    def _named(self, before: str | None, words: Sequence[str]) -> Street | None:
        if any(not _WORD.fullmatch(word) for word in words):
            return None
        if len(words) == 2 and words[0] in self.words.routes and words[1].isdigit():
            return Street(predirectional=before, name=" ".join(words), suffix=None)
        rest, after = self._postdirectional(words)
        suffix = self._suffix(rest[-1]) if len(rest) > 1 else None
        if suffix:
            rest = rest[:-1]
        elif not (rest[0] in self.words.pretypes and len(rest) > 1):
            return None
        if not any(letter.isalpha() for letter in rest[0]):
            return None
        name = " ".join(rest)
        return Street(predirectional=before, name=name, suffix=suffix, postdirectional=after)

    def _postdirectional(self, words: Sequence[str]) -> tuple[list[str], str | None]:
        if len(words) > 1 and words[-1] in self._directions:
            return list(words[:-1]), self._directions[words[-1]]
        return list(words), None

    def _suffix(self, word: str) -> str | None:
        if (known := self._suffixes.get(word)) or len(word) < 5:
            return known
        close = get_close_matches(word, [s for s in self._suffixes if len(s) > 4], 1, 0.85)
        return self._suffixes[close[0]] if close else None

    def _spelled_out(self, suffix: str) -> str:
        """USPS Publication 28, section 234: of two suffixes, the first is written out."""
        spellings = (self.words.suffixes | self.words.local)[suffix]
        return spellings[0] if spellings else suffix


def ordinal_ending(number: int) -> str:
    """ST, ND, RD or TH, as spoken in English."""
    if number % 100 in (11, 12, 13):
        return "TH"
    return {1: "ST", 2: "ND", 3: "RD"}.get(number % 10, "TH")


def _without_ordinal_words(number: int, ending: str | None, words: Sequence[str]) -> Sequence[str]:
    """Removes a separate ST, ND, RD or TH after the number, even a repeated one. ST and RD count
    only if they are this number's ending and a street word follows.
    """
    words = list(words)
    while words:
        is_ending = words[0] in ("ND", "TH") or (
            words[0] in ("ST", "RD")
            and words[0] == ordinal_ending(number)
            and len(words) > 1
            and (ending is None or words[0] == ending)
        )
        if not is_ending:
            break
        ending = words.pop(0)
    return words


def _plain(text: str) -> str:
    """Upper-case ASCII on one line, without periods and remarks in brackets."""
    folded = digits_for_letters(upper_ascii(text[: _LONGEST * 4]))
    line = _BREAKS.sub(", ", folded)
    line = _POINTS.sub(r"\1\2 ", _NOISE.sub(" ", line)).replace(".", " ").replace('"', " ")
    return " ".join(line.split()).strip(" ,")


def _spellings(table: dict[str, tuple[str, ...]]) -> dict[str, str]:
    return dict(_pairs(table))


def _pairs(table: dict[str, tuple[str, ...]]) -> Iterable[tuple[str, str]]:
    for short, spellings in table.items():
        for spelling in (short, *spellings):
            yield spelling, short
