"""What retention knows about each record, and how far its disposition is."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final, Literal, get_args

from direct311.retention.schedule.domain.schedule import Trigger
from direct311.runtime.messaging.state import RecordState
from direct311.schemas import Instant, Model, OnDate, replaced
from direct311.schemas import events as ev
from direct311.schemas.model import nothing

Stage = Literal["active", "eligible", "in_review", "ordered", "destroyed", "certified"]
"""Once ordered there is no way back. `destroyed`: every holder but audit has answered."""
HOLDERS: Final[tuple[ev.Holder, ...]] = get_args(ev.Holder)
"""All holders; audit is last."""
OF_A_REQUEST: Final = tuple(each for each in HOLDERS if each != "retention")
"""The holders that are ordered and answer for every record, with zero counts if they hold
nothing."""
CERTIFYING: Final = frozenset(OF_A_REQUEST) - {"audit"}
"""The holders whose answers the certificate of a request waits for."""


class Held(Model):
    """A hold written into a record."""

    hold_id: str
    kind: ev.HoldKind
    authority: str
    placed_at: Instant


class Receipt(Model):
    """A holder's answer. `sha256` (hex) is the hash of the bytes that its signature covers."""

    holder: ev.Holder
    event_id: str
    sha256: str
    documents: int
    fields: int
    objects: int
    bytes: int
    keys: int
    manner: str
    destroyed_at: Instant
    recoverable_until: Instant


class ReleasedWith(Model):
    """A disclosure case with which a record went out, and the SHA-256 (hex) of the package."""

    case_id: str
    package: str


class Said(Model):
    """What a person said about an outcome: that it happened, that its case was closed, or is
    open."""

    outcome: str
    closed_on: OnDate | None = None
    by: str
    at: Instant


SAID_KEPT: Final = 200
"""How many statements are kept: the newest."""


class InventoryRecord(RecordState):
    """One record in the inventory. It stays after the record's destruction, with only id, items and
    dates; so its `lifecycle` is always `active`, and `stage` gives the record's state.
    `case_file`: it is a case file of retention's own case desk, not a request; `case_file_version`:
    the newest version of it that the desk has told of.
    `restarted_at`: reclassified after it was closed. `outcomes`: the outcomes of the work that the
    assignments know; `outcomes_closed_on`: when the case of an outcome was closed, or the time for
    its appeal expired; without a day it is open. `outcomes_said`: who said so, and when.
    `media_bytes`: of the public copies. `trigger_on`, `eligible_on`: days of the county's calendar.
    `fence`: the value up to which the holds are known to be evaluated; `behind`: more must be
    placed or released than one version could report. `order_id`: the disposition set that contains
    the record, from proposal on. `answered`: number of receipts. `released_with`: the disclosure
    cases that it went out with and whose files no longer exist.
    """

    case_file: bool = False
    case_file_version: int = 0
    service_code: str | None = None
    municipality: str | None = None
    department: str | None = None
    status: ev.RequestStatus | None = None
    received_at: Instant | None = None
    closed_at: Instant | None = None
    restarted_at: Instant | None = None
    outcomes: tuple[str, ...] = ()
    outcomes_closed_on: Mapping[str, OnDate] = nothing()
    outcomes_said: tuple[Said, ...] = ()
    media_files: int = 0
    media_bytes: int = 0
    known_holders: tuple[ev.Holder, ...] = ()

    items: tuple[int, ...] = ()
    decided_by: int | None = None
    trigger: Trigger | None = None
    trigger_on: OnDate | None = None
    eligible_on: OnDate | None = None
    reason: str | None = None
    schedule_version: str | None = None

    stage: Stage = "active"
    expired_at: Instant | None = None
    ordered_at: Instant | None = None
    held_by: tuple[Held, ...] = ()
    fence: int = 0
    behind: bool = False
    receipts: tuple[Receipt, ...] = ()
    answered: int = 0
    released_with: tuple[ReleasedWith, ...] = ()
    certificate_id: str | None = None

    @property
    def open_to_change(self) -> bool:
        """Whether facts and holds still matter: nothing is ordered yet."""
        return self.stage in ("active", "eligible", "in_review")

    @property
    def scope(self) -> tuple[object, ...]:
        """The facts that a hold's query uses."""
        return (self.service_code, self.municipality, self.department, self.received_at)

    @property
    def holders(self) -> tuple[ev.Holder, ...]:
        """The holders that are ordered to destroy it."""
        return HOLDERS if self.case_file else OF_A_REQUEST

    def known_to(self, holder: ev.Holder) -> "InventoryRecord":
        """A copy with `holder` among those that have mentioned the record."""
        holders = {*self.known_holders, holder}
        return replaced(self, known_holders=tuple(each for each in HOLDERS if each in holders))

    def requested(
        self,
        *,
        service_code: str,
        status: ev.RequestStatus,
        received_at: datetime,
        closed_at: datetime | None,
        at: datetime,
    ) -> "InventoryRecord":
        """A copy with what intake says about the request at `at`. A new type after closing restarts
        the clock, as reopening does."""
        restarted_at = self.restarted_at if closed_at else None
        if closed_at and self.service_code not in (None, service_code):
            restarted_at = at
        return replaced(
            self,
            service_code=service_code,
            status=status,
            received_at=received_at,
            closed_at=closed_at,
            restarted_at=restarted_at,
        )

    def case_filed(
        self, *, version: int, received_at: datetime, closed_at: datetime | None
    ) -> "InventoryRecord":
        """A copy with what the case desk says about a case file in this version of it. Nothing here
        tells its kind."""
        return replaced(
            self,
            case_file=True,
            case_file_version=version,
            received_at=received_at,
            closed_at=closed_at,
        )

    def located(self, municipality: str | None) -> "InventoryRecord":
        """A copy with its location."""
        return replaced(self, municipality=municipality)

    def illustrated(self, media: Sequence[ev.MediaItem]) -> "InventoryRecord":
        """A copy with its stored files."""
        stored = [item for item in media if item.state == "stored"]
        return replaced(
            self,
            media_files=len(stored),
            media_bytes=sum(item.size or 0 for item in stored),
        )

    def assigned(self, department: str) -> "InventoryRecord":
        """A copy assigned to this department."""
        return replaced(self, department=department)

    def recalled(self) -> "InventoryRecord":
        """A copy that no longer belongs to any department."""
        return replaced(self, department=None)

    def come_to(self, outcome: str, closed_on: Mapping[str, date]) -> "InventoryRecord":
        """A copy with one more outcome, and when the cases of its outcomes were closed."""
        return replaced(
            self,
            outcomes=tuple(dict.fromkeys((*self.outcomes, outcome))),
            outcomes_closed_on=closed_on,
        )

    def attested(self, said: Said) -> "InventoryRecord":
        """A copy with who said what about an outcome; keeps the newest."""
        return replaced(self, outcomes_said=(*self.outcomes_said, said)[-SAID_KEPT:])

    def determined(
        self,
        *,
        items: tuple[int, ...],
        decided_by: int | None,
        trigger: Trigger | None,
        trigger_on: date | None,
        eligible_on: date | None,
        reason: str,
        schedule_version: str,
    ) -> "InventoryRecord":
        """A copy with what the rules say about it. If items or date have changed, it goes back to
        the start of its disposition."""
        same = items == self.items and eligible_on == self.eligible_on
        return replaced(
            self,
            items=items,
            decided_by=decided_by,
            trigger=trigger,
            trigger_on=trigger_on,
            eligible_on=eligible_on,
            reason=reason,
            schedule_version=schedule_version,
            stage=self.stage if same else "active",
            expired_at=self.expired_at if same else None,
            order_id=self.order_id if same else None,
        )

    def evaluated(
        self, held_by: tuple[Held, ...], *, fence: int, behind: bool
    ) -> "InventoryRecord":
        """A copy with the holds in force, as of the fence that was read; `behind` if that is not
        all."""
        return replaced(
            self,
            held_by=held_by,
            holds=tuple(held.hold_id for held in held_by),
            fence=fence,
            behind=behind,
        )

    def expired(self, at: datetime) -> tuple["InventoryRecord", ev.RecordExpired]:
        """An eligible copy, and the event that says so. Its retention period must have expired."""
        if self.trigger_on is None or self.eligible_on is None:
            raise ValueError("the retention period has not expired")
        return replaced(self, stage="eligible", expired_at=at), ev.RecordExpired(
            record_id=self.record_id,
            version=self.version + 1,
            items=tuple(str(item) for item in self.items),
            decided_by=str(self.decided_by),
            trigger=str(self.trigger),
            trigger_on=self.trigger_on,
            eligible_on=self.eligible_on,
            schedule_version=self.schedule_version or "",
        )

    def proposed(self, order_id: str) -> "InventoryRecord":
        """A copy in a disposition set that waits for its review."""
        return replaced(self, stage="in_review", order_id=order_id)

    def back_in_line(self) -> "InventoryRecord":
        """A copy removed from a disposition set, eligible as before."""
        return replaced(self, stage="eligible", order_id=None)

    def ordered(self, at: datetime) -> "InventoryRecord":
        """A copy that was ordered to be destroyed."""
        return replaced(self, stage="ordered", ordered_at=at)

    def answered_by(self, receipt: Receipt) -> "InventoryRecord":
        """A copy with a holder's answer; destroyed once all required holders have answered."""
        receipts = (*self.receipts, receipt)
        answered = {each.holder for each in receipts}
        done = self.stage == "ordered" and answered >= {*self.holders} - {"audit"}
        return replaced(
            self,
            receipts=receipts,
            answered=len(receipts),
            stage="destroyed" if done else self.stage,
        )

    def went_out(self, released: ReleasedWith) -> "InventoryRecord":
        """A copy that remembers with which case it went out."""
        if released in self.released_with:
            return self
        return replaced(self, released_with=(*self.released_with, released))

    def certified(self, certificate_id: str) -> "InventoryRecord":
        """What stays forever: id, items, dates, receipts, the certificate's id."""
        return replaced(
            self,
            stage="certified",
            certificate_id=certificate_id,
            service_code=None,
            municipality=None,
            department=None,
            status=None,
            outcomes=(),
            outcomes_said=(),
            media_files=0,
            media_bytes=0,
            known_holders=(),
            released_with=(),
        )
