"""The protection registry: whose place and identity must not show (section 119.071(4)(d), F.S.)."""

from datetime import datetime, timedelta
from typing import Literal

from direct311.intake.request import READINGS
from direct311.schemas import Instant, Model, OnDate, replaced

SERIES = "GS1-SL 392"
"""Exempt-status notifications and redaction requests: until the related record is disposed of, or
the request is withdrawn."""
TITLE = "Public records exempt status notifications and redaction requests"
KINDS = ("phone", "email", "name", "address", "point")
"""What a person can be known by. `address` is a home's: the place of a problem, and the reporter's
own address where one was given. `point` stands for all that lies within its reach."""
PINS_NOT_COVERED = (
    "Requests with a pin on the home and without its address are not recognised: where the address "
    "lies is not known well enough. Enter the home's point too, with latitude and longitude."
)


class Ending(Model):
    """That an entry is to be ended, at the person's written word. `reference`: the file that holds
    it. With the word of a second person it ends at `ends_at`, and is in force until then."""

    ending_id: str
    reference: str
    proposed_at: Instant
    proposed_by: str
    confirmed_at: Instant | None = None
    confirmed_by: str | None = None
    ends_at: Instant | None = None

    def confirmed(self, by: str, at: datetime, undone_within: timedelta) -> "Ending":
        """With the word of a second person; it may be undone for that long."""
        return replaced(self, confirmed_at=at, confirmed_by=by, ends_at=at + undone_within)


class Protection(Model):
    """One written request for protection. Identifiers are kept as keyed hashes alone.

    `reference`: the file that holds the written request (record series GS1-SL 392). `kinds`: what
    kinds of identifier were given, and `point` also where geo knew well where the address lies.
    `received_on`: the day on which the request was received; `received_at`: when it was entered
    here. `readings`: the rules by which its identifiers were read, `READINGS` of their day.
    `ending`: how it was ended, or is to be. One that was ended is `withdrawn`, and has no hashes
    any more.
    """

    protection_id: str
    reference: str
    citation: str
    kinds: tuple[str, ...]
    hashes: tuple[str, ...]
    readings: int = 1
    received_at: Instant
    received_on: OnDate | None = None
    entered_by: str = ""
    withdrawn_at: Instant | None = None
    withdrawn_by: str | None = None
    ending: Ending | None = None
    disposal_proposed_at: Instant | None = None
    disposal_proposed_by: str | None = None

    @property
    def pins_are_missed(self) -> bool:
        """Whether a home is known by its address alone."""
        return "address" in self.kinds and "point" not in self.kinds

    @property
    def is_outdated(self) -> bool:
        """Whether it knows the person in fewer ways of writing than an entry of now would. What it
        was made of is not held: it must be entered again from its file."""
        written = any(kind != "point" for kind in self.kinds)
        return self.withdrawn_at is None and written and self.readings < READINGS


class Disposal(Model):
    """That an entry was destroyed, and by whom: what rule 1B-24.003(9)(d), F.A.C., wants written
    down. It takes the entry's place and stays.

    `received_on` and `withdrawn_at` are the dates between which the entry was in force.
    """

    protection_id: str
    series: str = SERIES
    title: str = TITLE
    received_on: OnDate
    withdrawn_at: Instant
    proposed_at: Instant
    proposed_by: str
    disposed_at: Instant
    approved_by: str
    action: Literal["destroyed"] = "destroyed"
