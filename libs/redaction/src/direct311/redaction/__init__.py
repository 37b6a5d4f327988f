"""Taking personal information out of free text by rules.

`fold` reads a text once for all rules. It decodes web encodings, undoes Unicode disguises, and
remembers where everything is in the original text. `sequences` reads numbers that are not written
in plain digits. Redaction removes what was typed, and changes nothing else in the text.

`mask_numbers` runs on everything a resident typed before anything else sees it; its result is
sealed. `redact` makes the copy for events and public views. `tests/unit/redaction/data/cases.yaml`
lists what the rules promise. `tests/redaction` measures how many names in running text are found
(not all are), and `tests/redaction/disguises.py` how many disguised numbers are. Both functions
take linear time and are idempotent.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from direct311.redaction.announced import home_addresses, names
from direct311.redaction.contacts import emails, telephones
from direct311.redaction.disguised import (
    disguised_banks,
    disguised_cards,
    disguised_ibans,
    disguised_social_security,
    disguised_telephones,
)
from direct311.redaction.numbers import banks, cards, social_security
from direct311.redaction.people import people
from direct311.redaction.references import NUMBERS, TELEPHONES
from direct311.redaction.sequences import may_be_spelled
from direct311.redaction.spans import MARKS, Kind, Reading, Rule, Rules

__all__ = [
    "MARKS",
    "Kind",
    "Redacted",
    "mask_numbers",
    "redact",
    "redact_announced",
    "redact_place",
    "redact_reference",
]


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text with marks in place of what was removed, how many of each kind there were, and where
    they were in the original text (start, end, kind)."""

    text: str
    kinds: Mapping[Kind, int]
    spans: Sequence[tuple[int, int, Kind]]


_DIGIT = re.compile(r"[0-9]")
_LETTERS = {code: chr(code).lower() if chr(code).isalpha() else " " for code in range(128)}


def mask_numbers(text: str) -> tuple[str, Mapping[Kind, int]]:
    """The text without card, bank and social-security numbers, and how many of each it
    contained."""
    if (
        text.isascii()
        and not _DIGIT.search(text)
        and not may_be_spelled(text.translate(_LETTERS).split())
    ):
        # Most names and many sentences have no digits; other scripts have their own digits.
        return text, {}
    reading = Reading.of(text)
    reading.cut_all(_NUMBERS)
    return reading.text(), reading.kinds()


def redact(text: str, public: frozenset[str] = frozenset()) -> Redacted:
    """The text in the form that events and public views may show. It lacks the numbers that
    `mask_numbers` removes, e-mail addresses, telephone numbers, the names and home addresses that
    the writer announces, and anything else that looks like a person's name.

    The place of the problem stays, because it is public. So do the telephone numbers in `public`
    (ten digits each), such as the county's own.
    """
    reading = Reading.of(text, public)
    reading.cut_all(_WITH_PEOPLE)
    return Redacted(reading.text(), reading.kinds(), reading.spans())


def redact_announced(text: str) -> Redacted:
    """Like `redact`, but removes only names that the text announces: for things named after people,
    such as cases.
    """
    reading = Reading.of(text)
    reading.cut_all(_EVERYTHING)
    return Redacted(reading.text(), reading.kinds(), reading.spans())


def redact_place(text: str) -> Redacted:
    """An address or a place description in the form that events and public views may show. Streets,
    parks and schools are named after people, so names that nothing announces stay.
    """
    return redact_announced(text)


def redact_reference(text: str, *, of_people: bool = False) -> Redacted:
    """The reference of a case, an invoice, a work order or a folio, in the form that events and
    public views may show. It lacks e-mail addresses, announced names and home addresses, and those
    card, bank, social-security and telephone numbers that are announced or stand alone in their
    usual form.

    A reference that looks like such a number only by chance, as part of a longer number or by its
    check digit, stays: it is what an auditor asks for.

    :param of_people: also remove anything else that looks like a person's name.
    """
    reading = Reading.of(text)
    reading.cut_all(_REFERENCE_WITH_PEOPLE if of_people else _REFERENCE)
    return Redacted(reading.text(), reading.kinds(), reading.spans())


_NUMBERS: Rules = (
    Rule("bank", disguised_ibans, sequenced=True),
    Rule("card", disguised_cards, sequenced=True),
    Rule("social_security", disguised_social_security, sequenced=True),
    Rule("bank", disguised_banks, sequenced=True),
    Rule("social_security", social_security),
    Rule("card", cards),
    Rule("bank", banks),
)
_ANNOUNCED: Rules = (Rule("home_address", home_addresses), Rule("name", names))
_EVERYTHING: Rules = (
    *_NUMBERS,
    Rule("email", emails),
    Rule("telephone", telephones),
    Rule("telephone", disguised_telephones, sequenced=True),
    *_ANNOUNCED,
)
_WITH_PEOPLE: Rules = (*_EVERYTHING, Rule("name", people))
_REFERENCE: Rules = (*NUMBERS, Rule("email", emails), *TELEPHONES, *_ANNOUNCED)
_REFERENCE_WITH_PEOPLE: Rules = (*_REFERENCE, Rule("name", people))
