"""Every fetch of a key has its event."""

from datetime import timedelta

import pytest

from direct311.audit.monitoring.domain.fetches import Fetch
from direct311.audit.monitoring.handlers.reconcile import AT_ONCE, PAGES, Reconciler
from tests.unit.audit.events import OTHER, RECORD, START, Producer
from tests.unit.audit.fakes import (
    InMemoryFetches,
    InMemoryWatch,
)
from tests.unit.audit.log_contract import in_memory

pytestmark = pytest.mark.anyio
SECOND = timedelta(seconds=1)


class World:
    def __init__(self) -> None:
        self.stores = in_memory()
        self.intake, self.media = InMemoryFetches("intake"), InMemoryFetches("media")
        self.watch = InMemoryWatch()
        self.alarms = self.stores.alarms
        self.start()

    def start(self) -> None:
        """As after a restart of the process: what is stored stays."""
        log = self.stores.log
        sources = [self.intake, self.media]
        self.reconciler = Reconciler(
            sources, self.watch, log, self.stores.entries, self.alarms, self.stores.clock
        )

    def fetched(self, event_id: str, record_id: str = RECORD) -> None:
        at = self.stores.clock.now()
        self.intake.fetches.append(
            Fetch(service="intake", record_id=record_id, event_id=event_id, at=at)
        )

    async def log(self, *records: str) -> str:
        (event_id,) = await self.stores.arrive([Producer().access(*records)])
        await self.stores.sequence()
        return event_id


@pytest.fixture
def world() -> World:
    return World()


async def test_a_fetch_whose_event_is_logged_is_in_order(world: World) -> None:
    event_id = await world.log(RECORD)
    world.fetched(event_id)
    await world.reconciler.step()
    world.stores.clock.advance(120 * SECOND)
    await world.reconciler.step()
    state = await world.reconciler.state(START)
    assert (state.fetches, list(state.without_event), state.authorised_not_opened) == (1, [], 0)
    assert event_id in world.intake.confirmed
    assert world.alarms.raised == []


async def test_an_event_that_comes_later_closes_the_matter(world: World) -> None:
    message = Producer().access(RECORD)
    world.fetched(message.headers["ce_id"])
    await world.reconciler.step()
    world.stores.clock.advance(59 * SECOND)
    await world.stores.arrive([message])
    await world.stores.sequence()
    await world.reconciler.step()
    world.stores.clock.advance(120 * SECOND)
    await world.reconciler.step()
    assert world.alarms.raised == []
    assert not (await world.reconciler.state(START)).without_event


async def test_a_fetch_without_an_event_is_an_alarm_after_a_minute_and_once(world: World) -> None:
    world.fetched(OTHER)
    await world.reconciler.step()
    world.stores.clock.advance(59 * SECOND)
    await world.reconciler.step()
    assert world.alarms.raised == []
    world.stores.clock.advance(2 * SECOND)
    for _ in range(3):
        await world.reconciler.step()
    assert world.alarms.raised == [("unlogged_fetch", OTHER)]
    (missing,) = (await world.reconciler.state(START)).without_event
    assert (missing.service, missing.record_id) == ("intake", RECORD)


async def test_events_that_waited_while_audit_was_away_get_a_minute_before_an_alarm(
    world: World,
) -> None:
    message = Producer().access(RECORD)
    world.fetched(message.headers["ce_id"])
    world.fetched(OTHER)
    world.stores.clock.advance(600 * SECOND)
    world.start()
    await world.reconciler.step()
    assert world.alarms.raised == []
    await world.stores.arrive([message])
    await world.stores.sequence()
    world.stores.clock.advance(61 * SECOND)
    await world.reconciler.step()
    assert world.alarms.raised == [("unlogged_fetch", OTHER)]


async def test_an_event_without_a_fetch_is_listed_as_authorised_not_opened(world: World) -> None:
    opened, unopened = await world.log(RECORD), await world.log(OTHER)
    world.fetched(opened)
    await world.reconciler.step()
    assert (await world.reconciler.state(START)).authorised_not_opened == 0
    world.stores.clock.advance(61 * SECOND)
    state = await world.reconciler.state(START)
    assert (state.authorised_not_opened, list(state.not_opened)) == (1, [unopened])


async def test_a_service_that_does_not_answer_keeps_none_of_the_others_from_being_read(
    world: World,
) -> None:
    world.intake.down = True
    at = world.stores.clock.now()
    world.media.fetches.append(Fetch(service="media", record_id=RECORD, event_id=OTHER, at=at))
    with pytest.raises(ConnectionRefusedError):
        await world.reconciler.step()
    assert [each.event_id for each in world.watch.fetches.values()] == [OTHER]


async def test_all_pages_are_read_and_a_clock_that_lags_hides_nothing(world: World) -> None:
    world.intake.page = 7
    for number in range(40):
        world.fetched(f"event-{number}")
        world.stores.clock.advance(SECOND)
    await world.reconciler.step()
    assert len(world.watch.fetches) == 40
    late = world.stores.clock.now() - timedelta(minutes=4)
    world.intake.fetches.append(Fetch(service="intake", record_id=RECORD, event_id="late", at=late))
    await world.reconciler.step()
    assert "late" in {each.event_id for each in world.watch.fetches.values()}


async def test_every_record_that_one_event_opened_is_listed_under_one_alarm(world: World) -> None:
    for number in range(100):
        world.fetched("event", f"record-{number}")
    world.media.fetches.append(world.intake.fetches[0].model_copy(update={"service": "media"}))
    await world.reconciler.step()
    world.stores.clock.advance(61 * SECOND)
    await world.reconciler.step()
    state = await world.reconciler.state(START)
    assert len({each.record_id for each in state.without_event}) == 100
    assert (len(state.without_event), state.unlogged) == (101, 101)
    assert await world.reconciler.late() == {"intake": 100, "media": 1}
    assert world.alarms.raised == [("unlogged_fetch", "event")]


async def test_the_event_of_many_records_closes_them_all(world: World) -> None:
    message = Producer().access(RECORD, OTHER)
    for record in (RECORD, OTHER):
        world.fetched(message.headers["ce_id"], record)
    await world.reconciler.step()
    await world.stores.arrive([message])
    await world.stores.sequence()
    await world.reconciler.step()
    assert world.watch.fetches == {}


@pytest.mark.parametrize("kept", [AT_ONCE, 3 * AT_ONCE, PAGES * AT_ONCE + 7])
async def test_fetches_that_never_get_an_event_hide_no_other(world: World, kept: int) -> None:
    for number in range(kept):
        world.fetched(f"never-{number}")
    world.intake.page = kept + 10
    await world.reconciler.step()
    world.stores.clock.advance(61 * SECOND)
    message = Producer().access(RECORD)
    world.fetched(message.headers["ce_id"])
    world.fetched("stolen")
    await world.reconciler.step()
    await world.stores.arrive([message])
    await world.stores.sequence()
    world.stores.clock.advance(61 * SECOND)
    # A round, or two where they are too many for one.
    for _ in range(1 if kept < PAGES * AT_ONCE else 2):
        await world.reconciler.step()
    assert message.headers["ce_id"] not in {f.event_id for f in world.watch.fetches.values()}
    assert ("unlogged_fetch", "stolen") in world.alarms.raised
    state = await world.reconciler.state(START)
    assert (state.unlogged, len(state.without_event)) == (kept + 1, AT_ONCE)
    assert state.without_event[0].event_id.startswith("never-")
    assert len(world.alarms.raised) == kept + 1
