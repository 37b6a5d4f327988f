"""Lost nothing, done once: processor, outbox and relay, with every step failing in turn."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import anyio
import pytest

from direct311.runtime.errors import TransientError
from direct311.runtime.messaging.records import IN_HAND_GRACE, Entry, Write, hold_handlers, on
from direct311.runtime.messaging.relay import Relay
from direct311.runtime.messaging.state import Change, Outgoing
from direct311.schemas import Event
from direct311.schemas import events as ev
from direct311.schemas.model import Model
from tests.support.memory import InMemoryPresence, InMemoryPublisher, InMemoryRecords
from tests.support.runtime import SetClock, Tally, overdue, until
from tests.support.service_under_test import ServiceUnderTest

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def add(state: Tally, event: Event[ev.RequestOverdue]) -> Change[Tally] | None:
    after = state.model_copy(update={"total": state.total + 1})
    out = ev.RequestRecalled(
        record_id=state.record_id,
        version=state.version + 1,
        department=event.data.department,
        reason=str(after.total),
        recalled_at=event.time,
    )
    return Change(after, (Outgoing(out),))


class CountingService(ServiceUnderTest):
    """A service that counts, with its relay."""

    def __init__(
        self,
        records: InMemoryRecords[Tally] | None = None,
        presence: InMemoryPresence | None = None,
        clock: SetClock | None = None,
    ) -> None:
        super().__init__(clock=clock)
        self.presence = presence or InMemoryPresence()
        self.records = records or InMemoryRecords()
        self.state = self.records.state
        self.publisher = InMemoryPublisher()
        self.relay = self.relay_of(self.records, self.publisher, self.presence)
        handlers = {**hold_handlers(), **dict([on(ev.RequestOverdue, add)])}
        self.processor = self.processor_of(self.records, Tally, handlers, self.relay)

    async def drain(self) -> None:
        """What the holder of the lease does, once everything in hand is overdue."""
        self.clock.at += IN_HAND_GRACE
        while await self.relay.publish_due():
            pass


async def test_a_redelivered_event_changes_nothing() -> None:
    service = CountingService()
    first, second = overdue("a", 1), overdue("a", 2)
    await service.processor.apply([first, second])
    await service.processor.apply([first, second])
    await service.processor.apply([second])
    assert service.state("a").total == 2
    assert service.state("a").version == 2
    await service.drain()
    assert [entry.message.topic for entry in service.publisher.sent] == ["request.recalled"] * 2
    assert len({entry.id for entry in service.publisher.sent}) == 2


async def test_an_older_event_is_dropped() -> None:
    service = CountingService()
    await service.processor.apply([overdue("a", 5)])
    await service.processor.apply([overdue("a", 4)])
    assert service.state("a").total == 1


async def test_records_of_a_batch_do_not_mix() -> None:
    service = CountingService()
    await service.processor.apply([overdue("a", 1), overdue("b", 1), overdue("a", 2)])
    assert (service.state("a").total, service.state("b").total) == (2, 1)


async def test_a_read_gives_the_state_or_the_initial_one_and_writes_nothing() -> None:
    service = CountingService()
    assert await service.processor.read("a") == Tally(record_id="a")
    assert service.records.documents == {}
    await service.processor.apply([overdue("a", 1)])
    assert await service.processor.read("a") == service.state("a")
    assert service.state("a").version == 1


class Rival(InMemoryRecords[Tally]):
    """Another copy of the service changes the record between read and write, the first times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    async def commit(self, writes: Sequence[Write[Tally]]) -> set[str]:
        if self.times:
            self.times -= 1
            for write in writes:
                record_id = write.state.record_id
                current = self.documents.get(record_id)
                state = current.state if current else Tally(record_id=record_id)
                rival = state.model_copy(
                    update={"total": state.total + 100, "version": state.version + 1}
                )
                self.documents[record_id] = Write(
                    state.version, rival, current.outbox if current else (), write.relay_after
                )
        return await super().commit(writes)


async def test_a_rival_write_is_folded_in_and_nothing_is_lost() -> None:
    service = CountingService(Rival(3))
    await service.processor.apply([overdue("a", 1), overdue("b", 1)])
    assert service.state("a").total == 301
    await service.drain()
    assert len(service.publisher.sent) == 2


async def test_a_record_that_never_settles_is_given_back() -> None:
    service = CountingService(Rival(1000))
    with pytest.raises(TransientError):
        await service.processor.apply([overdue("a", 1)])


async def test_a_handler_that_fails_loses_only_its_own_event() -> None:
    service = CountingService()

    async def broken(state: Tally, event: Event[ev.RequestOverdue]) -> Change[Tally] | None:
        if event.data.version == 2:
            raise ValueError("a bug")
        return await add(state, event)

    service.processor._handlers[ev.RequestOverdue] = broken  # type: ignore[assignment]
    events = [overdue("a", 1), overdue("a", 2), overdue("a", 3), overdue("b", 1)]
    failed = await service.processor.apply(events)
    assert [event.id for event, _ in failed] == [events[1].id]
    assert (service.state("a").total, service.state("b").total) == (2, 1)


async def test_what_was_published_from_memory_is_not_published_again() -> None:
    service = CountingService()
    service.relay.start()
    await service.processor.apply([overdue("a", 1), overdue("b", 1)])
    await service.relay.stop()
    assert len(service.publisher.sent) == 2
    await service.drain()
    assert len(service.publisher.sent) == 2
    assert service.records.documents["a"].outbox == ()


async def test_a_broker_that_refuses_keeps_order_and_loses_nothing() -> None:
    service = CountingService()
    service.publisher.failing.add("request.recalled")
    service.relay.start()
    await service.processor.apply([overdue("a", 1)])
    await service.processor.apply([overdue("a", 2)])
    await service.relay.stop()
    assert service.publisher.sent == []
    await service.processor.apply([overdue("a", 3)])
    service.publisher.failing.clear()
    await service.drain()
    reasons = [b'"reason":"%d"' % n for n in (1, 2, 3)]
    assert all(
        reason in entry.message.body
        for reason, entry in zip(reasons, service.publisher.sent, strict=True)
    )


async def test_what_the_broker_does_not_take_is_left_to_the_holder_of_the_lease_at_once() -> None:
    service = CountingService()
    service.publisher.failing.add("request.recalled")
    service.relay.start()
    await service.processor.apply([overdue("a", 1)])
    await service.relay.stop()
    assert service.publisher.sent == []
    service.publisher.failing.clear()
    # No time has passed.
    await service.relay.publish_due()
    assert [entry.message.key for entry in service.publisher.sent] == [b"a"]
    assert service.records.documents["a"].outbox == ()


class Away(InMemoryRecords[Tally]):
    """The database does not answer the next releases."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    async def release(self, record_ids: Sequence[str], now: datetime) -> None:
        self.times -= 1
        if self.times >= 0:
            raise TransientError("the database does not answer")
        await super().release(record_ids, now)


async def test_who_cannot_leave_it_to_the_holder_tries_again() -> None:
    records = Away(1)
    service = CountingService(records)
    service.publisher.failing.add("request.recalled")
    service.relay.start()
    await service.processor.apply([overdue("a", 1)])
    await until(lambda: records.times < 1, "the first release failed")
    service.publisher.failing.clear()
    # No time passes but that of the poll.
    await until(lambda: len(service.publisher.sent) == 1, "it goes out with the next poll")
    assert not service.relay._refused
    await service.relay.stop()


async def test_who_never_can_leaves_it_until_its_time_has_come() -> None:
    service = CountingService(Away(1000))
    service.publisher.failing.add("request.recalled")
    service.relay.start()
    await service.processor.apply([overdue("a", 1)])
    await service.relay.stop()
    service.publisher.failing.clear()
    await service.relay.publish_due()
    assert service.publisher.sent == []
    await service.drain()
    assert len(service.publisher.sent) == 1


async def test_what_a_killed_process_had_in_hand_is_taken_over_once_it_is_silent() -> None:
    until_when: dict[str, datetime] = {}
    killed = CountingService(presence=InMemoryPresence(until_when, "killed"))
    killed.records.writer = "killed"
    await killed.presence.confirm(killed.clock.now())
    await killed.processor.apply([overdue("a", 1)])
    survivor = CountingService(
        killed.records, InMemoryPresence(until_when, "survivor"), killed.clock
    )
    survivor.records.writer = "survivor"
    await survivor.processor.apply([overdue("mine", 1)])

    async def look() -> list[bytes | None]:
        await survivor.presence.confirm(survivor.clock.now())
        await survivor.relay.take_over()
        await survivor.relay.publish_due()
        return [entry.message.key for entry in survivor.publisher.sent]

    assert await look() == []
    survivor.clock.at += timedelta(seconds=5)
    assert await look() == []
    survivor.clock.at += timedelta(milliseconds=1)
    # What the survivor itself has in hand is not taken from it.
    assert await look() == [b"a"]
    assert list(until_when) == ["survivor"]
    assert await look() == [b"a"]


async def test_who_ends_in_order_says_so_and_who_leaves_something_does_not() -> None:
    until_when: dict[str, datetime] = {}
    service = CountingService(presence=InMemoryPresence(until_when, "one"))
    service.relay.start()
    await until(lambda: list(until_when) == ["one"], "it says that it lives")
    await service.processor.apply([overdue("a", 1)])
    await service.relay.stop()
    assert until_when == {}
    service = CountingService(Away(1000), InMemoryPresence(until_when, "two"))
    service.publisher.failing.add("request.recalled")
    service.relay.start()
    await until(lambda: list(until_when) == ["two"], "it says that it lives")
    await service.processor.apply([overdue("a", 1)])
    await service.relay.stop()
    assert list(until_when) == ["two"]


async def test_marks_are_made_when_it_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Relay, "MARK_SECONDS", 0.01)
    monkeypatch.setattr(Relay, "QUIET_SECONDS", 0.2)
    service = CountingService()
    service.relay.start()
    for version in range(1, 41):
        await service.processor.apply([overdue(f"r-{version}", 1)])
        await anyio.sleep(0.01)
    assert len(service.publisher.sent) > 0
    assert all(write.outbox for write in service.records.documents.values())
    await until(
        lambda: not any(write.outbox for write in service.records.documents.values()),
        "all are marked",
    )
    await service.relay.stop()


async def test_marks_are_made_in_time_where_it_is_never_quiet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Relay, "MARK_SECONDS", 0.01)
    monkeypatch.setattr(Relay, "QUIET_SECONDS", 1000.0)
    monkeypatch.setattr(Relay, "MARK_AFTER_SECONDS", 0.1)
    service = CountingService()
    service.relay.start()
    await service.processor.apply([overdue("a", 1)])
    await until(lambda: not service.records.documents["a"].outbox, "it is marked")
    assert len(service.publisher.sent) == 1
    await service.relay.stop()


async def test_a_crash_after_the_write_leaves_the_events_in_the_outbox() -> None:
    service = CountingService()
    await service.processor.apply([overdue("a", 1)])
    survivor = CountingService(service.records)
    await survivor.drain()
    assert len(survivor.publisher.sent) == 1
    assert survivor.records.documents["a"].outbox == ()


def ordered(record_id: str, version: int) -> Event[Model]:
    data = ev.DispositionOrdered(
        record_id=record_id,
        version=version,
        order_id=str(uuid4()),
        items=("94",),
        holders=("intake",),
        custodian="c",
        records_officer="r",
        ordered_at=datetime(2026, 3, 2, tzinfo=UTC),
    )
    return Event(str(uuid4()), "/direct311/retention", record_id, data.ordered_at, data)


def held(record_id: str, version: int) -> Event[Model]:
    data = ev.HoldPlaced(
        record_id=record_id,
        version=version,
        hold_id="h",
        kind="litigation",
        authority="case",
        placed_at=datetime(2026, 3, 2, tzinfo=UTC),
    )
    return Event(str(uuid4()), "/direct311/retention", record_id, data.placed_at, data)


async def test_a_record_being_destroyed_takes_nothing_more() -> None:
    service = CountingService()
    await service.processor.apply([overdue("a", 1), ordered("a", 1)])
    assert service.state("a").lifecycle == "destroying"
    before: Any = service.state("a")
    await service.processor.apply([overdue("a", 2), held("a", 9), ordered("a", 10)])
    assert service.state("a") == before


async def test_an_order_against_a_hold_is_refused_by_the_holder_itself() -> None:
    service = CountingService()
    failed = await service.processor.apply([overdue("a", 1), held("a", 1), ordered("a", 2)])
    assert [type(error).__name__ for _, error in failed] == ["HeldError"]
    assert service.state("a").lifecycle == "active"


def test_a_relay_owns_what_it_published_and_what_it_holds_in_hand() -> None:
    service = CountingService()
    assert service.relay.owned([])
    assert not service.relay.owned(["x"])
    entry = Entry("x", None)  # type: ignore[arg-type]
    service.relay.offer("a", [entry])
    assert service.relay.owned(["x"])
    assert not service.relay.published("x")


class Overtaken(InMemoryRecords[Tally]):
    """The relay publishes and marks between a writer's read and its write."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], Awaitable[object]] | None = None

    async def commit(self, writes: Sequence[Write[Tally]]) -> set[str]:
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        return await super().commit(writes)


async def test_what_was_written_while_the_broker_refused_what_came_before_is_left_at_once() -> None:
    records = Overtaken()
    service = CountingService(records)
    await service.processor.apply([overdue("a", 1)])

    async def refused() -> None:
        service.publisher.failing.add("request.recalled")
        service.relay.start()
        await until(lambda: service.relay.waiting == 0, "it is refused")
        await service.relay.stop()

    records.meanwhile = refused
    await service.processor.apply([overdue("a", 2)])
    service.publisher.failing.clear()
    # No time has passed.
    await service.relay._release()
    await service.relay.publish_due()
    assert [b'"reason":"1"' in entry.message.body for entry in service.publisher.sent] == [
        True,
        False,
    ]


async def test_a_write_that_brings_published_entries_back_does_not_publish_them_again() -> None:
    records = Overtaken()
    service = CountingService(records)
    await service.processor.apply([overdue("a", 1)])
    records.meanwhile = service.drain
    await service.processor.apply([overdue("a", 2)])
    assert len(service.records.documents["a"].outbox) == 2
    await service.drain()
    reasons = [entry.message.body.count(b'"reason":"1"') for entry in service.publisher.sent]
    assert reasons == [1, 0]
    assert not service.records.documents["a"].outbox


async def test_one_that_never_goes_out_keeps_only_its_own_record_waiting() -> None:
    service = CountingService()
    await service.processor.apply([overdue("stuck", 1), overdue("free", 1)])

    class OneFails(InMemoryPublisher):
        async def publish(self, entries: Sequence[Entry]) -> Sequence[bool]:
            works = [entry.message.key != b"stuck" for entry in entries]
            self.sent += [entry for entry, one in zip(entries, works, strict=True) if one]
            return works

    service.relay._publisher = OneFails()
    service.clock.at += IN_HAND_GRACE
    await service.relay.publish_due()
    await service.processor.apply([overdue("stuck", 2), overdue("free", 2)])
    service.clock.at += IN_HAND_GRACE
    await service.relay.publish_due()
    assert len(service.records.documents["stuck"].outbox) == 2
    assert not service.records.documents["free"].outbox


async def test_many_that_never_go_out_keep_no_others_waiting() -> None:
    service = CountingService()
    service.relay.BATCH = 5

    class MostFail(InMemoryPublisher):
        async def publish(self, entries: Sequence[Entry]) -> Sequence[bool]:
            works = [not entry.message.key.startswith(b"stuck") for entry in entries]
            self.sent += [entry for entry, one in zip(entries, works, strict=True) if one]
            return works

    service.relay._publisher = MostFail()
    await service.processor.apply([overdue(f"stuck-{number}", 1) for number in range(13)])
    await service.processor.apply([overdue("free", 1)])
    for _ in range(2):
        await service.drain()
        assert not service.records.documents["free"].outbox
        assert sum(bool(write.outbox) for write in service.records.documents.values()) == 13
        # The next time round they are tried again, and so is what has come since.
        await service.processor.apply([overdue("free", 2)])


async def test_what_comes_while_too_much_is_in_hand_waits_in_its_outbox() -> None:
    service = CountingService()
    service.relay.IN_HAND = 2
    await service.processor.apply([overdue(f"r-{number}", 1) for number in range(5)])
    assert service.relay.waiting == 2
    service.relay.start()
    try:
        # Those beyond are not due for a while; they are released at once.
        await until(lambda: len(service.publisher.sent) == 5, "all are published")
    finally:
        await service.relay.stop()
