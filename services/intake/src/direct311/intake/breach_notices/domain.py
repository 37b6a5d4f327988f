"""A notice of a breach (section 501.171(4), F.S.), and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

MOST_RECORDS: Final = 100
"""The most records in one call: each is a message of its own."""

Outcome = Literal["sent", "sent_before", "no_email", "undeliverable", "later", "unknown"]
"""`no_email`: the request has no e-mail address, so a letter must go by mail. `undeliverable`: the
relay refused for good. `later`: the relay does not answer now. `unknown`: there is no such request,
or it was destroyed."""


@dataclass(frozen=True, slots=True)
class ReachedRecord:
    """A record of the breach, and which of its sealed fields were reached."""

    record_id: str
    fields: Sequence[str]


@dataclass(frozen=True, slots=True)
class BreachNotice:
    """`notice_id`: which breach, always the same for the same one. `began_on`, `ended_on`: when."""

    notice_id: str
    began_on: date
    ended_on: date
    records: Sequence[ReachedRecord]


@dataclass(frozen=True, slots=True)
class Told:
    """What became of the notice about one record."""

    record_id: str
    outcome: Outcome
