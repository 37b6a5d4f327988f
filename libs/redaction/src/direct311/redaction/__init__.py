"""Taking personal information out of free text by rules.

Texts are read once for all rules, the codes of the web and the disguises of Unicode undone, with
the places of all in the text as it came (`fold`); numbers in other writings than digits are read as
`sequences`. What is taken out is what was typed, and nothing else of the text changes.

`mask_numbers` runs on whatever a resident typed before anything else sees it; its result is what is
sealed. `redact` makes the copy that events and public views carry. What the rules promise is in
`tests/unit/redaction/data/cases.yaml`; how many names in running text are found is measured in
`tests/redaction`, and not all are; how many numbers in disguise, in `tests/redaction/disguises.py`.

Both take linear time and are idempotent.
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
    """A text with marks in place of what was taken out, how many of each kind that were, and where
    they stood in the text as it came (start, end, kind)."""

    text: str
    kinds: Mapping[Kind, int]
    spans: Sequence[tuple[int, int, Kind]]


_DIGIT = re.compile(r"[0-9]")
_LETTERS = {code: chr(code).lower() if chr(code).isalpha() else " " for code in range(128)}


def mask_numbers(text: str) -> tuple[str, Mapping[Kind, int]]:
    """The text without card, bank and social-security numbers, and how many of each it had."""
    if (
        text.isascii()
        and not _DIGIT.search(text)
        and not may_be_spelled(text.translate(_LETTERS).split())
    ):
        # Most names and many sentences; other scripts have digits of their own.
        return text, {}
    reading = Reading.of(text)
    reading.cut_all(_NUMBERS)
    return reading.text(), reading.kinds()


def redact(text: str, public: frozenset[str] = frozenset()) -> Redacted:
    """The text as it may travel in events and be shown: without the numbers that `mask_numbers`
    takes, e-mail addresses, telephone numbers, the names and home addresses that it announces, and
    what else looks like the name of a person.

    The place of the problem stays: it is public. So do the telephone numbers of `public` (ten
    digits each), such as the county's own.
    """
    reading = Reading.of(text, public)
    reading.cut_all(_WITH_PEOPLE)
    return Redacted(reading.text(), reading.kinds(), reading.spans())


def redact_announced(text: str) -> Redacted:
    """As `redact`, but of names only those that the text announces: for what is named after people,
    such as cases.
    """
    reading = Reading.of(text)
    reading.cut_all(_EVERYTHING)
    return Redacted(reading.text(), reading.kinds(), reading.spans())


def redact_place(text: str) -> Redacted:
    """An address or the description of a place as it may travel and be shown. Streets, parks and
    schools are named after people, so that names which nothing announces stay.
    """
    return redact_announced(text)


def redact_reference(text: str, *, of_people: bool = False) -> Redacted:
    """The reference of a case, an invoice, a work order, a folio, as it may travel and be shown:
    without e-mail addresses, announced names and home addresses, and such card, bank,
    social-security and telephone numbers as are announced or stand alone in their own form.

    What has such a number by chance, as part of a longer one or by its check digit alone, stays:
    it is what an auditor asks for.

    :param of_people: also without what else looks like the name of a person.
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
