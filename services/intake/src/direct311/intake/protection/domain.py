"""The protection registry: whose place and identity must not show (section 119.071(4)(d), F.S.)."""

from datetime import datetime, timedelta
from typing import Literal

from direct311.intake.request import READINGS
from direct311.schemas import Instant, Model, OnDate, replaced

SERIES = "GS1-SL 392"
"""Exempt-status notifications and redaction requests: kept until the related record is disposed of,
or the request is withdrawn."""
TITLE = "Public records exempt status notifications and redaction requests"
KINDS = ("phone", "email", "name", "address", "point")
"""What can identify a person. `address` is a home's address: compared with the place of a problem,
and with the reporter's own address if given. `point` stands for everything within its reach."""
PINS_NOT_COVERED = (
    "Requests with a pin on the home but without its address are not recognized, because the "
    "address's position is not known accurately enough. Enter the home's point too, with latitude "
    "and longitude."
)


class Ending(Model):
    """A proposal to end an entry at the person's written request. `reference`: the file with that
    request. Once a second person confirms, the entry ends at `ends_at`, and is in force until
    then."""

    ending_id: str
    reference: str
    proposed_at: Instant
    proposed_by: str
    confirmed_at: Instant | None = None
    confirmed_by: str | None = None
    ends_at: Instant | None = None

    def confirmed(self, by: str, at: datetime, undone_within: timedelta) -> "Ending":
        """A copy that a second person has confirmed; it may be undone for this long."""
        return replaced(self, confirmed_at=at, confirmed_by=by, ends_at=at + undone_within)


class Protection(Model):
    """One written request for protection. Identifiers are stored only as keyed hashes.

    `reference`: the file with the written request (record series GS1-SL 392). `kinds`: the kinds of
    identifiers given, and `point` also if geo knew the address's position accurately.
    `received_on`: the day on which the request was received; `received_at`: when it was entered
    here. `readings`: the version of `READINGS` under which its identifiers were read. `ending`: how
    it was or will be ended. An ended entry is `withdrawn`, and no longer has hashes.
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
        """Whether a home is identified only by its address."""
        return "address" in self.kinds and "point" not in self.kinds

    @property
    def is_outdated(self) -> bool:
        """Whether it recognizes fewer spellings of the person than a new entry would. The original
        text is not stored, so the entry must be entered again from its file."""
        written = any(kind != "point" for kind in self.kinds)
        return self.withdrawn_at is None and written and self.readings < READINGS


class Disposal(Model):
    """Documents that an entry was destroyed, and by whom, as rule 1B-24.003(9)(d), F.A.C.,
    requires. It replaces the entry and stays.

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
