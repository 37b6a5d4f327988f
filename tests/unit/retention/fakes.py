"""Retention's ports in memory, held to the same contract as MongoDB, and retention made of them."""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence, Set
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from direct311.retention.certificates.domain import Certificate
from direct311.retention.certificates.handlers import Certification
from direct311.retention.holds.domain import Fence, Hold, HoldSnapshot, ProvisionalHold, Raiser
from direct311.retention.holds.handlers.holding import Holding
from direct311.retention.holds.handlers.standing import Known, what_stands
from direct311.retention.holds.ports import Known as KnownField
from direct311.retention.holds.ports import ProvisionalHolds
from direct311.retention.inventory.domain import RetentionRules
from direct311.retention.inventory.handlers import CaseFiles, Inventorying, Outcomes
from direct311.retention.inventory.ports import Position
from direct311.retention.record import InventoryRecord, ReleasedWith, Stage
from direct311.retention.review.domain import Disposition, Status
from direct311.retention.review.handlers.expiry import Expiry
from direct311.retention.review.handlers.review import Review
from direct311.retention.schedule.adapters import load_retention
from direct311.runtime.access.rules import Caller
from direct311.runtime.messaging.records import Stored, Write
from direct311.runtime.messaging.signing import Signer
from direct311.runtime.messaging.state import Outgoing
from direct311.schemas import Event
from direct311.schemas import events as ev
from direct311.schemas.model import Model
from tests.support.memory import InMemoryRecords
from tests.support.runtime import SetClock
from tests.support.service_under_test import ServiceUnderTest

START = datetime(2026, 3, 2, 17, tzinfo=UTC)
SETTLE_FOR = timedelta(seconds=60)
AUDIT_AFTER = timedelta(days=15)

COUNSEL = Caller("cole", ("counsel",))
CARLA = Caller("carla", ("custodian",))
RAUL = Caller("raul", ("records_officer",))
Turn = Callable[[], Awaitable[None]]


async def at_once() -> None:
    """Whose turn it is does not matter."""


class CountedIds:
    """1, 2, 3 … as UUIDs."""

    def __init__(self) -> None:
        self._last = 0

    def new(self) -> str:
        self._last += 1
        return str(UUID(int=self._last))


class WatchedRecords(InMemoryRecords[InventoryRecord]):
    """Waits for its turn before each step, and shows each write that succeeds to `watch`.

    `die_at`: the number of the write before which the process dies.
    """

    def __init__(self, turn: Turn = at_once) -> None:
        super().__init__()
        self._turn = turn
        self.watch: Callable[[InventoryRecord | None, InventoryRecord], None] = lambda _, __: None
        self.die_at: int | None = None
        self.writes = 0

    async def load(self, record_ids: Sequence[str]) -> Mapping[str, Stored[InventoryRecord]]:
        await self._turn()
        return await super().load(record_ids)

    async def commit(self, writes: Sequence[Write[InventoryRecord]]) -> set[str]:
        await self._turn()
        conflicts: set[str] = set()
        for write in writes:
            self.writes += 1
            if self.writes == self.die_at:
                raise KilledError
            before = self.documents.get(write.state.record_id)
            if await super().commit([write]):
                conflicts.add(write.state.record_id)
            else:
                self.watch(before.state if before else None, write.state)
        return conflicts


class KilledError(BaseException):
    """The process was killed here."""


_OPEN: tuple[Stage, ...] = ("active", "eligible", "in_review")


class InMemoryInventory:
    def __init__(self, records: InMemoryRecords[InventoryRecord], turn: Turn = at_once) -> None:
        self._records = records
        self._turn = turn

    @property
    def _all(self) -> list[InventoryRecord]:
        return self._records.states()

    async def get(self, record_id: str) -> InventoryRecord | None:
        found = await self._records.load([record_id])
        return found[record_id].state if record_id in found else None

    async def _ids(self, fits: Callable[[InventoryRecord], bool], limit: int) -> list[str]:
        await self._turn()
        return [record.record_id for record in self._all if fits(record)][:limit]

    async def due(self, as_of: date, limit: int) -> Sequence[str]:
        return await self._ids(
            lambda each: (
                each.stage == "active"
                and each.eligible_on is not None
                and each.eligible_on <= as_of
            ),
            limit,
        )

    async def page(
        self,
        stage: Literal["active", "eligible"],
        as_of: date,
        after: Position | None,
        limit: int,
        *,
        clear: bool = False,
    ) -> Sequence[InventoryRecord]:
        await self._turn()
        found = [
            ((each.eligible_on, each.record_id), each)
            for each in self._all
            if each.stage == stage
            and each.eligible_on is not None
            and each.eligible_on <= as_of
            and not (clear and each.holds)
        ]
        found.sort(key=lambda pair: pair[0])
        return [each for position, each in found if after is None or position > after][:limit]

    async def matching(self, hold: Hold, limit: int) -> Sequence[str]:
        return await self._ids(
            lambda each: (
                each.stage in _OPEN and each.fence < (hold.fence or 0) and hold.matches(each)
            ),
            limit,
        )

    async def too_late(self, hold: Hold, limit: int) -> Sequence[str]:
        return await self._ids(lambda each: each.stage not in _OPEN and hold.matches(each), limit)

    async def holding(self, hold_id: str, limit: int) -> Sequence[str]:
        return await self._ids(lambda each: each.stage in _OPEN and hold_id in each.holds, limit)

    async def held(self, hold_ids: Sequence[str]) -> Mapping[str, int]:
        await self._turn()
        held = Counter(
            hold_id for each in self._all if each.stage in _OPEN for hold_id in each.holds
        )
        return {hold_id: held[hold_id] for hold_id in hold_ids if hold_id in held}

    async def values(self, field: KnownField) -> Collection[str]:
        await self._turn()
        return {value for each in self._all if (value := getattr(each, field))}

    async def behind(self, limit: int) -> Sequence[str]:
        return await self._ids(lambda each: each.behind, limit)

    async def outdated(self, schedule_version: str, limit: int) -> Sequence[str]:
        return await self._ids(
            lambda each: (
                each.stage in _OPEN and each.schedule_version not in (None, schedule_version)
            ),
            limit,
        )

    async def of_order(self, order_id: str) -> Sequence[InventoryRecord]:
        await self._turn()
        return [each for each in self._all if each.order_id == order_id and each.stage not in _OPEN]

    async def waiting(self, order_id: str, *, for_audit: bool) -> bool:
        if for_audit:
            return bool(
                await self._ids(
                    lambda each: (
                        each.order_id == order_id
                        and each.stage == "certified"
                        and "audit" not in {receipt.holder for receipt in each.receipts}
                    ),
                    1,
                )
            )
        return bool(
            await self._ids(lambda each: each.order_id == order_id and each.stage == "ordered", 1)
        )

    async def count(self) -> Mapping[Stage, int]:
        counts: dict[Stage, int] = {}
        for each in self._all:
            if each.case_file:
                continue
            counts[each.stage] = counts.get(each.stage, 0) + 1
        return counts


class NoCases:
    """`ProvisionalHolds` of a county without open cases."""

    async def standing(self) -> Mapping[str, ProvisionalHold]:
        return {}

    async def standing_of(self, case_ids: Set[str]) -> Mapping[str, ProvisionalHold]:
        return {}


class InMemoryHolds:
    """`stale`: what was read once is good as long as the port allows, not for a second alone."""

    RECENT = 3
    """How many raises it names: few, so that tests that interleave also read everything anew."""

    def __init__(self, turn: Turn = at_once, *, stale: bool = False) -> None:
        self.holds: dict[str, Hold] = {}
        self.acts: list[Outgoing] = []
        self.fence = 0
        self._raisers: list[Raiser] = []
        self._turn = turn
        self._stale = stale
        self._known: Known | None = None
        self.provisional: ProvisionalHolds = NoCases()
        self.clock = SetClock(START)

    async def of_case(self, case_id: str) -> Sequence[Hold]:
        await self._turn()
        return [each for each in self.holds.values() if each.case_id == case_id]

    async def without_suit(self, case_ids: Sequence[str]) -> Sequence[str]:
        await self._turn()
        late = [each for each in self.holds.values() if each.standing and each.suit_at is None]
        of_them = {each.case_id for each in late}
        return [each for each in case_ids if each in of_them]

    async def releasable(self, limit: int, after: Hold | None = None) -> Sequence[Hold]:
        due = [
            ((each.earliest_release_at, each.hold_id), each)
            for each in self.holds.values()
            if each.state == "in_force"
            and each.earliest_release_at is not None
            and each.earliest_release_at <= self.clock.now()
        ]
        start = (after.earliest_release_at, after.hold_id) if after else None
        found = sorted(due, key=lambda pair: pair[0])
        return [each for place, each in found if start is None or place > start][:limit]

    async def add(self, hold: Hold, acts: Sequence[Outgoing]) -> Hold:
        await self._turn()
        if hold.hold_id not in self.holds:
            self.acts += acts
        return self.holds.setdefault(hold.hold_id, hold)

    async def get(self, hold_id: str) -> Hold | None:
        await self._turn()
        return self.holds.get(hold_id)

    async def replace(self, hold: Hold, acts: Sequence[Outgoing] = ()) -> bool:
        await self._turn()
        if self.holds[hold.hold_id].version != hold.version:
            return False
        self.acts += acts
        self.holds[hold.hold_id] = hold.model_copy(update={"version": hold.version + 1})
        return True

    async def page(self, after: str | None, limit: int, *, standing: bool) -> Sequence[Hold]:
        return [
            self.holds[key]
            for key in sorted(self.holds)
            if (after is None or key > after) and (not standing or self.holds[key].standing)
        ][:limit]

    async def unfinished(self) -> Sequence[str]:
        await self._turn()
        return [
            key
            for key, hold in self.holds.items()
            if hold.state in ("placing", "releasing") or hold.settle_at is not None
        ]

    async def raise_fence(self, raiser: Raiser) -> int:
        await self._turn()
        self.fence += 1
        self._raisers.append(raiser)
        return self.fence

    async def standing(self, fence: int) -> HoldSnapshot:
        known = self._known
        if self._stale and known is not None and known.fence.value >= fence:
            return known.snapshot
        return await self.standing_now()

    async def standing_now(self) -> HoldSnapshot:
        self._known = await what_stands(self, self._known)
        return self._known.snapshot

    async def fence_now(self) -> Fence:
        await self._turn()
        return Fence(self.fence, self.fence, tuple(self._raisers[-self.RECENT :]))

    async def cases(self) -> Mapping[str, ProvisionalHold]:
        await self._turn()
        return await self.provisional.standing()

    async def cases_of(self, case_ids: Set[str]) -> Mapping[str, ProvisionalHold]:
        await self._turn()
        return await self.provisional.standing_of(case_ids)

    async def all_holds(self) -> Sequence[Hold]:
        await self._turn()
        return list(self.holds.values())

    async def these_holds(self, hold_ids: Set[str]) -> Sequence[Hold]:
        await self._turn()
        return [self.holds[each] for each in hold_ids if each in self.holds]


class InMemoryDispositions:
    def __init__(self, turn: Turn = at_once) -> None:
        self.sets: dict[str, Disposition] = {}
        self.acts: list[Outgoing] = []
        self.broker_answers = True
        self._turn = turn

    async def add(self, disposition: Disposition) -> None:
        self.sets.setdefault(disposition.disposition_id, disposition)

    async def get(self, disposition_id: str) -> Disposition | None:
        await self._turn()
        return self.sets.get(disposition_id)

    async def published(self, disposition_id: str) -> bool:
        return self.broker_answers

    async def replace(self, disposition: Disposition, acts: Sequence[Outgoing] = ()) -> bool:
        await self._turn()
        key = disposition.disposition_id
        if self.sets[key].version != disposition.version:
            return False
        self.acts += acts
        self.sets[key] = disposition.model_copy(update={"version": disposition.version + 1})
        return True

    async def with_status(self, statuses: Sequence[Status], limit: int) -> Sequence[str]:
        await self._turn()
        return [key for key, each in self.sets.items() if each.status in statuses][:limit]

    async def page(self, after: str | None, limit: int) -> Sequence[Disposition]:
        keys = sorted(self.sets, reverse=True)
        return [self.sets[key] for key in keys if after is None or key < after][:limit]


class InMemoryCertificates:
    def __init__(self, records: InMemoryRecords[Certificate]) -> None:
        self._records = records

    async def get(self, certificate_id: str) -> Certificate | None:
        found = await self._records.load([certificate_id])
        return found[certificate_id].state if certificate_id in found else None

    async def disposed(self, first_on: date, last_on: date) -> Sequence[Certificate]:
        return [
            each
            for each in self._records.states()
            if each.content and first_on <= each.content.disposed_on <= last_on
        ]


class KnownReleases:
    """`Releases`: which records went out, with which case."""

    def __init__(self) -> None:
        self.all: list[tuple[str, ReleasedWith]] = []

    async def released_with(self, record_ids: Sequence[str]) -> Sequence[tuple[str, ReleasedWith]]:
        return [each for each in self.all if each[0] in record_ids]


@cache
def packaged_rules() -> RetentionRules:
    files = load_retention()
    return RetentionRules(files.schedule, files.assignments, ZoneInfo("America/New_York"))


class RetentionUnderTest(ServiceUnderTest):
    """Retention as a whole, without servers."""

    def __init__(
        self,
        turn: Turn = at_once,
        *,
        stale: bool = False,
        ahead: bool = True,
        rules: RetentionRules | None = None,
    ) -> None:
        signer = Signer("retention-test", Ed25519PrivateKey.generate())
        super().__init__("retention", clock=SetClock(START), ids=CountedIds(), signer=signer)
        self.ahead = ahead
        self.stopped = False
        self.rules = rules or packaged_rules()
        self.records = WatchedRecords(turn)
        self.record = self.records.state
        self.certificates: InMemoryRecords[Certificate] = InMemoryRecords()
        self.inventory = InMemoryInventory(self.records, turn)
        self.holds = InMemoryHolds(turn, stale=stale)
        self.holds.clock = self.clock
        self.dispositions = InMemoryDispositions(turn)
        self.kept = InMemoryCertificates(self.certificates)
        self.releases = KnownReleases()
        self.start()

    def start(self) -> None:
        """A new process on the same stores."""
        inventorying = Inventorying(self.rules, self.holds, self.clock)
        self.processor = self.processor_of(self.records, InventoryRecord, inventorying.handlers())
        shared = (self.processor, self.inventory, self.holds)
        clock, ids = self.clock, self.ids
        self.case_files = CaseFiles(self.processor, inventorying, ids)
        self.outcomes = Outcomes(self.processor, self.rules, clock)
        self.expiry = Expiry(*shared, self.rules, clock, ids, ahead=self.ahead)
        self.holding = Holding(*shared, clock, ids, SETTLE_FOR)
        self.review = Review(
            *shared,
            self.dispositions,
            self.rules,
            clock,
            ids,
            ahead=self.ahead,
            stopped=lambda: self.stopped,
        )
        self.certification = Certification(
            self.processor,
            self.processor_of(self.certificates, Certificate),
            self.kept,
            self.inventory,
            self.dispositions,
            self.rules,
            clock,
            ids,
            AUDIT_AFTER,
            self.releases,
        )

    def said(self, record_id: str) -> list[Event[Model]]:
        """Everything that retention said of a record, in order."""
        return self.records.said(record_id) if record_id in self.records.documents else []

    def names(self, record_id: str) -> list[str]:
        return [event.name for event in self.said(record_id)]

    def announced(self) -> list[ev.DispositionCertified]:
        """Every certificate that was announced."""
        found = []
        for certificate_id in self.certificates.documents:
            for event in self.certificates.said(certificate_id):
                assert event.signature is not None
                assert isinstance(event.data, ev.DispositionCertified)
                found.append(event.data)
        return found

    async def apply(self, *events: Event[Model]) -> list[str]:
        """The kinds of error of the events that failed for good."""
        return [type(error).__name__ for _, error in await self.processor.apply(events)]

    async def eligible(self, *record_ids: str, service_code: str = "POTHOLE") -> None:
        """Requests of long ago, closed, whose time has come."""
        for record_id in record_ids:
            await self.apply(
                created(record_id, service_code),
                updated(record_id, 2, service_code, closed_at=LONG_AGO + timedelta(days=9)),
            )
        await self.expiry.step()

    async def ordered(self, *record_ids: str) -> Disposition:
        """The same, proposed and approved."""
        made = await self.review.propose(CARLA, record_ids, 500, None)
        assert made.set_hash is not None
        return await self.review.approve(made.disposition_id, RAUL, made.set_hash)

    async def answered(self, order: Disposition, *holders: ev.Holder) -> None:
        """These holders' receipts for every record of an order."""
        for each in order.records:
            for holder in holders:
                await self.apply(
                    receipt(each.record_id, order.disposition_id, holder, self.clock.at)
                )


LONG_AGO = datetime(2015, 6, 1, 14, tzinfo=UTC)
FOUR: tuple[ev.Holder, ...] = ("intake", "media", "geo", "routing")


def event(data: Model, subject: str, source: str, at: datetime = START) -> Event[Model]:
    key = f"{type(data).__name__}{subject}{getattr(data, 'version', source)}"
    event_id = str(UUID(bytes=key.encode().ljust(16, b".")[-16:]))
    return Event(event_id, f"/direct311/{source}", subject, at, data)


def created(
    record_id: str, service_code: str = "POTHOLE", received_at: datetime = LONG_AGO
) -> Event[Model]:
    data = ev.RequestCreated(
        record_id=record_id,
        version=1,
        jurisdiction_id="miamidade",
        service_code=service_code,
        received_at=received_at,
        place=ev.Place(),
        policy=ev.PolicyAgreement(version="2024-01", agreed="accepted"),
    )
    return event(data, record_id, "intake", received_at)


def updated(
    record_id: str,
    version: int,
    service_code: str = "POTHOLE",
    *,
    closed_at: datetime | None = None,
    updated_at: datetime | None = None,
    received_at: datetime = LONG_AGO,
) -> Event[Model]:
    data = ev.RequestUpdated(
        record_id=record_id,
        version=version,
        changed=("status",),
        service_code=service_code,
        status="fixed" if closed_at else "in_progress",
        updated_at=updated_at or closed_at or START,
        received_at=received_at,
        place=ev.Place(),
        closed_at=closed_at,
    )
    return event(data, record_id, "intake")


def located(record_id: str, version: int, municipality: str | None) -> Event[Model]:
    data = ev.LocationResolved(
        record_id=record_id,
        version=version,
        place_version=1,
        outcome="resolved",
        municipality=municipality,
        unincorporated=municipality is None,
        resolved_at=START,
    )
    return event(data, record_id, "geo")


def receipt(
    record_id: str, order_id: str, holder: ev.Holder, at: datetime, *, source: str | None = None
) -> Event[Model]:
    data = ev.RecordDestroyed(
        record_id=record_id,
        order_id=order_id,
        holder=holder,
        documents=1,
        fields=3 if holder == "intake" else 0,
        objects=2 if holder == "media" else 0,
        bytes=1000 if holder == "media" else 10,
        keys=1,
        manner="key shredded, data deleted",
        destroyed_at=at,
        recoverable_until=at + timedelta(days=35 if holder == "intake" else 30),
    )
    return event(data, record_id, source or holder, at)
