"""What the runtime promises of the broker, on the real one and, where there is a fake, on that."""

import contextlib
import os
import signal
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError
from faststream.kafka import KafkaBroker

from deploy.local.stack import Stack
from direct311.runtime.access.ledger import Access, AuditUnavailableError, DurablePublisher, Ledger
from direct311.runtime.access.rules import Caller, RecordFacts, load_access_policy
from direct311.runtime.clock import SystemClock, TimeOrderedIds
from direct311.runtime.errors import TransientError
from direct311.runtime.http.problem_codes import status_of
from direct311.runtime.messaging import broker as kafka
from direct311.runtime.messaging.broker import PROMPT, Consumer, KafkaPublisher, Pace, Received
from direct311.runtime.messaging.records import Entry, is_transient
from direct311.runtime.messaging.relay import Publisher
from direct311.runtime.messaging.signing import Principals
from direct311.runtime.telemetry import Metrics, Tracing
from direct311.schemas import Encoded, Event, dead_letter_topic, encode, misplaced
from direct311.schemas import events as ev
from direct311.schemas.model import Model
from tests.support.access_log import InMemoryAccessLog
from tests.support.memory import InMemoryPublisher
from tests.support.runtime import NOW, Wire, entry, new_id, overdue, signature, until, wire

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

Failed = Sequence[tuple[Event[Model], Exception]]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def line(servers: Stack) -> AsyncIterator[Wire]:
    async with wire(servers) as line:
        yield line


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """The topic of a test is home to every event; which belongs where is for another test."""

    def anywhere(event: Event[Model], _: str) -> str | None:
        return misplaced(event, event.kind.topic)

    monkeypatch.setattr(kafka, "misplaced", anywhere)


class Reader:
    """A consumer's process that notes what came, and fails as it is told."""

    def __init__(self, fail: Callable[[Received], Exception | None] = lambda _: None) -> None:
        self.handled: list[Received] = []
        self.batches: list[int] = []
        self._fail = fail

    async def __call__(self, batch: Sequence[Received]) -> Failed:
        self.batches.append(len(batch))
        failed = []
        for item in batch:
            error = self._fail(item)
            if isinstance(error, TransientError | RuntimeError):
                raise error
            if error is not None:
                failed.append((item.event, error))
        gone = {id(event) for event, _ in failed}
        self.handled += [item for item in batch if id(item.event) not in gone]
        return failed

    @property
    def subjects(self) -> list[str]:
        return [item.event.subject for item in self.handled]


def consumer_of(
    broker: KafkaBroker,
    line: Wire,
    reader: Reader,
    principals: Principals | None = None,
    pace: Pace = PROMPT,
    foreign: Sequence[str] = (),
) -> Consumer:
    return Consumer(
        broker,
        service=line.service,
        topics=[line.topic],
        process=reader,
        principals=principals or Principals({}),
        is_transient=is_transient,
        metrics=Metrics(),
        tracing=Tracing("test", "1", None),
        pace=pace,
        foreign=foreign,
    )


@contextlib.asynccontextmanager
async def consuming(
    line: Wire,
    reader: Reader,
    principals: Principals | None = None,
    pace: Pace = PROMPT,
    foreign: Sequence[str] = (),
) -> AsyncIterator[Consumer]:
    """A member of the service's group; it leaves at the end."""
    async with line.broker(started=False) as broker:
        consumer = consumer_of(broker, line, reader, principals, pace, foreign)
        await broker.start()
        yield consumer
        consumer.leave()


def message(event: Event[Model], line: Wire) -> Encoded:
    return encode(event, topic=line.topic)


async def put(line: Wire, *events: Event[Model]) -> None:
    async with line.broker() as broker:
        entries = [Entry(event.id, message(event, line)) for event in events]
        assert all(await KafkaPublisher(broker).publish(entries))


async def letters(line: Wire) -> list[dict[str, str]]:
    """The dead letters of the service, as their headers say."""
    found = await line.read(dead_letter_topic(line.service))
    assert all(not record.value for record in found)
    return [{name: value.decode() for name, value in record.headers} for record in found]


# ---------------------------------------------------------------- starting


async def test_a_start_that_failed_half_way_is_made_again_whole(
    line: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka goes away between the first client's connection and the second's."""
    connects: Callable[[AIOKafkaAdminClient], Awaitable[None]] = AIOKafkaAdminClient.start
    tries = 0

    async def not_at_first(self: AIOKafkaAdminClient) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise KafkaConnectionError
        await connects(self)

    monkeypatch.setattr(AIOKafkaAdminClient, "start", not_at_first)
    reader = Reader()
    async with line.broker(started=False) as broker:
        consumer = consumer_of(broker, line, reader)
        with pytest.raises(KafkaConnectionError):
            await kafka.start(broker)
        await kafka.start(broker)
        await kafka.ping(broker)
        await put(line, overdue("a", 1))
        await until(lambda: reader.subjects == ["a"], "events are read")
        consumer.leave()


# ---------------------------------------------------------------- publishing


@dataclass(frozen=True)
class Publishing:
    """A publisher, a topic that there is and one that is not, and what has arrived on the first."""

    publisher: Publisher
    topic: str
    missing: str
    arrived: Callable[[], Awaitable[list[tuple[bytes, bytes]]]]


@pytest.fixture(params=["memory", "broker"])
async def publishing(request: pytest.FixtureRequest) -> AsyncIterator[Publishing]:
    if request.param == "memory":
        memory = InMemoryPublisher()
        memory.failing.add("missing")

        async def sent() -> list[tuple[bytes, bytes]]:
            return [(each.message.key, each.message.body) for each in memory.sent]

        yield Publishing(memory, "topic", "missing", sent)
        return
    async with wire(request.getfixturevalue("servers")) as line, line.broker() as broker:

        async def read() -> list[tuple[bytes, bytes]]:
            return [(each.key or b"", each.value or b"") for each in await line.read(line.topic)]

        yield Publishing(KafkaPublisher(broker), line.topic, new_id("missing"), read)


async def test_entries_of_a_key_keep_their_order(publishing: Publishing) -> None:
    entries = [
        Entry(str(n), Encoded(publishing.topic, f"key-{n % 20}".encode(), {}, str(n).encode()))
        for n in range(1000)
    ]
    for first in range(0, 1000, 250):
        results = await publishing.publisher.publish(entries[first : first + 250])
        assert list(results) == [True] * 250
    found: dict[bytes, list[int]] = defaultdict(list)
    for key, body in await publishing.arrived():
        found[key].append(int(body))
    assert len(found) == 20
    assert all(numbers == sorted(numbers) and len(numbers) == 50 for numbers in found.values())


async def test_a_topic_that_is_missing_keeps_no_other_waiting(publishing: Publishing) -> None:
    entries = [
        entry(topic=publishing.topic),
        entry(topic=publishing.missing),
        entry(topic=publishing.missing),
        entry(topic=publishing.topic),
    ]
    assert list(await publishing.publisher.publish(entries)) == [True, False, False, True]
    arrived = {body for _, body in await publishing.arrived()}
    assert arrived == {entries[0].message.body, entries[3].message.body}


async def test_nothing_is_published_at_once(publishing: Publishing) -> None:
    assert list(await publishing.publisher.publish([])) == []


@dataclass(frozen=True)
class Recording:
    """Where access events go, a topic that it takes and one that it does not, and what arrived."""

    publisher: DurablePublisher
    topic: str
    refuse: Callable[[], str]
    arrived: Callable[[], Awaitable[list[bytes]]]


@pytest.fixture(params=["memory", "broker"])
async def recording(request: pytest.FixtureRequest) -> AsyncIterator[Recording]:
    if request.param == "memory":
        memory = InMemoryAccessLog()

        async def entered() -> list[bytes]:
            return [each.message.body for each in memory.entries]

        def down() -> str:
            memory.down = True
            return "topic"

        yield Recording(memory, "topic", down, entered)
        return
    async with wire(request.getfixturevalue("servers")) as line, line.broker() as broker:

        async def read() -> list[bytes]:
            return [each.value or b"" for each in await line.read(line.topic)]

        yield Recording(KafkaPublisher(broker), line.topic, lambda: new_id("missing"), read)


async def test_what_was_recorded_has_arrived_and_what_has_not_is_an_error(
    recording: Recording,
) -> None:
    first, second = entry(topic=recording.topic), entry(topic=recording.topic)
    for each in (first, second):
        await recording.publisher.publish_one(each, 5)
    assert sorted(await recording.arrived()) == sorted([first.message.body, second.message.body])
    with pytest.raises(TimeoutError):
        await recording.publisher.publish_one(entry(topic=recording.refuse()), 0.5)
    assert len(await recording.arrived()) == 2


async def test_a_message_arrives_as_it_was_encoded(line: Wire) -> None:
    event = overdue("a", 1)
    await put(line, event)
    (record,) = await line.read(line.topic)
    sent = message(event, line)
    headers = {name: value.decode() for name, value in record.headers}
    assert (record.key, record.value) == (sent.key, sent.body)
    assert headers.items() >= sent.headers.items()


async def test_a_message_that_is_too_large_is_overtaken_by_none_of_its_key(line: Wire) -> None:
    entries = [
        entry(topic=line.topic),
        Entry("large", Encoded(line.topic, b"large", {}, bytes(2_000_000))),
        Entry("behind", Encoded(line.topic, b"large", {}, b"must not overtake")),
        entry(topic=line.topic),
    ]
    async with line.broker() as broker:
        results = await KafkaPublisher(broker).publish(entries)
    assert list(results) == [True, False, False, True]
    sent = {record.value for record in await line.read(line.topic)}
    assert sent == {entries[0].message.body, entries[3].message.body}


# ---------------------------------------------------------------- consuming


async def test_every_event_is_handled_in_the_order_of_its_key(line: Wire) -> None:
    events = [overdue(f"record-{n % 30}", n) for n in range(1, 901)]
    await put(line, *events)
    reader = Reader()
    async with consuming(line, reader, pace=Pace(records=100)) as consumer:
        await until(lambda: len(reader.handled) >= 900, "all are handled")
        await until(lambda: consumer.busy_since is None, "and done with")
    seen: dict[str, list[str]] = defaultdict(list)
    sent: dict[str, list[str]] = defaultdict(list)
    for item in reader.handled:
        seen[item.event.subject].append(item.event.id)
    for event in events:
        sent[event.subject].append(event.id)
    assert seen == sent
    assert await line.committed(line.service) == 900


async def test_members_of_a_group_share_the_work_and_lose_none_of_it(line: Wire) -> None:
    """One joins while the other is at work, and that one leaves: each event is handled, and a
    repeated one comes behind nothing newer of its key that it had not come before."""
    events = [overdue(f"record-{n % 30}", n) for n in range(1, 601)]
    one, other = Reader(), Reader()
    await put(line, *events[:300])
    async with consuming(line, other, pace=Pace(records=20)) as second:
        async with consuming(line, one, pace=Pace(records=20)):
            await put(line, *events[300:])
            await until(lambda: len(one.handled) + len(other.handled) >= 300, "they are at work")
        await until(
            lambda: (
                {item.event.id for item in (*one.handled, *other.handled)}
                >= {event.id for event in events}
            ),
            "all are handled",
        )
        await until(lambda: second.busy_since is None, "and done with")
    for reader in (one, other):
        highest: dict[str, int] = {}
        seen: set[str] = set()
        for item in reader.handled:
            assert isinstance(item.event.data, ev.RequestOverdue)
            if item.event.id not in seen:
                assert item.event.data.version > highest.get(item.event.subject, 0)
                highest[item.event.subject] = item.event.data.version
            seen.add(item.event.id)
    assert await line.committed(line.service) == 600


class Dying(Reader):
    """It has handled a batch, and does not come to say so."""

    async def __call__(self, batch: Sequence[Received]) -> Failed:
        await super().__call__(batch)
        raise TransientError("killed")


async def test_what_was_not_committed_comes_again_and_what_was_does_not(line: Wire) -> None:
    await put(line, overdue("a", 1))
    first = Reader()
    async with consuming(line, first) as consumer:
        await until(lambda: first.handled, "the first is handled")
        await until(lambda: consumer.busy_since is None, "and done with")
    await put(line, overdue("b", 1))
    dying = Dying()
    async with consuming(line, dying):
        await until(lambda: dying.handled, "the second is handled")
    assert dying.subjects == ["b"]
    last = Reader()
    async with consuming(line, last):
        await until(lambda: last.handled, "the second comes again")
    assert last.subjects == ["b"]


async def test_what_is_transient_is_tried_again_until_it_works(line: Wire) -> None:
    await put(line, overdue("a", 1), overdue("b", 1))
    refusals = [TransientError("not now")] * 3 + [TransientError("not yet")]
    reader = Reader(lambda _: refusals.pop() if refusals else None)
    async with consuming(line, reader):
        await until(lambda: len(reader.handled) == 2, "both are handled in the end")
    assert sorted(reader.subjects) == ["a", "b"]
    assert await letters(line) == []


async def test_an_event_that_fails_for_good_is_named_in_a_dead_letter(line: Wire) -> None:
    await put(line, *(overdue(each, 1) for each in "abc"))
    reader = Reader(lambda item: ValueError("Maria") if item.event.subject == "b" else None)
    async with consuming(line, reader) as consumer:
        await until(lambda: len(reader.handled) == 2, "the others are handled")
        await until(lambda: consumer.busy_since is None, "and done with")
    (letter,) = await letters(line)
    (wanted,) = [r for r in await line.read(line.topic) if r.key == b"b"]
    assert letter["dl_topic"] == line.topic
    assert (int(letter["dl_partition"]), int(letter["dl_offset"])) == (
        wanted.partition,
        wanted.offset,
    )
    assert (letter["dl_kind"], letter["dl_service"]) == ("ValueError", line.service)
    assert "Maria" not in str(letter)


async def test_a_batch_that_breaks_the_process_loses_nothing_but_the_event_that_does(
    line: Wire,
) -> None:
    """A bug, or a document that cannot be read: whatever is raised, the others are handled."""
    await put(line, *(overdue(f"{n}", v) for v in (1, 2) for n in range(20)))
    reader = Reader(lambda item: RuntimeError("Maria") if item.event.subject == "7" else None)
    async with consuming(line, reader) as consumer:
        await until(lambda: len(reader.handled) >= 38, "the others are handled")
        await put(line, overdue("later", 1))
        await until(lambda: "later" in reader.subjects, "and so is what comes afterwards")
        await until(lambda: consumer.busy_since is None, "and done with")
    assert set(reader.subjects) == {*(f"{n}" for n in range(20) if n != 7), "later"}
    found = await letters(line)
    assert [letter["dl_kind"] for letter in found] == ["RuntimeError", "RuntimeError"]
    assert "Maria" not in str(found)
    assert await line.committed(line.service) == 41


def unsigned() -> Event[Model]:
    data = ev.RecordDestroyed(
        record_id="gone",
        order_id=str(uuid4()),
        holder="geo",
        documents=1,
        fields=0,
        objects=0,
        bytes=0,
        keys=0,
        manner="deleted",
        destroyed_at=NOW,
        recoverable_until=NOW,
    )
    return Event(str(uuid4()), "/direct311/geo", "gone", NOW, data)


async def test_messages_that_are_no_events_of_ours_are_named_and_the_others_handled(
    line: Wire,
) -> None:
    good = message(overdue("good", 1), line)
    geo, media = signature("geo"), signature("media")
    receipt = message(unsigned(), line)
    forged = media.signer.sign(receipt)
    signed = geo.signer.sign(receipt)
    no_subject = {k: v for k, v in signed.headers.items() if k != "ce_subject"}
    early = b'{"record_id":"a","version":1,"department":"parks","due_on":"2026-03-01",'
    bad = {
        "body": Encoded(line.topic, b"1", good.headers, b"{"),
        "no body": Encoded(line.topic, b"2", good.headers, b""),
        "type": Encoded(line.topic, b"3", good.headers | {"ce_type": "another"}, good.body),
        "time": Encoded(
            line.topic, b"4", good.headers | {"ce_time": "0001-01-01T00:00:00+14:00"}, good.body
        ),
        "an instant": Encoded(
            line.topic,
            b"5",
            good.headers | {"ce_subject": "a"},
            early + b'"noticed_at":"0001-01-01T00:00:00+14:00"}',
        ),
        "unsigned": receipt,
        "forged": forged,
        "changed": Encoded(
            line.topic,
            b"6",
            signed.headers,
            signed.body.replace(b'"documents":1', b'"documents":2'),
        ),
        "another subject than signed": Encoded(line.topic, b"7", no_subject, signed.body),
    }
    for message_ in bad.values():
        await line.send(message_)
    await line.send(Encoded(line.topic, b"8", {}, b"no headers at all"))
    await line.send(good, [("comment", b"\xff\xfe not text")])
    await line.send(message(overdue("null", 1), line), [("comment", None)])
    await line.send(signed)
    both = Principals({**geo.principals._keys, **media.principals._keys})
    reader = Reader()
    async with consuming(line, reader, both) as consumer:
        await until(lambda: len(reader.handled) >= 3, "the good ones are handled")
        await until(lambda: consumer.busy_since is None, "and done with")
    assert sorted(reader.subjects) == ["gone", "good", "null"]
    found = await letters(line)
    assert len(found) == len(bad) + 1
    kinds = sorted(letter["dl_kind"] for letter in found)
    assert kinds == ["DecodeError"] * 6 + ["SignatureError"] * 4
    assert await line.committed(line.service) == len(bad) + 4


async def test_too_many_dead_letters_in_a_row_stop_the_consumer(
    line: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Consumer, "DEAD_LETTERS_IN_A_ROW", 5)
    await put(line, *(overdue(f"{n}", 1) for n in range(8)))
    reader = Reader(lambda _: ValueError())
    async with consuming(line, reader) as consumer:
        await until(lambda: consumer.stopped_because, "the consumer stops")
        await put(line, overdue("later", 1))
        broken = len(await letters(line))
        assert broken >= 5
        assert reader.handled == []
    assert await line.committed(line.service) == 0
    mended = Reader()
    async with consuming(line, mended):
        await until(lambda: len(mended.handled) == 9, "after a restart all come again")


# ---------------------------------------------------------------- written down before it is read


def _stands_still(pid: int) -> bool:
    """Whether all threads of a process have stopped: proc(5), the third field of `stat`."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return all((each / "stat").read_text().rpartition(")")[2].split()[0] == "T" for each in threads)


async def test_an_access_that_cannot_be_written_down_is_refused_within_two_seconds(
    line: Wire, servers: Stack
) -> None:
    policy = load_access_policy()
    caller = Caller("agent-7", ("agent",))
    access = Access(caller, "view", "respond", "test", ("phone",), ("r",))
    at = datetime.now(UTC)
    decision = policy.decide(caller, "respond", ("phone",), RecordFacts("r"), at=at)
    (pid,) = [part.pid for part in servers.status() if part.name == "kafka"]
    assert pid is not None
    async with line.broker() as broker:
        ledger = Ledger(
            service="intake",
            instance="intake-1",
            version="1",
            publisher=KafkaPublisher(broker),
            signer=signature("intake").signer,
            clock=SystemClock(),
            ids=TimeOrderedIds(),
            metrics=Metrics(),
            mask=str,
        )
        assert await ledger.write(access, decision, "success")
        os.kill(pid, signal.SIGSTOP)
        try:
            await until(lambda: _stands_still(pid), "the broker stands still")
            started = time.monotonic()
            with pytest.raises(AuditUnavailableError) as refused:
                await ledger.write(access, decision, "success")
            took = time.monotonic() - started
        finally:
            os.kill(pid, signal.SIGCONT)
        assert status_of(refused.value) == 503
        # It gives up after 1.5 s. A publisher would try for 12 s; a busy machine needs some.
        assert took < 8
        again = time.monotonic() + 20
        while True:
            with contextlib.suppress(AuditUnavailableError):
                await ledger.write(access, decision, "success")
                break
            assert time.monotonic() < again, "the log is written again when the broker is back"
