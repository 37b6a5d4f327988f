"""Personal numbers in a reference: the number of a case, an invoice, a work order or a folio.

References are long, and some pass a check digit or have the length of a telephone number by chance.
An auditor asks for references, so less is removed than from running text: only personal numbers
that words announce, or that stand alone in their usual form. Part of a longer run of letters,
digits and dashes does not stand alone.
"""

import re
from collections.abc import Callable, Iterator

from direct311.redaction.contacts import telephones
from direct311.redaction.disguised import (
    disguised_banks,
    disguised_cards,
    disguised_ibans,
    disguised_social_security,
    disguised_telephones,
)
from direct311.redaction.fold import CUT
from direct311.redaction.lexicon import lexicon
from direct311.redaction.numbers import (
    banks,
    cards,
    is_routing,
    labelled,
    luhn,
    luhn_sums,
    social_security,
)
from direct311.redaction.spans import Reading, Rule, Rules, Span

_AHEAD = 60
"""How many letters before a number are searched for its announcement."""
_BEHIND = 40
_SHORTEST_CARD = 14
"""The lengths of a card number that nothing announces: 13 digits are long out of use."""
_SPOKEN = re.compile(r"[a-z]{2}")
_GROUP = re.compile(r"[^\W_]+")
_JOINT = r"[\-\u2010-\u2015./_#:]"
_BEFORE = re.compile(rf"[^\W_]{_JOINT}?\Z")
_AFTER = re.compile(rf"{_JOINT}?[^\W_]")
_STOP = re.compile(rf"[\d{CUT}]")

_GROUPS_OF_CARDS = frozenset({(4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (6, 13)})
"""Card groupings besides groups of four."""
_LONGEST_CODE = 6
_MOST_AT_ONCE = 2
"""The digits in each group of a spelled-out number."""
_OF_TELEPHONES = (3, 3, 4)
_OF_SECURITY = (3, 2, 4)

_TELEPHONE = re.compile(
    r"(?<![a-z])(?:call(?:ed|er|ing)?|phone|tele?ph?one?|tel|cell(?:ular)?|mobile|txt|fax"
    r"|whats ?app|llam[a-z]{1,6}|celular|cel|movil|rele|telefon|nimewo m(?:wen)?)(?![a-z])"
)
_CARD = re.compile(
    r"(?<![a-z])(?:credit|debit|card|visa|master ?card|amex|discover|tarjeta)(?![a-z])"
)
_ROUTING = re.compile(r"(?<![a-z])(?:routing|aba)(?![a-z])")
_ACCOUNT = re.compile(r"(?<![a-z])(?:accounts?|accts?|cuenta|kont)(?![a-z])")
_SECURITY = re.compile(
    r"(?<![a-z])(?:ssn|ss ?#|s\.s\.n?|itin|tax(?:payer)? id|nss"
    r"|social (?:number|num|no|is|ends?|ending|last)"
    r"|(?:social|soc|seguro|sosyal)(?=[ :#=.,\-]{0,3}\Z))(?![a-z])"
)
"""Fewer words than elsewhere: a Contact Center, Transit and Social Services have references too."""

_CODE = re.compile(r"(?<![a-z])(?:wo|po|inv|sr|pd|pr|cr|rfp|rfq|mdpd)s?[ #:.\-]{0,3}\Z")
"""Labels before the county's own numbers, in addition to the labels used for any text."""

Stays = Callable[[str, int, int], bool]
"""Whether the number found from start to end in the shadow is what it looks like."""
Find = Callable[[Reading], Iterator[Span]]


def _only(find: Find, holds: Stays) -> Find:
    def found(reading: Reading) -> Iterator[Span]:
        for start, end in find(reading):
            if holds(reading.shadow, start, end):
                yield start, end

    return found


def _is_card(shadow: str, start: int, end: int) -> bool:
    number = shadow[start:end]
    if number.isdigit() and len(number) <= _LONGEST_CODE:
        return True  # A card's code, which is found only if announced.
    if _said(shadow, start, end, "card", _CARD):
        return True
    if not _is_alone(shadow, start, end) or _is_labelled(shadow, start):
        return False
    sizes = _sizes(number)
    if _SPOKEN.search(number):
        return True
    grouped = (
        len(sizes) == 1
        or sizes in _GROUPS_OF_CARDS
        or max(sizes) <= _MOST_AT_ONCE
        or not any(size % 4 for size in sizes)
    )
    digits = _digits(number)
    if len(digits) < sum(sizes):
        return grouped
    return (
        grouped
        and len(digits) >= _SHORTEST_CARD
        and len(digits) in lexicon().cards.get(digits[:4], ())
        and luhn(luhn_sums(digits), 0, len(digits))
    )


def _is_bank(shadow: str, start: int, end: int) -> bool:
    number = shadow[start:end]
    compact = "".join(_GROUP.findall(number))
    if compact[:2].isalpha() and lexicon().ibans.get(compact[:2]) == len(compact):
        return _is_alone(shadow, start, end)
    if _said(shadow, start, end, "account", _ACCOUNT):
        return True
    digits = _digits(number)
    return _said(shadow, start, end, "routing", _ROUTING) and (
        len(digits) < len(compact) or is_routing(digits)
    )


def _is_security(shadow: str, start: int, end: int) -> bool:
    if _said(shadow, start, end, "social_security", _SECURITY):
        return True
    return _is_alone(shadow, start, end) and _sizes(shadow[start:end]) == _OF_SECURITY


def _is_telephone(shadow: str, start: int, end: int) -> bool:
    if not _is_alone(shadow, start, end) or _is_labelled(shadow, start):
        return False
    number = shadow[start:end]
    sizes = _sizes(number)
    return (
        _OF_TELEPHONES in (sizes[:3], sizes[1:4])
        or number[0] in "(+"
        or _SPOKEN.search(number) is not None
        or _said(shadow, start, end, "telephone", _TELEPHONE)
    )


def _sizes(number: str) -> tuple[int, ...]:
    return tuple(len(group) for group in _GROUP.findall(number))


def _digits(number: str) -> str:
    return "".join(char for char in number if char.isdigit())


def _is_labelled(shadow: str, start: int) -> bool:
    return labelled(shadow, start) or _CODE.search(shadow, max(0, start - 10), start) is not None


def _is_alone(shadow: str, start: int, end: int) -> bool:
    """Whether the number is not part of a longer run of letters, digits and joining signs."""
    return not (_BEFORE.search(shadow[max(0, start - 2) : start]) or _AFTER.match(shadow, end))


def _said(shadow: str, start: int, end: int, kind: str, words: re.Pattern[str]) -> bool:
    """Whether words before the number, or just after it, announce this kind."""
    before = shadow[max(0, start - _AHEAD) : start]
    stops = [stop.end() for stop in _STOP.finditer(before)]
    before = before[stops[-1] :] if stops else before
    behind = shadow[end : end + _BEHIND]
    stop = _STOP.search(behind)
    behind = behind[: stop.start()] if stop else behind
    phrases = lexicon().announced[kind]
    return any(_has(each, text) for each in (words, phrases) for text in (before, behind))


def _has(pattern: re.Pattern[str], text: str) -> bool:
    return any(
        not (found.start() and text[found.start() - 1].isalnum())
        for found in pattern.finditer(text)
    )


NUMBERS: Rules = (
    Rule("bank", _only(disguised_ibans, _is_bank), sequenced=True),
    Rule("card", _only(disguised_cards, _is_card), sequenced=True),
    Rule("social_security", _only(disguised_social_security, _is_security), sequenced=True),
    Rule("bank", _only(disguised_banks, _is_bank), sequenced=True),
    Rule("social_security", _only(social_security, _is_security)),
    Rule("card", _only(cards, _is_card)),
    Rule("bank", _only(banks, _is_bank)),
)
TELEPHONES: Rules = (
    Rule("telephone", _only(telephones, _is_telephone)),
    Rule("telephone", _only(disguised_telephones, _is_telephone), sequenced=True),
)
