"""Card, bank and social-security numbers in the shadow of a text.

The county collects none of them (section 119.071(5)(a) and (b), F.S.; card data: GS1-SL item 395),
but people type them. A number that could be such a number or something else is masked.

Every pattern is linear in the length of the text: repeats are bounded or possessive, and the
separators between digits never contain a digit.
"""

import re
from collections.abc import Iterator
from itertools import accumulate

from direct311.redaction.fold import CUT
from direct311.redaction.spans import Reading, Span
from direct311.redaction.words import OTHER_LABEL, UTILITY_LABEL, listed

# Digits after a decimal point belong to a coordinate.
_LONG_RUN = re.compile(r"(?<!\d)(?<!\d[.,])\d(?:[ \t\n\-]{0,3}\d){12,}")
_PUNCTUATED_CARD = re.compile(r"(?<!\d)\d{4}([./_,])\d{4}\1\d{4}\1\d{4}(?!\d)")
_DIGITS = re.compile(r"\d+")
_CARD_WORDS = re.compile(
    r"(?:credit|debit|card|visa|master ?card|amex|american express|discover|tarjeta)"
)
_CODE_WORDS = listed("cvv cvc security seguridad pin")
_SECURITY_CODE = re.compile(
    r"(?:cvv2?|cvc2?|security code|codigo de seguridad|(?:card|debit|atm|bank) pin)"
    r"(?: (?:is|es|number|code|se)|[:#=]){0,2} ?(\d{3,6})(?!\d)"
)

_ROUTING_WORDS = listed("routing transit aba ruta wire")
_ROUTING = re.compile(r"(?:routing|transit|aba|ruta|wire)(?![a-z])[^\d\x01]{0,24}(\d{9})(?!\d)")
_NINE_DIGITS = re.compile(r"(?<![\d\-.])\d{9}(?![\d\-])")
_ACCOUNT_WORDS = listed("account accounts acct accts cuenta kont")
_ACCOUNT = re.compile(
    r"(?<![a-z])(?:accounts?|accts?|cuenta|kont)(?![a-z])\.?"
    r"(?: ?(?:number|num|no|nbr|nr|numero|nimewo|is|es|se|ending in|bancaria|labank|bank"
    r"|corriente|de ahorros?|de banco|mwen|m|:|#|=|\.|-|,|\()){0,5}"
    r" ?(\d(?:[ \-]{0,2}\d){3,33})(?!\d)"
)
_IBAN = re.compile(
    r"(?<![a-z])[a-z]{2}\d{2}"
    r"(?:[a-z0-9]{11,30}(?![a-z0-9])|(?:[ \-][a-z0-9]{4}){2,7}(?:[ \-][a-z0-9]{1,3}(?![a-z0-9]))?)"
)
_IBAN_ROOM = 40

_SSN_DASHED = re.compile(r"(?<!\d)\d{3} ?[\-./_] ?\d{2} ?[\-./_] ?\d{4}(?!\d)")
_SSN_SPACED = re.compile(r"(?<!\d)(\d{3})[ \t]{1,2}(\d{2})[ \t]{1,2}(\d{4})(?!\d)")
_SSN_WORDS = listed("ssn ss s social soc seguro sosyal itin tax taxpayer nss")
_SSN_WORD = (
    r"(?:ssn|ss ?#|s\.s\.n?\.?|ss (?:number|no)|social(?! media)|soc\.? sec|seguro social"
    r"|sekirite sosyal|itin|tax(?:payer)? id|nss)"
)
_SSN_SAID = re.compile(rf"{_SSN_WORD}[^\d\x01]{{0,30}}((?:\d[ \-.]{{0,2}}){{8}}\d)(?!\d)")
_SSN_SAID_AFTER = re.compile(
    rf"(?<!\d)((?:\d[ \-.]{{0,2}}){{8}}\d)(?!\d)[^\d\x01\n]{{0,24}}{_SSN_WORD}"
)
_SSN_LAST_FOUR = re.compile(
    rf"{_SSN_WORD}(?:[ :#=.,\-]{{1,3}}(?:security|social|number|num|no|numero|is|are|ends?|ending"
    r"|in|with|last|four|4|digits|ultimos|cuatro|digitos|termina|en|es|son|my|mi)){0,7}"
    r"[ :#=.,\-]{0,3}(\d{4})(?!\d)"
)
_SAID_ROOM = 50


def cards(reading: Reading) -> Iterator[Span]:
    """Card numbers: 13 to 19 digits, with or without groups, that pass Luhn's check.

    Next to a word for a card the check is not required: a mistyped card number is still a card
    number.
    """
    shadow = reading.shadow
    for begin, stop in reading.runs:
        if stop - begin < 13:
            continue
        for run in _LONG_RUN.finditer(shadow, begin, stop):
            yield from _cards_in(shadow, *run.span())
        for found in _PUNCTUATED_CARD.finditer(shadow, begin, stop):
            digits = _compact(found.group())
            if luhn(luhn_sums(digits), 0, 16) or _says_card(shadow, found.start()):
                yield found.span()
    if not reading.words.isdisjoint(_CODE_WORDS):
        for found in _SECURITY_CODE.finditer(shadow):
            yield found.span(1)


def banks(reading: Reading) -> Iterator[Span]:
    """Routing numbers (checksum, or named as such), account numbers named as such, IBANs."""
    shadow = reading.shadow
    for begin, stop in reading.runs:
        for found in _NINE_DIGITS.finditer(shadow, begin, stop):
            if is_routing(found.group()) and not labelled(shadow, found.start()):
                yield found.span()
        yield from _ibans(shadow, max(0, begin - _IBAN_ROOM), stop + _IBAN_ROOM)
    if not reading.words.isdisjoint(_ROUTING_WORDS):
        for found in _ROUTING.finditer(shadow):
            yield found.span(1)
    if not reading.words.isdisjoint(_ACCOUNT_WORDS):
        for found in _ACCOUNT.finditer(shadow):
            if not UTILITY_LABEL.search(shadow, max(0, found.start() - 40), found.start()):
                yield found.span(1)


def social_security(reading: Reading) -> Iterator[Span]:
    """Social-security numbers: 3-2-4 with dashes, with spaces where one could have been issued,
    and any nine digits, or the last four, next to a word for them."""
    shadow = reading.shadow
    said = not reading.words.isdisjoint(_SSN_WORDS)
    for begin, stop in reading.runs:
        for found in _SSN_DASHED.finditer(shadow, begin, stop):
            yield found.span()
        for found in _SSN_SPACED.finditer(shadow, begin, stop):
            area, group, serial = found.groups()
            if area not in ("000", "666") and area[0] != "9" and group != "00" and serial != "0000":
                yield found.span()
        if said:
            for pattern in (_SSN_SAID, _SSN_SAID_AFTER):
                for found in pattern.finditer(
                    shadow, max(0, begin - _SAID_ROOM), stop + _SAID_ROOM
                ):
                    yield found.span(1)
    if said:
        for found in _SSN_LAST_FOUR.finditer(shadow):
            yield found.span(1)


def labelled(shadow: str, start: int) -> bool:
    """Whether the number at `start` is announced as a permit, a ticket, a folio or the like."""
    return OTHER_LABEL.search(shadow, max(0, start - 40), start) is not None


def _says_card(shadow: str, start: int) -> bool:
    begin = max(0, start - 40, shadow.rfind(CUT, 0, start) + 1)
    return _CARD_WORDS.search(shadow, begin, start) is not None


def _compact(number: str) -> str:
    return "".join(_DIGITS.findall(number))


def _cards_in(shadow: str, start: int, end: int) -> Iterator[Span]:
    """Card numbers in one run of digits, from the start of one group to the end of another."""
    groups = [found.span() for found in _DIGITS.finditer(shadow, start, end)]
    lengths = [stop - begin for begin, stop in groups]
    before = [0, *accumulate(lengths)]
    digits = _compact(shadow[start:end])
    sums = luhn_sums(digits)
    said = _says_card(shadow, start)
    first = 0
    while first < len(groups):
        at, best = groups[first][0], None
        likely = said or _is_brand(digits[before[first] :]) or not labelled(shadow, at)
        for last in range(first, min(len(groups), first + 19) if likely else first):
            size = before[last + 1] - before[first]
            if size > 19:
                break
            if size >= 13 and (
                said
                or (
                    _grouped_like_a_card(lengths[first : last + 1])
                    and luhn(sums, before[first], before[last + 1])
                )
            ):
                best = last
        if best is None:
            first += 1
        else:
            yield at, groups[best][1]
            first = best + 1


def _grouped_like_a_card(lengths: list[int]) -> bool:
    # Adjacent dates, folios (2-4-3-4) and telephone numbers (3-3-4) are not cards.
    return all(length >= 4 for length in lengths[:-1]) or set(lengths) == {1}


def _is_brand(digits: str) -> bool:
    """Visa, Mastercard, American Express, Diners, Discover, JCB or UnionPay by its first digits."""
    four = digits[:4]
    return (
        four[0] == "4"
        or "51" <= four[:2] <= "55"
        or "2221" <= four <= "2720"
        or four[:2] in ("34", "36", "37", "38", "39", "62", "65", "81")
        or four == "6011"
        or "644" <= four[:3] <= "649"
        or "300" <= four[:3] <= "305"
        or "3528" <= four <= "3589"
    )


def luhn_sums(digits: str) -> tuple[list[int], list[int]]:
    """Running Luhn sums for numbers whose last digit is at an even position, and at an odd one."""
    even, odd = [0], [0]
    for place, char in enumerate(digits):
        digit = int(char)
        doubled = digit * 2 - 9 if digit > 4 else digit * 2
        even.append(even[-1] + (doubled if place % 2 else digit))
        odd.append(odd[-1] + (digit if place % 2 else doubled))
    return even, odd


def luhn(sums: tuple[list[int], list[int]], start: int, end: int) -> bool:
    """Luhn's check of the digits from `start` up to `end` (ISO/IEC 7812-1, annex B)."""
    running = sums[(end - 1) % 2]
    return (running[end] - running[start]) % 10 == 0


def is_routing(digits: str) -> bool:
    """The checksum and the ranges of an ABA routing number (ABA Routing Number Policy)."""
    head = int(digits[:2])
    if not (head <= 12 or 21 <= head <= 32 or 61 <= head <= 72 or head == 80):
        return False
    weights = (3, 7, 1, 3, 7, 1, 3, 7, 1)
    total = sum(weight * int(digit) for weight, digit in zip(weights, digits, strict=True))
    return total % 10 == 0 and total > 0


def _ibans(shadow: str, begin: int, stop: int) -> Iterator[Span]:
    while found := _IBAN.search(shadow, begin, stop):
        end = _iban_end(shadow, *found.span())
        if end:
            yield found.start(), end
        begin = end or found.start() + 4


def _iban_end(shadow: str, start: int, end: int) -> int | None:
    """Where the IBAN that starts at `start` ends (ISO 13616, modulo 97), trying group by group."""
    while end - start >= 15:
        compact = shadow[start:end].replace(" ", "").replace("-", "")
        moved = compact[4:] + compact[:4]
        if 15 <= len(compact) <= 34 and int("".join(str(int(c, 36)) for c in moved)) % 97 == 1:
            return end
        cut = max(shadow.rfind(" ", start, end), shadow.rfind("-", start, end))
        if cut < 0:
            return None
        end = cut
    return None
