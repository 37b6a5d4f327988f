"""All readings of a typed telephone number."""

import re
from collections.abc import Iterator

import phonenumbers

from direct311.intake.indexes.domain.readings import MOST, PersonReader, PersonWords, Readings
from direct311.schemas.unicode import normalized

_USUAL_PHONE = re.compile(
    r"(?:\+?1[-. ]?)?(?:\(([2-9]\d\d)\) ?|([2-9]\d\d)[-. ]?)([2-9]\d\d)[-. ]?(\d{4})", re.ASCII
)
_BETWEEN = re.compile(r"[;,/|&\n]|\s+-\s+")
_LETTERS_FOR_DIGITS = str.maketrans("oqilszb", "0011528")
_GROUP = re.compile(r"\d+")
_NATIONAL = re.compile(r"[2-9]\d\d[2-9]\d{6}", re.ASCII)
_ROOM = 40
_LOCAL = 7
"""The number of digits without the area code."""


def normalise_phone(value: str) -> str | None:
    """E.164, read as a United States number if it has no country code."""
    # Almost all are written in one of a few ways, for which the library takes twenty times as long.
    if usual := _USUAL_PHONE.fullmatch(value):
        return "+1" + "".join(part for part in usual.groups() if part)
    try:
        number = phonenumbers.parse(value, "US")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


class PhoneReader:
    """Finds the numbers in a text: several, with extension, with country code, in other digits, in
    words, with letters for digits. A number without area code is indexed as it is, and every number
    with that ending finds it."""

    def __init__(self, words: PersonWords, reader: PersonReader) -> None:
        self._plain = reader.plain
        self._digits = {word: digit for digit, found in words.digits.items() for word in found}
        self._digit_word = re.compile(rf"\b(?:{'|'.join(self._digits)})\b[\s,-]*")
        self._apart = re.compile(rf"\b(?:{'|'.join(words.apart)})\b:?")
        self._extension = re.compile(
            rf"(?:(?<![a-z])(?:{'|'.join(words.extensions)})(?![a-z])\.?|#)[\s:.]*\d{{1,7}}\b"
        )

    def __call__(self, value: str) -> Readings:
        if (usual := normalise_phone(value)) and _USUAL_PHONE.fullmatch(value):
            return Readings((usual, "+1" + usual[-_LOCAL:]), (usual,))
        found = [usual] if usual else []
        plain = self.plain(value)
        found += [*self._found(plain), *_windows(plain)]
        held = tuple(dict.fromkeys(found))[:MOST]
        local = [f"+1{each[-_LOCAL:]}" for each in held if _has_area(each)]
        return Readings(tuple(dict.fromkeys([*held, *local]))[:MOST], held)

    def plain(self, value: str) -> str:
        """ASCII digits; digit words, and letters that stand for one, become digits."""
        # Some people type a look-alike of a + or a space.
        text = self._plain(normalized("NFKC", value))
        text = self._extension.sub(" ; ", text)
        return self._digit_word.sub(lambda word: self._digits[word[0].rstrip(" ,-\t\n")], text)

    def _found(self, text: str) -> Iterator[str]:
        yield from self._numbers(text)
        before = ""
        for part in _BETWEEN.split(self._apart.sub(";", text)):
            digits = _digits_of(part)
            numbers = list(self._numbers(part))
            if before and len(digits) in (4, _LOCAL):
                # The second of two numbers that share their beginning.
                numbers.append(before[: -len(digits)] + digits)
            before = next((each for each in numbers if _has_area(each)), before)
            yield from numbers

    def _numbers(self, text: str) -> Iterator[str]:
        if not any(c.isdigit() for c in text):
            return
        if (found := normalise_phone(text)) is not None:
            yield found
            if not found.startswith("+1"):
                return
        for digits in dict.fromkeys((_digits_of(text), _digits_of(_with_digits(text)))):
            yield from _of_digits(digits)


def _windows(text: str) -> Iterator[str]:
    """United States numbers that begin at a group of digits, whatever other numbers come before:
    `after 5pm 305 555 0142`."""
    for shown in dict.fromkeys((text, _with_digits(text))):
        for group in _GROUP.finditer(shown):
            rest = _digits_of(shown[group.start() : group.start() + _ROOM])
            if found := _NATIONAL.match(rest.lstrip("01")):
                yield f"+1{found[0]}"


def _with_digits(text: str) -> str:
    """Replaces letters between and next to digits by the digits they stand for."""
    return re.sub(
        r"(?<![a-z])[oqilszb\d().\s+-]*\d[oqilszb\d().\s+-]*(?![a-z])",
        lambda found: found[0].translate(_LETTERS_FOR_DIGITS),
        text,
    )


def _digits_of(text: str) -> str:
    return "".join(c for c in text if c.isdigit())


def _of_digits(digits: str) -> Iterator[str]:
    """The numbers that a run of digits can be, with or without country code."""
    bare = re.sub(r"^(?:011|00)(?=[1-9])", "", digits)
    if len(bare) > 10 and bare[0] != "1" and (abroad := _abroad(bare)):
        yield abroad
        return
    while len(bare) >= 10:
        size = 11 if bare[0] == "1" else 10
        national = bare[size - 10 : size]
        if len(national) == 10 and national[0] in "23456789" and national[3] in "23456789":
            yield f"+1{national}"
        elif len(bare) > size:
            # Not a United States number: no second one can follow.
            return
        bare = bare[size:]


def _abroad(digits: str) -> str | None:
    try:
        number = phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _has_area(number: str) -> bool:
    return number.startswith("+1") and len(number) == 12
