"""Every fetch of a key has its event."""

from datetime import timedelta

import pytest

from direct311.audit.monitoring.domain.fetches import Fetch
from direct311.audit.monitoring.handlers.reconcile import AT_ONCE, PAGES, Reconciler
from direct311.schemas import events as ev
from tests.unit.audit.events import OTHER, RECORD, START, Producer
from tests.unit.audit.fakes import (
    InMemoryFetches,
    InMemoryWatch,
)
from tests.unit.audit.log_contract import in_memory

pytestmark = pytest.mark.anyio
SECOND = timedelta(seconds=1)


class ReconcilingAudit:
    def __init__(self) -> None:
        self.stores = in_memory()
        self.intake, self.media = InMemoryFetches("intake"), InMemoryFetches("media")
        self.watch = InMemoryWatch()
        self.alarms = self.stores.alarms
        self.start()

    def start(self) -> None:
        """As after a restart of the process: what is stored stays."""
        log = self.stores.followed
        sources = [self.intake, self.media]
        self.reconciler = Reconciler(
            sources, self.watch, log, self.stores.entries, self.alarms, self.stores.clock
        )

    def fetched(self, event_id: str, record_id: str = RECORD) -> None:
        at = self.stores.clock.now()
        self.intake.fetches.append(
            Fetch(service="intake", record_id=record_id, event_id=event_id, at=at)
        )

    async def log(self, *records: str, action: ev.AccessAction = "view") -> str:
        (event_id,) = await self.stores.arrive([Producer().access(*records, action=action)])
        await self.stores.sequence()
        return event_id


@pytest.fixture
def audit() -> ReconcilingAudit:
    return ReconcilingAudit()


async def test_a_fetch_whose_event_is_logged_is_in_order(audit: ReconcilingAudit) -> None:
    event_id = await audit.log(RECORD)
    audit.fetched(event_id)
    await audit.reconciler.step()
    audit.stores.clock.advance(120 * SECOND)
    await audit.reconciler.step()
    state = await audit.reconciler.state(START)
    assert (state.fetches, list(state.without_event), state.authorised_not_opened) == (1, [], 0)
    assert event_id in audit.intake.confirmed
    assert audit.alarms.raised == []


async def test_an_event_that_comes_later_closes_the_matter(audit: ReconcilingAudit) -> None:
    message = Producer().access(RECORD)
    audit.fetched(message.headers["ce_id"])
    await audit.reconciler.step()
    audit.stores.clock.advance(59 * SECOND)
    await audit.stores.arrive([message])
    await audit.stores.sequence()
    await audit.reconciler.step()
    audit.stores.clock.advance(120 * SECOND)
    await audit.reconciler.step()
    assert audit.alarms.raised == []
    assert not (await audit.reconciler.state(START)).without_event


async def test_a_fetch_without_an_event_is_an_alarm_after_a_minute_and_once(
    audit: ReconcilingAudit,
) -> None:
    audit.fetched(OTHER)
    await audit.reconciler.step()
    audit.stores.clock.advance(59 * SECOND)
    await audit.reconciler.step()
    assert audit.alarms.raised == []
    audit.stores.clock.advance(2 * SECOND)
    for _ in range(3):
        await audit.reconciler.step()
    assert audit.alarms.raised == [("unlogged_fetch", OTHER)]
    (missing,) = (await audit.reconciler.state(START)).without_event
    assert (missing.service, missing.record_id) == ("intake", RECORD)


async def test_events_that_waited_while_audit_was_away_get_a_minute_before_an_alarm(
    audit: ReconcilingAudit,
) -> None:
    message = Producer().access(RECORD)
    audit.fetched(message.headers["ce_id"])
    audit.fetched(OTHER)
    audit.stores.clock.advance(600 * SECOND)
    audit.start()
    await audit.reconciler.step()
    assert audit.alarms.raised == []
    await audit.stores.arrive([message])
    await audit.stores.sequence()
    audit.stores.clock.advance(61 * SECOND)
    await audit.reconciler.step()
    assert audit.alarms.raised == [("unlogged_fetch", OTHER)]


async def test_an_event_without_a_fetch_is_listed_as_authorised_not_opened(
    audit: ReconcilingAudit,
) -> None:
    opened, unopened = await audit.log(RECORD), await audit.log(OTHER)
    audit.fetched(opened)
    await audit.reconciler.step()
    assert (await audit.reconciler.state(START)).authorised_not_opened == 0
    audit.stores.clock.advance(61 * SECOND)
    state = await audit.reconciler.state(START)
    assert (state.authorised_not_opened, list(state.not_opened)) == (1, [unopened])


async def test_who_decides_what_is_withheld_opens_nothing_and_is_not_waited_for(
    audit: ReconcilingAudit,
) -> None:
    await audit.log(RECORD, action="redact")
    audit.stores.clock.advance(61 * SECOND)
    await audit.reconciler.step()
    assert (await audit.reconciler.state(START)).authorised_not_opened == 0


async def test_a_service_that_does_not_answer_keeps_none_of_the_others_from_being_read(
    audit: ReconcilingAudit,
) -> None:
    audit.intake.down = True
    at = audit.stores.clock.now()
    audit.media.fetches.append(Fetch(service="media", record_id=RECORD, event_id=OTHER, at=at))
    with pytest.raises(ConnectionRefusedError):
        await audit.reconciler.step()
    assert [each.event_id for each in audit.watch.fetches.values()] == [OTHER]


async def test_all_pages_are_read_and_a_clock_that_lags_hides_nothing(
    audit: ReconcilingAudit,
) -> None:
    audit.intake.page = 7
    for number in range(40):
        audit.fetched(f"event-{number}")
        audit.stores.clock.advance(SECOND)
    await audit.reconciler.step()
    assert len(audit.watch.fetches) == 40
    late = audit.stores.clock.now() - timedelta(minutes=4)
    audit.intake.fetches.append(Fetch(service="intake", record_id=RECORD, event_id="late", at=late))
    await audit.reconciler.step()
    assert "late" in {each.event_id for each in audit.watch.fetches.values()}


async def test_every_record_that_one_event_opened_is_listed_under_one_alarm(
    audit: ReconcilingAudit,
) -> None:
    for number in range(100):
        audit.fetched("event", f"record-{number}")
    audit.media.fetches.append(audit.intake.fetches[0].model_copy(update={"service": "media"}))
    await audit.reconciler.step()
    audit.stores.clock.advance(61 * SECOND)
    await audit.reconciler.step()
    state = await audit.reconciler.state(START)
    assert len({each.record_id for each in state.without_event}) == 100
    assert (len(state.without_event), state.unlogged) == (101, 101)
    assert await audit.reconciler.late() == {"intake": 100, "media": 1}
    assert audit.alarms.raised == [("unlogged_fetch", "event")]


async def test_the_event_of_many_records_closes_them_all(audit: ReconcilingAudit) -> None:
    message = Producer().access(RECORD, OTHER)
    for record in (RECORD, OTHER):
        audit.fetched(message.headers["ce_id"], record)
    await audit.reconciler.step()
    await audit.stores.arrive([message])
    await audit.stores.sequence()
    await audit.reconciler.step()
    assert audit.watch.fetches == {}


@pytest.mark.parametrize("kept", [AT_ONCE, 3 * AT_ONCE, PAGES * AT_ONCE + 7])
async def test_fetches_that_never_get_an_event_hide_no_other(
    audit: ReconcilingAudit, kept: int
) -> None:
    for number in range(kept):
        audit.fetched(f"never-{number}")
    audit.intake.page = kept + 10
    await audit.reconciler.step()
    audit.stores.clock.advance(61 * SECOND)
    message = Producer().access(RECORD)
    audit.fetched(message.headers["ce_id"])
    audit.fetched("stolen")
    await audit.reconciler.step()
    await audit.stores.arrive([message])
    await audit.stores.sequence()
    audit.stores.clock.advance(61 * SECOND)
    # A round, or two where they are too many for one.
    for _ in range(1 if kept < PAGES * AT_ONCE else 2):
        await audit.reconciler.step()
    assert message.headers["ce_id"] not in {f.event_id for f in audit.watch.fetches.values()}
    assert ("unlogged_fetch", "stolen") in audit.alarms.raised
    state = await audit.reconciler.state(START)
    assert (state.unlogged, len(state.without_event)) == (kept + 1, AT_ONCE)
    assert state.without_event[0].event_id.startswith("never-")
    assert len(audit.alarms.raised) == kept + 1
