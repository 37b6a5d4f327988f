"""Audit destroys its own part last, and says so."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta

import pytest

from direct311.audit.disposition.adapters.rules_file import load_month_key_rules
from direct311.audit.disposition.domain.months import month_of
from direct311.audit.disposition.domain.records import ANSWERING, AuditedRecord
from direct311.audit.disposition.handlers.dispose import Disposition, note_order
from direct311.audit.disposition.handlers.holds import Held, LogHolding
from direct311.audit.disposition.handlers.months import MonthDisposition
from direct311.audit.entry import Filter
from direct311.audit.log.ports.keys import StoredKey
from direct311.audit.log.ports.log import IndexLostError
from direct311.runtime.access.ledger import AuditUnavailableError
from direct311.runtime.access.rules import AccessPolicy, Caller, load_access_policy
from direct311.runtime.clock import TimeOrderedIds
from direct311.runtime.disposition import Destroyer
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.problem_codes import status_of
from direct311.runtime.messaging.records import IN_HAND_GRACE, hold_handlers, on
from direct311.runtime.vault.vault import DeniedError
from direct311.schemas import Event, decode
from direct311.schemas import events as ev
from direct311.schemas.model import Model
from tests.support.memory import InMemoryPublisher, InMemoryRecords
from tests.unit.audit.events import ORDER, OTHER, RECORD, START, THIRD, Producer, received
from tests.unit.audit.fakes import (
    InMemoryBodyKeys,
    InMemoryLog,
    InMemoryLogHolds,
)
from tests.unit.audit.log_contract import audit_service, in_memory, readable

pytestmark = pytest.mark.anyio
WAIT = timedelta(days=15)


class DisposingAudit:
    def __init__(self) -> None:
        log, keys = InMemoryLog(), InMemoryBodyKeys()
        self.stores = in_memory(log, keys)
        clock = self.stores.clock
        self.records: InMemoryRecords[AuditedRecord] = InMemoryRecords()
        self.publisher = InMemoryPublisher()
        service = audit_service(clock)
        self.access_log, self.vault = service.access_log, service.vault
        self.relay = service.relay_of(self.records, self.publisher)
        handlers = hold_handlers() | dict((on(ev.DispositionOrdered, note_order),))
        self.processor = service.processor_of(self.records, AuditedRecord, handlers, self.relay)
        self.keys = keys
        self.holds = InMemoryLogHolds()
        self.held = Held(self.holds, log, self.stores.followed)
        self.disposition = Disposition(
            self.processor,
            log,
            self.stores.followed,
            log,
            self.stores.keyring,
            self.stores.tags,
            self.due,
            clock,
            WAIT,
            held=self.held,
            holds=self.holds,
            under_hold=self.under_hold,
            alarms=self.stores.alarms,
        )
        self.destroyer = Destroyer(
            holder="audit",
            processor=self.processor,
            destroying=self.destroying,
            remove=self.disposition.remove,
            keys=keys,  # type: ignore[arg-type]  # of a key store it only destroys
            clock=clock,
            recoverable_for=timedelta(days=30),
        )

    async def due(self, limit: int) -> list[AuditedRecord]:
        now = self.stores.clock.now()
        return [
            state
            for state in self.records.states()
            if state.lifecycle == "active"
            and not state.holds
            and state.destroy_at is not None
            and state.destroy_at <= now
        ][:limit]

    async def under_hold(self, hold: str, limit: int) -> list[AuditedRecord]:
        return [state for state in self.records.states() if hold in state.holds][:limit]

    async def destroying(self, limit: int) -> Sequence[AuditedRecord]:
        return await self.disposition.unheld(await self.records.destroying(limit))

    async def certify(self, *records: str, supplement_to: str | None = None) -> None:
        message = Producer("retention").certified(*records, supplement_to=supplement_to)
        await self.disposition.note(received(message).event)

    async def run(self) -> None:
        await self.disposition.clear()
        await self.disposition.begin()
        await self.destroyer.step()
        self.stores.clock.advance(IN_HAND_GRACE)
        await self.relay.publish_due()

    def receipts(self) -> list[ev.RecordDestroyed]:
        found = []
        for entry in self.publisher.sent:
            data = decode(entry.message.headers, entry.message.body).data
            assert isinstance(data, ev.RecordDestroyed)
            found.append(data)
        return found


@pytest.fixture
async def audit() -> DisposingAudit:
    audit = DisposingAudit()
    await audit.stores.arrive(
        [
            Producer().access(RECORD),
            Producer().access(RECORD, OTHER),
            Producer().access(OTHER),
            *(Producer(each).destroyed(name) for name in (RECORD, OTHER) for each in ANSWERING),
        ]
    )
    await audit.stores.sequence()
    return audit


def order(*holders: ev.Holder) -> Event[Model]:
    """The order to destroy the record, as retention gives it to these holders."""
    data = ev.DispositionOrdered(
        record_id=RECORD,
        version=3,
        order_id=ORDER,
        items=("23",),
        holders=holders,
        custodian="carla",
        records_officer="raul",
        ordered_at=START,
    )
    return Event(OTHER, "/direct311/retention", RECORD, START, data)


async def test_a_case_files_order_needs_retentions_own_receipt_too(audit: DisposingAudit) -> None:
    holders: tuple[ev.Holder, ...] = ("intake", "media", "geo", "routing", "retention", "audit")
    assert not await audit.processor.apply([order(*holders)])
    assert audit.records.state(RECORD).lifecycle == "active"
    await audit.certify(RECORD)
    await audit.stores.arrive([Producer("retention").certified(RECORD)])
    await audit.stores.sequence()
    audit.stores.clock.advance(WAIT)
    await audit.run()
    assert audit.stores.alarms.raised == [("destruction_refused", RECORD)]
    assert not audit.receipts()

    now = audit.stores.clock.now()
    await audit.stores.arrive([Producer("retention").destroyed(RECORD, now)])
    await audit.stores.sequence()
    audit.stores.clock.advance(WAIT)
    await audit.run()
    assert [each.record_id for each in audit.receipts()] == [RECORD]


async def test_a_requests_order_needs_no_more_receipts_than_ever(audit: DisposingAudit) -> None:
    assert not await audit.processor.apply([order("intake", "media", "geo", "routing", "audit")])
    assert not audit.records.documents


@pytest.mark.policy("P14")
async def test_a_certificate_destroys_after_the_broker_has_forgotten(audit: DisposingAudit) -> None:
    ids = await readable(audit.stores)
    await audit.certify(RECORD)
    audit.stores.clock.advance(WAIT - timedelta(minutes=1))
    await audit.run()
    assert audit.receipts() == []
    assert await readable(audit.stores) == ids
    audit.stores.clock.advance(timedelta(minutes=1))
    await audit.run()
    (receipt,) = audit.receipts()
    assert (receipt.holder, receipt.record_id, receipt.order_id) == ("audit", RECORD, ORDER)
    assert (receipt.keys, receipt.documents) == (1, 2)
    assert receipt.recoverable_until - receipt.destroyed_at == timedelta(days=30)
    assert await readable(audit.stores) == ids[1:]


async def test_the_receipt_is_signed(audit: DisposingAudit) -> None:
    await audit.certify(RECORD)
    audit.stores.clock.advance(WAIT)
    await audit.run()
    (entry,) = audit.publisher.sent
    assert entry.message.headers["ce_keyid"] == "audit-1"
    assert entry.message.topic == "record.destroyed"


async def test_twice_is_once_and_a_supplement_is_none_of_its_business(
    audit: DisposingAudit,
) -> None:
    await audit.certify(RECORD)
    await audit.certify(RECORD)
    await audit.certify(OTHER, supplement_to="certificate")
    audit.stores.clock.advance(WAIT)
    await audit.run()
    await audit.run()
    await audit.certify(RECORD)
    audit.stores.clock.advance(WAIT)
    await audit.run()
    assert [receipt.record_id for receipt in audit.receipts()] == [RECORD]


@pytest.mark.policy("P14")
async def test_a_hold_keeps_the_key_until_it_is_released(audit: DisposingAudit) -> None:
    ids = await readable(audit.stores)
    await audit.certify(RECORD)
    placed = ev.HoldPlaced(
        record_id=RECORD,
        version=1,
        hold_id="h1",
        kind="litigation",
        authority="Case 12",
        placed_at=START,
    )
    await audit.processor.apply([Event(OTHER, "/direct311/retention", RECORD, START, placed)])
    audit.stores.clock.advance(WAIT)
    await audit.run()
    assert audit.receipts() == []
    assert await readable(audit.stores) == ids
    released = ev.HoldReleased(
        record_id=RECORD, version=2, hold_id="h1", released_at=START, still_held=False
    )
    await audit.processor.apply([Event(ORDER, "/direct311/retention", RECORD, START, released)])
    await audit.run()
    assert len(audit.receipts()) == 1


async def test_a_crash_at_any_step_still_destroys_and_answers_once(audit: DisposingAudit) -> None:
    await audit.certify(RECORD)
    audit.stores.clock.advance(WAIT)
    await audit.disposition.begin()
    # Killed after the key went, then after the index went.
    await audit.stores.keys.destroy(RECORD)
    await audit.run()
    await audit.run()
    assert [receipt.keys for receipt in audit.receipts()] == [1]
    state = (await audit.records.load([RECORD]))[RECORD].state
    assert state.lifecycle == "destroyed"


async def test_nothing_is_destroyed_while_the_index_is_lost(audit: DisposingAudit) -> None:
    before = await audit.stores.rows()
    await audit.stores.log.mark_lost()
    with pytest.raises(IndexLostError):
        await audit.disposition.begin()
    with pytest.raises(IndexLostError):
        await audit.disposition.remove(AuditedRecord(record_id=RECORD))
    assert await audit.stores.rows() == before


# ---------------------------------------------------------------- holds on entries


CARLA, ROSA = Caller("carla", ("custodian",)), Caller("rosa", ("records_officer",))


@pytest.fixture
def holding(audit: DisposingAudit) -> LogHolding:
    return LogHolding(
        audit.holds,
        audit.held,
        BeingDestroyed(audit),
        audit.vault,
        audit.stores.clock,
        TimeOrderedIds(),
    )


class BeingDestroyed:
    def __init__(self, audit: DisposingAudit) -> None:
        self._world = audit

    async def records(self) -> Sequence[str]:
        return [state.record_id for state in await self._world.records.destroying(100)]

    async def months(self) -> Sequence[StoredKey]:
        return await self._world.keys.being_destroyed()


@pytest.mark.policy("P14")
async def test_a_hold_on_entries_keeps_the_record_that_they_speak_of(
    audit: DisposingAudit, holding: LogHolding
) -> None:
    ids = await readable(audit.stores)
    hold = await holding.place(CARLA, "Doe", "litigation", "Case 12", Filter(actor="maria"))
    await audit.certify(RECORD, OTHER)
    audit.stores.clock.advance(WAIT)
    await audit.run()
    await audit.run()
    assert audit.receipts() == []
    assert await readable(audit.stores) == ids
    # What is held does not stand in the way of what is not.
    assert await audit.due(10) == []
    await holding.release(ROSA, hold.hold_id, "The case was dismissed.")
    await audit.run()
    assert {receipt.record_id for receipt in audit.receipts()} == {RECORD, OTHER}


@pytest.mark.parametrize("query", [Filter(case_id=THIRD), Filter(actor="officer")])
async def test_a_case_file_takes_its_entries_with_it_unless_a_hold_keeps_them(
    audit: DisposingAudit, holding: LogHolding, query: Filter
) -> None:
    before = await readable(audit.stores)
    await audit.stores.arrive(
        [
            Producer().access(case_id=THIRD, actor="officer"),
            *(Producer(each).destroyed(THIRD) for each in ANSWERING),
        ]
    )
    await audit.stores.sequence()
    under_case = next(each for each in await readable(audit.stores) if each not in before)
    hold = await holding.place(CARLA, "Doe", "litigation", "Case 12", query)
    await audit.certify(THIRD)
    audit.stores.clock.advance(WAIT)
    await audit.run()
    assert audit.receipts() == []
    assert under_case in await readable(audit.stores)
    await holding.release(ROSA, hold.hold_id, "The case was dismissed.")
    await audit.run()
    assert [receipt.record_id for receipt in audit.receipts()] == [THIRD]
    assert under_case not in await readable(audit.stores)
    size = (await audit.stores.log.head()).size
    assert not await audit.stores.entries.find(Filter(case_id=THIRD), before=size, floor=0, limit=9)


async def test_a_hold_keeps_only_what_it_finds(audit: DisposingAudit, holding: LogHolding) -> None:
    await holding.place(CARLA, "Doe", "litigation", "Case 12", Filter(record_ids=(OTHER,)))
    await holding.place(CARLA, "Roe", "other", "Case 13", Filter(actor="nobody"))
    await audit.certify(RECORD, OTHER)
    audit.stores.clock.advance(WAIT)
    await audit.run()
    assert [receipt.record_id for receipt in audit.receipts()] == [RECORD]


async def test_two_holds_are_released_one_after_the_other(
    audit: DisposingAudit, holding: LogHolding
) -> None:
    first = await holding.place(CARLA, "Doe", "litigation", "Case 12", Filter(actor="maria"))
    second = await holding.place(CARLA, "Roe", "audit", "Letter 3", Filter(record_ids=(RECORD,)))
    await audit.certify(RECORD)
    audit.stores.clock.advance(WAIT)
    await audit.run()
    await holding.release(ROSA, first.hold_id, "The case was dismissed.")
    await audit.run()
    assert audit.receipts() == []
    await holding.release(ROSA, second.hold_id, "The audit is over.")
    await audit.run()
    assert len(audit.receipts()) == 1


async def test_a_hold_that_comes_too_late_says_for_what(
    audit: DisposingAudit, holding: LogHolding
) -> None:
    await audit.certify(RECORD)
    audit.stores.clock.advance(WAIT)
    await audit.disposition.begin()
    hold = await holding.place(CARLA, "Doe", "litigation", "Case 12", Filter(actor="maria"))
    assert hold.too_late == (RECORD,)
    # It was not too late after all: the last look comes after the record says that it goes.
    await audit.run()
    assert audit.receipts() == []
    await holding.release(ROSA, hold.hold_id, "The case was dismissed.")
    await audit.run()
    assert len(audit.receipts()) == 1


async def test_who_placed_a_hold_does_not_release_it_and_each_step_is_an_event(
    audit: DisposingAudit, holding: LogHolding
) -> None:
    hold = await holding.place(CARLA, "Doe", "litigation", "Case 12", Filter(record_ids=(OTHER,)))
    with pytest.raises(RefusedError) as refused:
        await holding.release(CARLA, hold.hold_id, "The case was dismissed.")
    assert (status_of(refused.value), refused.value.code) == (403, "same_person")
    with pytest.raises(RefusedError) as refused:
        await holding.release(ROSA, ORDER, "The case was dismissed.")
    assert status_of(refused.value) == 404
    with pytest.raises(DeniedError):
        await holding.place(Caller("ada", ("auditor",)), "Doe", "litigation", "Case 12", Filter())
    await holding.release(ROSA, hold.hold_id, "The case was dismissed.")
    (listed,) = await holding.all(CARLA)
    assert (listed.placed_by, listed.released_by) == ("carla", "rosa")
    events = [(event.action, event.outcome, event.agent.id) for event in audit.access_log.events()]
    assert events == [
        ("hold", "success", "carla"),
        ("hold", "success", "carla"),
        ("hold", "success", "rosa"),
        ("hold", "denied", "ada"),
        ("hold", "success", "rosa"),
        ("hold", "success", "carla"),
    ]
    placed = audit.access_log.events()[0]
    assert (placed.why.purpose, placed.why.reference) == ("retention", "Case 12")
    assert placed.what.record_ids == (OTHER,)


# ---------------------------------------------------------------- keys of months


@pytest.fixture
async def months(audit: DisposingAudit, holding: LogHolding) -> MonthDisposition:
    """With entries about no record, one logged in March and one in April."""
    for month in (3, 4):
        audit.stores.clock.at = at = datetime(2026, month, 20, tzinfo=UTC)
        signed_in = Producer().access(action="sign_in", fields=(), actor="ines", at=at)
        await audit.stores.arrive([signed_in])
        await audit.stores.sequence()
    return month_disposition(audit)


def month_disposition(
    audit: DisposingAudit, policy: AccessPolicy | None = None
) -> MonthDisposition:
    return MonthDisposition(
        audit.keys,
        audit.stores.entries,
        audit.stores.followed,
        audit.held,
        audit.stores.tags,
        audit_service(audit.stores.clock, audit.access_log, policy).vault,
        audit.stores.alarms,
        load_month_key_rules().content,
        audit.stores.clock,
    )


def without_the_grant() -> AccessPolicy:
    """A county's own rules that know no `service-retention`."""
    policy = load_access_policy()
    roles = tuple(
        role.model_copy(
            update={"grants": tuple(g for g in role.grants if g.rule != "service-retention")}
        )
        for role in policy.rules.roles
    )
    return AccessPolicy(policy.rules.model_copy(update={"roles": roles}), policy.hash)


def run_out() -> AccessPolicy:
    policy = load_access_policy()
    ended = policy.rules.model_copy(update={"effective_until": date(2026, 12, 31)})
    return AccessPolicy(ended, policy.hash)


async def signed_in(audit: DisposingAudit) -> list[int]:
    size = (await audit.stores.log.head()).size
    rows = await audit.stores.entries.find(
        Filter(action="sign_in"), before=size, floor=0, limit=9, oldest_first=True
    )
    return [row.index for row in rows]


@pytest.mark.policy("P14")
async def test_the_key_of_a_month_goes_when_its_item_is_due(
    audit: DisposingAudit, months: MonthDisposition
) -> None:
    audit.stores.clock.at = datetime(2027, 3, 31, 23, 59, tzinfo=UTC)
    await months.step()
    assert await signed_in(audit) == [11, 12]
    assert audit.access_log.events() == []
    ids = await readable(audit.stores)
    audit.stores.clock.at = datetime(2027, 4, 1, tzinfo=UTC)
    await months.step()
    await months.step()
    assert await signed_in(audit) == [12]
    gone = set(ids) - set(await readable(audit.stores))
    assert len(gone) == 1
    (event,) = audit.access_log.events()
    assert (event.action, event.agent.id, event.why.purpose) == (
        "destroy",
        "svc:audit",
        "retention",
    )
    assert (event.why.reference, event.where.operation) == ("month:2026-03", "GS1-SL item 189")


async def test_a_hold_keeps_the_key_of_a_month(
    audit: DisposingAudit, months: MonthDisposition, holding: LogHolding
) -> None:
    hold = await holding.place(CARLA, "Doe", "audit", "Letter 3", Filter(actor="ines"))
    audit.stores.clock.at = datetime(2027, 6, 1, tzinfo=UTC)
    await months.step()
    assert await signed_in(audit) == [11, 12]
    assert await audit.keys.being_destroyed() == []
    await holding.release(ROSA, hold.hold_id, "The audit is over.")
    await months.step()
    assert await signed_in(audit) == []


async def test_without_the_event_no_key_of_a_month_goes(
    audit: DisposingAudit, months: MonthDisposition
) -> None:
    audit.stores.clock.at = datetime(2027, 6, 1, tzinfo=UTC)
    audit.access_log.down = True
    with pytest.raises(AuditUnavailableError):
        await months.step()
    assert await signed_in(audit) == [11, 12]
    assert len(await audit.keys.months()) >= 2


@pytest.mark.parametrize("policy", [without_the_grant, run_out])
async def test_rules_that_refuse_the_destruction_are_an_alarm_and_asked_once_a_day(
    audit: DisposingAudit, months: MonthDisposition, policy: Callable[[], AccessPolicy]
) -> None:
    refused = month_disposition(audit, policy())
    audit.stores.clock.at = datetime(2027, 6, 1, tzinfo=UTC)
    for _ in range(3):
        for _ in range(20):
            await refused.step()
            audit.stores.clock.advance(timedelta(seconds=1))
        audit.stores.clock.advance(timedelta(days=1))
    assert [(event.action, event.outcome) for event in audit.access_log.events()] == [
        ("destroy", "denied")
    ] * 3
    assert audit.stores.alarms.raised == [("destruction_refused", "month:2026-03")]
    assert await signed_in(audit) == [11, 12]
    # A hold that comes now does not come too late.
    assert await audit.keys.being_destroyed() == []
    await months.step()
    assert await signed_in(audit) == []


async def test_the_key_of_dispositions_is_permanent(
    audit: DisposingAudit, months: MonthDisposition
) -> None:
    audit.stores.clock.at = datetime(2099, 1, 1, tzinfo=UTC)
    await months.step()
    assert audit.keys.keys["series:45"].wrapped


@pytest.mark.parametrize(
    ("month", "due"),
    [
        (date(2026, 3, 1), date(2027, 4, 1)),
        (date(2026, 12, 1), date(2028, 1, 1)),
        (date(2027, 1, 1), date(2028, 2, 1)),
    ],
)
def test_a_month_is_due_an_anniversary_year_after_its_end(month: date, due: date) -> None:
    assert load_month_key_rules().content.due_on(month) == due


def test_only_keys_of_months_are_months() -> None:
    assert month_of("month:2026-12") == (date(2026, 12, 1), date(2027, 1, 1))
    assert [month_of(name) for name in (RECORD, "series:45", "entry:2026-01")] == [None] * 3
