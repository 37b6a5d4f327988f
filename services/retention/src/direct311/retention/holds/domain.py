"""Holds, which stop disposition, and how to be sure that none was overlooked.

Every placing and every release raises a counter, the fence, after it is written in the hold's own
document. A process that reads the fence and then the holds in force has every hold up to that
value. A record carries the value up to which it was evaluated; if that is not the current one, it
is evaluated again before anything is ordered.

An open case also stops destruction, before anybody knows which records it is about: its provisional
hold is written into no record. Opening it raises the fence too, so whoever orders sees it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal

from direct311.retention.record import Held, InventoryRecord
from direct311.runtime.messaging.state import Outgoing
from direct311.schemas import Instant, Model, replaced
from direct311.schemas import events as ev

UNINCORPORATED: Final = "unincorporated"
"""The county's own area, used in place of a municipality."""

_PREFIX: Final = re.compile(r"^(?:(?:city|town|village) of )+")

HoldState = Literal["placing", "in_force", "releasing", "released"]


class HoldQuery(Model, extra="forbid"):
    """Records by what is known about them; every given condition must match. `since` and `until`
    (not included) limit the time of receipt. `municipality`: with or without `City of`, in upper or
    lower case; `unincorporated` for the county's own area."""

    service_codes: tuple[str, ...] = ()
    municipality: str | None = None
    department: str | None = None
    since: Instant | None = None
    until: Instant | None = None

    def matches(self, record: InventoryRecord) -> bool:
        return self.fits(record) and self.received_within(record)

    def fits(self, record: InventoryRecord) -> bool:
        """Whether the record has one of the types, the municipality and the department."""
        return (
            (not self.service_codes or record.service_code in self.service_codes)
            and (self.municipality is None or same_place(self.municipality, record.municipality))
            and self.department in (None, record.department)
        )

    def received_within(self, record: InventoryRecord) -> bool:
        """Whether the record was received in the time that is asked for."""
        received = record.received_at
        return (self.since is None or (received is not None and received >= self.since)) and (
            self.until is None or (received is not None and received < self.until)
        )


def same_place(asked: str, municipality: str | None) -> bool:
    """Whether both name the same municipality."""
    return municipality is not None and plain_name(asked) == plain_name(municipality)


def plain_name(municipality: str) -> str:
    """Makes `City_of_Opa-Locka` and `Opa-locka` the same city."""
    words = re.sub(r"[^a-z]+", " ", municipality.lower()).strip()
    return _PREFIX.sub("", words)


class Hold(Model):
    """A hold: `record_ids`, or a `query`, which later records join automatically.

    It has no end date: somebody releases it. `in_force`: written into every matching record.
    `fence` and `released_fence`: the values to which its placing and its release raised the fence.
    `settle_at`: when to check again for records written meanwhile; `None` when that is done.
    `too_late`: matching records whose destruction had been ordered before.
    `case_id`: the case that it serves; then name and authority tell only that. Nobody releases it
    before `earliest_release_at`. `suit_at`: since then it lasts until a court's order.
    """

    hold_id: str
    version: int = 1
    name: str
    kind: ev.HoldKind
    authority: str
    record_ids: tuple[str, ...] = ()
    query: HoldQuery | None = None
    case_id: str | None = None
    earliest_release_at: Instant | None = None
    suit_at: Instant | None = None
    state: HoldState = "placing"
    fence: int | None = None
    released_fence: int | None = None
    settle_at: Instant | None = None
    too_late: tuple[str, ...] = ()
    placed_by: str
    placed_at: Instant
    released_by: str | None = None
    released_at: Instant | None = None
    release_reason: str | None = None

    @property
    def standing(self) -> bool:
        return self.state in ("placing", "in_force")

    def matches(self, record: InventoryRecord) -> bool:
        """Whether the record is under the hold."""
        return record.record_id in self.record_ids or (
            self.query is not None and self.query.matches(record)
        )

    def fenced(self, fence: int) -> "Hold":
        """A copy placed as of this value of the fence."""
        return replaced(self, fence=fence)

    def placed(self, too_late: Iterable[str], settle_at: datetime) -> "Hold":
        """A copy in force: written into all matching records, except those it was too late for."""
        return replaced(
            self, state="in_force", too_late=tuple(sorted(too_late)), settle_at=settle_at
        )

    def releasing(self, by: str, reason: str, at: datetime) -> "Hold":
        """A copy that is being removed from the records, at somebody's request."""
        return replaced(
            self,
            state="releasing",
            released_by=by,
            released_at=at,
            release_reason=reason,
            settle_at=None,
        )

    def sued(self, at: datetime) -> "Hold":
        """A copy that lasts until a court's order."""
        return replaced(self, suit_at=at, earliest_release_at=None)

    def release_fenced(self, fence: int) -> "Hold":
        """A copy released as of this value of the fence."""
        return replaced(self, released_fence=fence)

    def released(self, settle_at: datetime) -> "Hold":
        """A copy removed from every record."""
        return replaced(self, state="released", settle_at=settle_at)

    def settled(self) -> "Hold":
        """A copy with nothing left to do for records written meanwhile."""
        return replaced(self, settle_at=None)


class Bounds(Model):
    """Within what an open case stops destruction: these records, and those that the query finds."""

    record_ids: tuple[str, ...] = ()
    query: HoldQuery | None = None

    def and_records(self, record_ids: Iterable[str]) -> "Bounds":
        """A copy with these records too."""
        return replaced(self, record_ids=tuple(dict.fromkeys((*self.record_ids, *record_ids))))

    def cover(self, record: InventoryRecord) -> bool:
        """Whether the record is inside."""
        return record.record_id in self.record_ids or (
            self.query is not None and self.query.matches(record)
        )


ProvisionalState = Literal["placing", "in_force", "ending", "ended"]


class ProvisionalHold(Model):
    """What a case stops from its opening until its records are identified: no record inside its
    bounds is ordered to be destroyed. Without bounds, no record at all. Nothing is written into the
    records.

    `placing`: the fence may not have been raised yet; `ending`: it ends, and others may not know
    yet. `revision` counts its bounds.
    """

    state: ProvisionalState = "placing"
    placed_at: Instant
    bounds: Bounds | None = None
    bounds_set_at: Instant | None = None
    bounds_set_by: str | None = None
    revision: int = 1
    ended_at: Instant | None = None

    @property
    def standing(self) -> bool:
        """Whether it stops anything."""
        return self.state in ("placing", "in_force")

    def covers(self, record: InventoryRecord) -> bool:
        """Whether no order may take the record."""
        return self.bounds is None or self.bounds.cover(record)

    def bounded(self, bounds: Bounds, by: str, at: datetime) -> "ProvisionalHold":
        """A copy with these bounds. Those who order do not know them yet."""
        return replaced(
            self,
            state="placing",
            bounds=bounds,
            bounds_set_at=at,
            bounds_set_by=by,
            revision=self.revision + 1,
        )

    def placed(self) -> "ProvisionalHold":
        """A copy that everybody who orders knows."""
        return replaced(self, state="in_force")

    def ending(self, at: datetime) -> "ProvisionalHold":
        """A copy that stops nothing any more."""
        return replaced(self, state="ending", ended_at=at)

    def ended(self) -> "ProvisionalHold":
        """A copy of which everybody knows that it has ended."""
        return replaced(self, state="ended")


@dataclass(frozen=True, slots=True)
class OpenCases:
    """The provisional holds that stand, arranged so that asking about one record is cheap: what
    queries ask of type, municipality and department is compared once for each combination."""

    unbounded: bool = False
    records: frozenset[str] = frozenset()
    queries: tuple[HoldQuery, ...] = ()
    _fitting: dict[tuple[str | None, ...], tuple[HoldQuery, ...]] = field(
        default_factory=dict, compare=False, repr=False
    )

    @classmethod
    def of(cls, holds: Iterable[ProvisionalHold]) -> "OpenCases":
        """:param holds: all provisional holds that stand."""
        queries: list[HoldQuery] = []
        records: set[str] = set()
        unbounded = False
        for hold in holds:
            if hold.bounds is None:
                unbounded = True
                continue
            records.update(hold.bounds.record_ids)
            if hold.bounds.query is not None:
                queries.append(hold.bounds.query)
        return cls(unbounded, frozenset(records), tuple(queries))

    def stop(self, record: InventoryRecord) -> bool:
        """Whether one of them covers the record."""
        if self.unbounded or record.record_id in self.records:
            return True
        combination = (record.service_code, record.municipality, record.department)
        fitting = self._fitting.get(combination)
        if fitting is None:
            fitting = tuple(query for query in self.queries if query.fits(record))
            self._fitting[combination] = fitting
        return any(query.received_within(record) for query in fitting)


NO_CASES: Final = OpenCases()


Raiser = tuple[Literal["case", "hold"], str]
"""Whose change raised the fence: a case's or a hold's, with its id."""


@dataclass(frozen=True, slots=True)
class Fence:
    """The counter. `named`: how many of its raises said whose change it was. `recent`: what the
    last ones of these said, oldest first."""

    value: int
    named: int = 0
    recent: tuple[Raiser, ...] = ()

    def raised_since(self, earlier: "Fence") -> frozenset[Raiser] | None:
        """Whose changes raised it since then; `None` if that is not known of every raise."""
        raises = self.value - earlier.value
        if raises != self.named - earlier.named or not 0 <= raises <= len(self.recent):
            return None
        return frozenset(self.recent[len(self.recent) - raises :])


@dataclass(frozen=True, slots=True)
class HoldSnapshot:
    """The holds in force, the released ones, and what open cases stop, as of a value of the fence
    or later."""

    fence: int
    released: frozenset[str]
    by_record: Mapping[str, tuple[Hold, ...]]
    by_query: tuple[Hold, ...]
    cases: OpenCases = NO_CASES

    @classmethod
    def of(cls, fence: int, holds: Iterable[Hold], cases: OpenCases = NO_CASES) -> "HoldSnapshot":
        """:param holds: all existing holds, read after the fence.
        :param cases: read after the fence and before the holds: a case that has ended because its
            records got a hold is missed only if that hold is seen.
        """
        return cls(fence, frozenset(), {}, (), cases).changed(fence, holds, cases)

    def changed(self, fence: int, holds: Iterable[Hold], cases: OpenCases) -> "HoldSnapshot":
        """A copy as of this value of the fence. `holds`: those that are new, or changed."""
        news = {hold.hold_id: hold for hold in holds}
        if not news:
            return replace(self, fence=fence, cases=cases)
        by_record = dict(self.by_record)
        by_query = [hold for hold in self.by_query if hold.hold_id not in news]
        for hold in news.values():
            for record_id in hold.record_ids:
                others = by_record.pop(record_id, ())
                others = tuple(each for each in others if each.hold_id != hold.hold_id)
                if found := (*others, hold) if hold.standing else others:
                    by_record[record_id] = found
            if hold.query is not None and hold.standing:
                by_query.append(hold)
        released = {hold_id for hold_id, hold in news.items() if not hold.standing}
        return HoldSnapshot(fence, self.released | released, by_record, tuple(by_query), cases)

    def matching(self, record: InventoryRecord) -> Iterator[Hold]:
        yield from self.by_record.get(record.record_id, ())
        yield from (hold for hold in self.by_query if hold.matches(record))


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A record with the holds in force, and the events about it. `complete` is false if more must
    be placed or released: the next write does it.
    """

    record: InventoryRecord
    events: tuple[Outgoing, ...]
    complete: bool

    @property
    def clear(self) -> bool:
        """Whether the record is known to be under no hold at all."""
        return self.complete and not self.record.held_by


def evaluate(record: InventoryRecord, standing: HoldSnapshot, at: datetime) -> Evaluated:
    """Bring the record's holds up to date: at most one more or less, because holders recognize news
    by the version, and a version can report only one hold.

    A hold on the record stays until it is released, even if the record has changed and would no
    longer match.

    :param standing: not older than the record's own fence.
    """
    if not record.open_to_change:
        return Evaluated(record, (), True)
    known = {held.hold_id for held in record.held_by}
    missing = [hold for hold in standing.matching(record) if hold.hold_id not in known]
    ended = [held for held in record.held_by if held.hold_id in standing.released]
    complete = len(missing) + len(ended) <= 1
    fence = max(record.fence, standing.fence) if complete else record.fence
    holds = record.held_by
    events: tuple[Outgoing, ...] = ()
    if missing:
        hold = missing[0]
        held = Held(
            hold_id=hold.hold_id,
            kind=hold.kind,
            authority=hold.authority,
            placed_at=hold.placed_at,
        )
        holds = (*holds, held)
        placed = ev.HoldPlaced(
            record_id=record.record_id, version=record.version + 1, **held.model_dump()
        )
        events = (Outgoing(placed),)
    elif ended:
        holds = tuple(held for held in holds if held is not ended[0])
        released = ev.HoldReleased(
            record_id=record.record_id,
            version=record.version + 1,
            hold_id=ended[0].hold_id,
            released_at=at,
            still_held=bool(holds),
        )
        events = (Outgoing(released),)
    after = record.evaluated(holds, fence=fence, behind=not complete)
    return Evaluated(after, events, complete)
