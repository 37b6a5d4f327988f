"""Other ways of writing an address, by kind: what people write, and what somebody would write to
make a protected home show.

All are drawn with the given random generator: the same seed gives the same ones again.
"""

# ruff: noqa: RUF001 (letters that look like others are one of the kinds)

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

_LINE = re.compile(
    r"(?P<number>\d+)[A-Z]? (?:(?P<before>[NS][EW]?|[EW]) )?(?P<street>.+?)"
    r"(?: (?P<kind>ST|AVE|TER|CT|PL|RD|DR|LN|BLVD|CIR|WAY|PSGE|PATH|PKWY|CSWY|HWY))?"
    r"(?: (?P<after>[NS][EW]?|[EW]))?"
)
_ORDINAL = re.compile(r"(\d+)(?:ST|ND|RD|TH)")
_GIVEN_NAMES = {"JOHN", "MARTIN", "CHARLES", "WILLIAM", "GEORGE", "FRANK", "HENRY", "ROBERT"}
_WORDS = {
    "ST": ("STREET", "STR", "ST."), "AVE": ("AVENUE", "AV", "AVE.", "AVEN"),
    "TER": ("TERRACE", "TERR"), "CT": ("COURT", "CRT"), "PL": ("PLACE",), "RD": ("ROAD",),
    "DR": ("DRIVE", "DRV"), "LN": ("LANE",), "BLVD": ("BOULEVARD", "BOUL"),
    "CIR": ("CIRCLE", "CIRC"), "WAY": ("WY",), "PSGE": ("PASSAGE",), "PATH": ("PATH",),
    "PKWY": ("PARKWAY", "PKY"), "CSWY": ("CAUSEWAY",), "HWY": ("HIGHWAY", "HIWAY"),
}  # fmt: skip
_FOREIGN = {
    "ST": ("CALLE", "RUE", "RI"), "AVE": ("AVENIDA", "AVENI", "AVDA"), "TER": ("TERRAZA",),
    "CT": ("CORTE",), "PL": ("LUGAR", "PLAS"), "RD": ("CARRETERA", "WOUT"), "DR": ("PASEO",),
    "LN": ("CAMINO",), "BLVD": ("BULEVAR", "BOULEVA"), "CIR": ("CIRCULO",), "WAY": ("VIA",),
    "HWY": ("CARRETERA",), "PKWY": ("PASEO",), "CSWY": ("PASEO",), "PATH": ("SENDERO",),
    "PSGE": ("PASAJE",),
}  # fmt: skip
_SPANISH = {
    "N": "NORTE", "S": "SUR", "E": "ESTE", "W": "OESTE",
    "NE": "NORESTE", "NW": "NOROESTE", "SE": "SURESTE", "SW": "SUROESTE",
}  # fmt: skip
_ENGLISH = {
    "N": "North", "S": "South", "E": "East", "W": "West",
    "NE": "Northeast", "NW": "North West", "SE": "South-East", "SW": "Southwest",
}  # fmt: skip
_UNITS = ("ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE")
_TEENS = (
    "TEN", "ELEVEN", "TWELVE", "THIRTEEN", "FOURTEEN", "FIFTEEN", "SIXTEEN", "SEVENTEEN",
    "EIGHTEEN", "NINETEEN",
)  # fmt: skip
_TENS = ("TWENTY", "THIRTY", "FORTY", "FIFTY", "SIXTY", "SEVENTY", "EIGHTY", "NINETY")
_LAST = {
    "ONE": "FIRST", "TWO": "SECOND", "THREE": "THIRD", "FIVE": "FIFTH", "EIGHT": "EIGHTH",
    "NINE": "NINTH", "TWELVE": "TWELFTH",
}  # fmt: skip
_ALIKE = {
    "A": "АΑ", "B": "ВΒ", "C": "С", "E": "ЕΕ", "H": "НΗ", "I": "ІΙ", "K": "КΚ", "M": "МΜ",
    "N": "Ν", "O": "ОΟ", "P": "РΡ", "S": "Ѕ", "T": "ТΤ", "X": "ХΧ", "Y": "УΥ", "W": "Ԝ",
}  # fmt: skip
_LETTERS = "ABCDEFGHIJKLMNOPRSTUVWY"


@dataclass(frozen=True)
class Address:
    """An address line in Postal Service form, with its ZIP code and city. `digits`: a numbered
    street's number."""

    line: str
    zip_code: str
    city: str
    number: str
    before: str
    street: str
    kind: str
    after: str

    @property
    def digits(self) -> str | None:
        found = _ORDINAL.fullmatch(self.street)
        return found[1] if found else None

    def written(self, **parts: str) -> str:
        """The line with other parts."""
        names = ("number", "before", "street", "kind", "after")
        return " ".join(part for n in names if (part := parts.get(n, getattr(self, n))))


def address_of(line: str, zip_code: str = "", city: str = "MIAMI") -> Address | None:
    """The parts of a line; `None` if it is not a house number and street."""
    found = _LINE.fullmatch(line)
    if found is None or "&" in line:
        return None
    parts = {name: value or "" for name, value in found.groupdict().items()}
    return Address(line, zip_code or "33130", city, **parts)


Kind = Callable[[Address, Random], Iterator[str]]


def _misspelled(one: Address, rng: Random) -> Iterator[str]:
    if one.digits is None:
        words = one.street.split()
        longest = max(range(len(words)), key=lambda at: len(words[at]))
        if not words[longest].isalpha() or len(words[longest]) < 4:
            return
        for _ in range(3):
            slipped = [*words]
            slipped[longest] = slip(words[longest], rng)
            yield f"{one.written(street=' '.join(slipped))}, {one.zip_code}"
    elif one.kind in _WORDS and len(_WORDS[one.kind][0]) > 4:
        for _ in range(2):
            yield f"{one.written(kind=slip(_WORDS[one.kind][0], rng))} {one.zip_code}"


def _misspelled_twice(one: Address, rng: Random) -> Iterator[str]:
    words = one.street.split()
    longest = max(range(len(words)), key=lambda at: len(words[at]))
    if one.digits is not None or not words[longest].isalpha() or len(words[longest]) < 8:
        return
    for _ in range(2):
        slipped = [*words]
        slipped[longest] = slip(slip(words[longest], rng), rng)
        yield f"{one.written(street=' '.join(slipped))}, {one.zip_code}"


def slip(word: str, rng: Random) -> str:
    """The word with one letter left out, doubled, changed, inserted, or exchanged with the next;
    the first letter stays, as it usually does."""
    at = rng.randrange(1, len(word))
    how = rng.randrange(5)
    if how == 0:
        return word[:at] + word[at + 1 :]
    if how == 1:
        return word[:at] + word[at] + word[at:]
    if how == 2:
        return word[:at] + rng.choice(_LETTERS) + word[at + 1 :]
    if how == 3 and at + 1 < len(word):
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + rng.choice(_LETTERS) + word[at:]


def _letters_and_ranges(one: Address, rng: Random) -> Iterator[str]:
    letter = rng.choice("ABCD")
    for number in (f"{one.number}{letter}", f"{one.number}-{letter}", f"{one.number} {letter}"):
        yield one.written(number=number)
    yield one.written(number=f"{one.number}-{int(one.number) + 8}")
    yield one.written(number=f"{one.number} 1/2")
    yield one.written(number=f"{one.number}½")
    yield one.written(number=f"0{one.number}") if len(one.number) < 5 else one.line


def _no_direction(one: Address, _: Random) -> Iterator[str]:
    if one.before or one.after:
        yield one.written(before="", after="")
    if len(one.before) == 2:
        yield one.written(before=one.before[0])
        yield one.written(before=one.before[1])


def _more_directions(one: Address, rng: Random) -> Iterator[str]:
    other = rng.choice(["N", "S", "E", "W"])
    yield one.written(after=one.before or other)
    yield one.written(before=f"{other} {one.before}".strip())
    yield one.written(before=_ENGLISH.get(one.before, _ENGLISH[other]))
    yield one.written(before="", after=one.before or other)


def _no_kind(one: Address, _: Random) -> Iterator[str]:
    if one.kind:
        yield one.written(kind="")
        yield f"{one.written(kind='')}, {one.city}, FL {one.zip_code}"


def _more_kinds(one: Address, rng: Random) -> Iterator[str]:
    yield one.written(kind=f"{one.kind} {rng.choice(['ST', 'RD', 'AVE'])}".strip())
    yield one.written(kind=f"{one.kind or 'ST'} {one.kind or 'ST'}")
    yield one.written(kind=rng.choice(["ST", "AVE", "RD", "DR", "PL"]))


def _ordinal_words(one: Address, _: Random) -> Iterator[str]:
    if (digits := one.digits) is None:
        return
    ending = one.street[-2:]
    for street in (
        digits, f"{digits} {ending}", f"{digits} ND", f"{digits}{ending} {ending}", f"{digits}TH",
        f"{digits}-{ending}", f"{digits}{ending.lower()}.", f"{digits}º", f"{digits}th th",
    ):  # fmt: skip
        yield one.written(street=street)


def _kind_words(one: Address, _: Random) -> Iterator[str]:
    for word in _WORDS.get(one.kind, ()):
        yield one.written(kind=word)
        yield one.written(kind=word.title())


def _foreign_words(one: Address, _: Random) -> Iterator[str]:
    name = one.digits or one.street
    direction = _SPANISH.get(one.before, "")
    for word in _FOREIGN.get(one.kind, ()):
        yield one.written(kind=word)
        yield " ".join(part for part in (one.number, word, name, direction) if part)
        yield " ".join(part for part in (word, name, direction, "No.", one.number) if part)
        yield f"{word} {name} {direction} # {one.number}, {one.city.title()}"
    if one.before:
        yield one.written(before=direction.title())


def _number_words(one: Address, _: Random) -> Iterator[str]:
    if one.digits is None:
        return
    spoken = in_words(int(one.digits))
    last = spoken.split("-")[-1].split()[-1]
    ordinal = spoken.removesuffix(last) + _LAST.get(last, last.removesuffix("Y") + "TH")
    if last.endswith("Y"):
        ordinal = spoken.removesuffix("Y") + "IETH"
    for street in (spoken, ordinal, ordinal.title(), spoken.replace("-", " ")):
        yield one.written(street=street)


def in_words(number: int) -> str:
    """A number below a thousand in English."""
    if number >= 100:
        rest = number % 100
        return f"{_UNITS[number // 100 - 1]} HUNDRED {in_words(rest) if rest else ''}".strip()
    if number >= 20:
        unit = number % 10
        return _TENS[number // 10 - 2] + (f"-{_UNITS[unit - 1]}" if unit else "")
    return _TEENS[number - 10] if number >= 10 else _UNITS[number - 1]


def _spellings(one: Address, _: Random) -> Iterator[str]:
    words = one.street.split()
    if words[0][0].isdigit() or set(words) & {"AVENUE", "STREET", "CONC"}:
        return
    if len(words) > 1:
        yield one.written(street="".join(words))
        yield one.written(street="-".join(words))
    if words[0] in ("ST", "SAINT", "ST."):
        for saint in ("ST", "ST.", "SAINT", "STE"):
            yield one.written(street=" ".join((saint, *words[1:])))
    if "'" in one.street:
        for mark in ("", " ", "’", "`"):
            yield one.written(street=one.street.replace("'", mark))
    if any(len(word) == 1 for word in words) and any(len(word) > 1 for word in words):
        yield one.written(street=" ".join(word for word in words if len(word) > 1))
        yield one.written(street=" ".join(f"{w}." if len(w) == 1 else w for w in words))
    if len(words) > 1 and words[0] in _GIVEN_NAMES:
        yield one.written(street=" ".join((f"{words[0][0]}.", *words[1:])))
    for short, full in (("MT", "MOUNT"), ("FT", "FORT")):
        if words[0] in (short, full):
            yield one.written(street=" ".join((short, *words[1:])))
            yield one.written(street=" ".join((full, *words[1:])))


def _cities(one: Address, _: Random) -> Iterator[str]:
    for tail in (
        f", {one.city}, FL {one.zip_code}", f", {one.city.title()} Florida {one.zip_code}-1234",
        f" {one.city} FL", f" {one.zip_code}", ", Kendall", ", Maimi FL", f" {one.city.title()}",
        ", Miami-Dade County, Florida, USA", f" Miami Dade {one.zip_code} US", "\nMIAMI, FL",
        ", Unincorporated", ", Little Havana, Miami",
    ):  # fmt: skip
        yield one.line + tail


def _units(one: Address, rng: Random) -> Iterator[str]:
    unit = rng.randrange(1, 40)
    for tail in (
        f" APT {unit}", f" #{unit}", f", Unit {unit}B", f" APT. {unit}, {one.city}", " UNIT C",
        f" Apto {unit}", f" STE {unit}, MIAMI FL", f" BLDG 2 APT {unit}", f" # {unit} {one.city}",
        f" Apartment {unit}", f" no. {unit}", " PH", " rear", f", {unit}", " FRONT HOUSE",
    ):  # fmt: skip
        yield one.line + tail
    yield f"APT {unit}, {one.line}"
    yield f"#{unit} {one.line}"
    yield f"{unit} {one.line}"
    yield one.written(number=f"{one.number} #{unit}")
    yield one.written(number=f"{one.number}-{unit}")
    yield one.written(number=f"{one.number} Apt {unit},")


def _spacing(one: Address, _: Random) -> Iterator[str]:
    yield re.sub(r"(?<=\d) (?=[NSEW])", "", one.line)
    yield re.sub(r"(?<=\d) (?=\D)|(?<=[NSEW]) (?=\d)", "", one.line)
    yield one.line.replace(" ", "   ")
    yield one.line.replace(" ", "\t")
    yield one.line.replace(" ", "-")
    yield one.line.replace(" ", "_")
    yield one.line.replace(" ", ". ")
    yield one.line.replace(" ", ", ")
    yield one.line.replace(" ", "/", 1)
    yield one.line.lower()
    yield one.line.title()
    if len(one.before) == 2:
        yield one.written(before=f"{one.before[0]}.{one.before[1]}.")
        yield one.written(before=f"{one.before[0]} {one.before[1]}")
    if one.digits is not None:
        yield one.written(street=one.digits).replace(" ", "")


def _look_alikes(one: Address, rng: Random) -> Iterator[str]:
    yield "".join(rng.choice(_ALIKE.get(char, char)) for char in one.line)
    yield "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else "\u3000" for c in one.line)
    yield "\u200b".join(one.line)
    yield one.line.replace(" ", "\u00a0")
    yield one.line.replace(" ", "\u2009\u202e")
    yield "".join(chr(0x660 + int(c)) if c.isdigit() else c for c in one.line)
    yield "".join(chr(0x1D7CE + int(c)) if c.isdigit() else c for c in one.line)
    yield "".join(chr(0x1D400 + ord(c) - 65) if c.isalpha() else c for c in one.line)
    yield "".join(f"{c}\u0336" for c in one.line)
    yield one.line.replace(" ", " \u2014 ")
    inner = one.number[1:-1]
    yield one.written(number=one.number[:1] + inner.replace("0", "O") + one.number[-1:])
    yield one.line.replace("S", "\u017f") if one.digits else one.line


def _encoded(one: Address, _: Random) -> Iterator[str]:
    yield one.line.replace(" ", "&nbsp;")
    yield one.line.replace(" ", "%20")
    yield "".join(f"&#{ord(c)};" if c.isdigit() else c for c in one.line)
    yield "".join(f"&#x{ord(c):x};" for c in one.line[:20]) + one.line[20:]
    yield "".join(f"%{ord(c):02x}" if c.isdigit() else c for c in one.line)


def _sentences(one: Address, _: Random) -> Iterator[str]:
    for head in ("Casa ", "my house at ", "in front of ", "home: ", "No. ", "# ", "(", "aprox. "):
        yield head + one.line
    yield f"{one.line} (the officer's house)"
    yield f"{one.line}, ring twice"
    yield f"{one.line}; gate code 1234"


def _to_evade(one: Address, rng: Random) -> Iterator[str]:
    number, letters = one.number, one.street
    yield one.written(number=" ".join(number))
    if len(number) > 3:
        yield one.written(number=f"{number[:-3]},{number[-3:]}")
        yield one.written(number=f"{number[:2]} {number[2:]}")
        yield one.written(number=f"{number[:-3]}.{number[-3:]}")
    yield one.written(number=" ".join(_UNITS[int(c) - 1] if c != "0" else "ZERO" for c in number))
    if one.digits is not None:
        yield one.written(street=" ".join(one.digits))
        yield one.written(street=".".join(one.digits))
        yield f"{number}, the blue one, {one.before} {one.digits} {one.kind}"
        yield f"{number} on the {one.written(number='')}"
        yield f"{one.written(number='')}, house number {number}"
        yield one.written(street=one.digits.replace("1", "l").replace("0", "O"))
    else:
        swaps = {"A": "4", "E": "3", "I": "1", "O": "0", "S": "5"}
        at = rng.randrange(1, len(letters) - 1) if len(letters) > 3 else 0
        if at and letters[at] in swaps and (letters[at - 1] + letters[at + 1]).isalpha():
            yield one.written(street=letters[:at] + swaps[letters[at]] + letters[at + 1 :])
        yield one.written(street=letters[::1].replace(" ", "\u00ad"))
        yield f"{number} on {one.written(number='')}"
    yield f"~{one.line}~"
    yield f"{one.line} {one.line}"
    yield f"{one.line} @ {one.line}"


KINDS: dict[str, Kind] = {
    "street misspelled, with ZIP": _misspelled,
    "street misspelled twice": _misspelled_twice,
    "letter or range behind the number": _letters_and_ranges,
    "direction missing": _no_direction,
    "direction superfluous": _more_directions,
    "street word missing": _no_kind,
    "street word superfluous or another": _more_kinds,
    "ordinal words": _ordinal_words,
    "other street words": _kind_words,
    "words of other languages": _foreign_words,
    "numbers as words": _number_words,
    "spellings of names": _spellings,
    "cities": _cities,
    "units": _units,
    "spacing": _spacing,
    "letters that look alike": _look_alikes,
    "encoded": _encoded,
    "in a sentence": _sentences,
    "written to evade": _to_evade,
}


def variants(one: Address, kind: str, rng: Random) -> list[str]:
    """Other ways of this kind to write an address; empty if the kind does not apply."""
    return [text for text in KINDS[kind](one, rng) if text != one.line]


MADE_UP = tuple(
    found
    for line in (
        "8942 SW 142ND AVE", "1216 SAN MIGUEL AVE", "9967 SW 153RD ST", "200 NW 2ND AVE",
        "1500 PONCE DE LEON BLVD", "742 O'NEIL ST", "300 ST CHARLES AVE", "4100 E E WILLIAMS DR",
        "11500 SW 104TH ST", "20450 SW 190TH AVE", "75 JOHN F KENNEDY CSWY", "1860 W FLAGLER ST",
        "3370 POINCIANA AVE", "10047 HIBISCUS ST", "2951 VIRGINIA ST", "640 MONTEGO BAY DR",
        "14855 GRANT LN", "9970 BAHAMA DR", "13820 JACKSON ST", "6210 MT VERNON RD",
        "1045 LENOX AVE", "18620 LENAIRE DR", "5225 COLLINS AVE", "7600 E TREASURE DR",
        "12540 SW 6TH ST", "4825 NW 30TH AVE", "3500 NW 79TH TER", "6621 W 14TH CT",
        "250 NE 1ST ST", "1433 SE 3RD PL", "17311 NE 8TH CT", "2020 PRAIRIE AVE",
    )
    if (found := address_of(line)) is not None
)  # fmt: skip
"""Addresses in the county's forms that belong to nobody."""
