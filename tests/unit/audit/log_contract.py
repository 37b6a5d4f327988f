"""What the log's stores must keep to: run on the fakes, and over the wire on the real ones."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from typing import Any, Protocol, cast

import pytest
from uuid_utils import compat

from direct311.audit.domain import Filter, facts_of
from direct311.audit.handlers.archive import Archive
from direct311.audit.handlers.files import LogFiles
from direct311.audit.handlers.keyring import KeyRing
from direct311.audit.handlers.log_keys import LogKey, LogKeys
from direct311.audit.handlers.publish import Unwitnessed, sign_head
from direct311.audit.handlers.receive import Receiving
from direct311.audit.handlers.sequence import Sequencer
from direct311.audit.ports import (
    BodyKeys,
    Entries,
    ExistsOtherwiseError,
    FencedError,
    Inbox,
    Log,
    Objects,
    StaleStageError,
)
from direct311.runtime.keys import FileKeyProvider
from direct311.schemas import Encoded
from direct311.verifier.bundle import Receipt
from direct311.verifier.entry import Entry, derive_entry_key
from direct311.verifier.event import verify_event
from direct311.verifier.merkle import MemoryHashes, leaf_hash, tree_root, verify_inclusion
from direct311.verifier.note import Signer
from direct311.verifier.tiles import WIDTH, Tile, hash_tiles, join_entries, partial_tiles
from tests.unit.audit.events import (
    OTHER,
    RECORD,
    START,
    THIRD,
    Producer,
    private_key,
    producers,
    received,
)
from tests.unit.audit.fakes import InMemoryAlarms, SettableClock

LOG_SIGNER = Signer("direct311.miamidade.gov/audit", private_key("log"))
LOG_KEYS = LogKeys([LogKey(LOG_SIGNER)])
PROVIDER = FileKeyProvider("kek-1", {"kek-1": bytes(32)})


class TimeOrdered:
    def new(self) -> str:
        return str(compat.uuid7())


class DestroyableKeys(BodyKeys, Protocol):
    async def destroy(self, record_id: str) -> bool: ...


@dataclass
class Stores:
    """One empty log."""

    inbox: Inbox
    log: Log
    entries: Entries
    keys: DestroyableKeys
    objects: Objects

    def __post_init__(self) -> None:
        self.clock = SettableClock(START)
        self.alarms = InMemoryAlarms()
        self.keyring = KeyRing(self.keys, PROVIDER)
        self.files = LogFiles(self.log, self.objects)
        self.published = Unwitnessed(self.log, LOG_KEYS, self.clock)
        self.archive = Archive(self.log, self.objects, self.alarms, self.published, self.clock)

    def sequencer(self, batch: int = 2_000) -> Sequencer:
        return Sequencer(self.inbox, self.log, self.keyring, self.clock, batch=batch)

    async def arrive(self, messages: Sequence[Encoded]) -> list[str]:
        """Into the inbox, as one batch; the events' ids."""
        receiving = Receiving(self.inbox, self.clock, TimeOrdered())
        batch = [received(message, offset) for offset, message in enumerate(messages)]
        assert not await receiving.take(batch)
        return [each.event.id for each in batch]

    async def sequence(self, batch: int = 2_000) -> None:
        """Bring the whole inbox into the log, whatever others did before."""
        sequencer = self.sequencer(batch)
        for attempt in range(200):
            try:
                if not await sequencer.step():
                    return
            except (FencedError, StaleStageError):
                # As the service's loop does: those who fence each other off wait before they try
                # again, one longer than the other.
                await asyncio.sleep(random.uniform(0, 0.005 * attempt))
        raise AssertionError("the inbox does not empty")

    async def check(self, arrived: Sequence[str]) -> None:
        """The log holds each event once, in order, readable and as signed; the tree is right."""
        head = await self.log.head()
        assert head.size == len(arrived)
        rows = list(
            reversed(await self.entries.find(Filter(), before=head.size, floor=0, limit=head.size))
        )
        assert [row.event_id for row in rows] == list(arrived)
        assert [row.index for row in rows] == list(range(head.size))
        data = await self.log.data(0, head.size)
        assert data == [row.data for row in rows]
        leaves = [leaf_hash(each) for each in data]
        assert leaves == [row.leaf for row in rows]
        tree = MemoryHashes(leaves)
        assert head.root == tree_root(tree, head.size)
        assert set(head.edge) == set(partial_tiles(head.size))
        parsed = [Entry.parse(each) for each in data]
        references = {entry.key_reference for entry in parsed}
        keys = await self.keyring.for_reading(references, str(compat.uuid7()), START)
        for row, entry in zip(rows, parsed, strict=True):
            key = derive_entry_key(keys[entry.key_reference].key, entry.key_reference, entry.nonce)
            event = entry.open(key)
            assert event.id == row.event_id
            verify_event(event, entry.logged_at, producers())
        for tile in hash_tiles(head.size):
            wanted = [
                tree(8 * tile.level, index)
                for index in range(tile.index * WIDTH, tile.index * WIDTH + tile.width)
            ]
            assert await self.files.read(tile, head) == b"".join(wanted)


# ---------------------------------------------------------------- what can go wrong, and when


class KilledError(Exception):
    """The process died here."""


@dataclass
class Fate:
    """What happens at the call number `at` of one step: see `through`."""

    at: int
    how: str
    calls: int = 0
    met: bool = False
    stopped: asyncio.Event | None = None
    go_on: asyncio.Event | None = None


class Through:
    """A store between which and its user something goes wrong."""

    def __init__(self, inner: object, fate: Fate) -> None:
        self._inner = inner
        self._fate = fate

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._inner, name)
        fate = self._fate

        async def call(*arguments: Any) -> Any:
            fate.calls += 1
            if fate.calls != fate.at:
                return await method(*arguments)
            fate.met = True
            if fate.how == "stopped" and fate.stopped and fate.go_on:
                fate.stopped.set()
                await fate.go_on.wait()
                return await method(*arguments)
            if fate.how == "half" and name == "stage":
                epoch, rows, _ = arguments
                await method(epoch, rows[: len(rows) // 2], {})
            elif fate.how == "half" and name == "discard":
                await method(arguments[0][: len(arguments[0]) // 2])
            elif fate.how != "before":
                await method(*arguments)
            raise KilledError(name)

        return call


def doomed(stores: Stores, fate: Fate) -> Sequencer:
    """A sequencer of those stores that meets its fate."""
    inbox = cast(Inbox, Through(stores.inbox, fate))
    log = cast(Log, Through(stores.log, fate))
    keys = cast(BodyKeys, Through(stores.keys, fate))
    return Sequencer(inbox, log, KeyRing(keys, PROVIDER), stores.clock)


def accesses(number: int) -> list[Encoded]:
    """About one record, about none, about several."""
    producer = Producer()
    about: list[tuple[str, ...]] = [(RECORD,), (OTHER,), (), (RECORD, OTHER), (OTHER, THIRD)]
    return [producer.access(*about[index % len(about)]) for index in range(number)]


CALLS = 14
"""More than a step makes; a fate that is not met says so."""


class LogContract:
    """`stores` is an empty log."""

    async def test_each_event_gets_one_leaf_in_order_of_arrival(self, stores: Stores) -> None:
        first = await stores.arrive(accesses(300))
        second = await stores.arrive(accesses(230))
        await stores.sequence(batch=400)
        await stores.check([*first, *second])

    async def test_repeats_change_nothing(self, stores: Stores) -> None:
        messages = accesses(40)
        ids = await stores.arrive([*messages, *messages[5:20]])
        await stores.sequence()
        await stores.arrive(messages[:30])
        await stores.sequence()
        await stores.check(ids[:40])

    async def test_an_empty_log_has_the_empty_root(self, stores: Stores) -> None:
        await stores.sequence()
        await stores.check([])

    @pytest.mark.parametrize("how", ["before", "after", "half"])
    async def test_killed_at_any_call_leaves_one_leaf_for_each_event(
        self, stores: Stores, how: str
    ) -> None:
        arrived = await stores.arrive(accesses(5))
        await stores.sequence()
        survived = 0
        for at in count(1):
            messages = accesses(90)
            arrived += await stores.arrive(messages)
            fate = Fate(at, how)
            with suppress(KilledError):
                await doomed(stores, fate).step()
            # The broker repeats a part, and more comes.
            await stores.arrive(messages[30:60])
            arrived += await stores.arrive(accesses(3))
            await stores.sequence()
            await stores.check(arrived)
            survived += fate.met
            if not fate.met:
                break
        assert 6 <= survived <= CALLS

    @pytest.mark.parametrize("at", range(1, CALLS))
    async def test_stopped_at_any_call_and_overtaken_it_cannot_do_harm(
        self, stores: Stores, at: int
    ) -> None:
        arrived = await stores.arrive(accesses(200))
        await stores.sequence()
        messages = accesses(100)
        arrived += await stores.arrive(messages)
        fate = Fate(at, "stopped", stopped=asyncio.Event(), go_on=asyncio.Event())
        assert fate.stopped is not None
        assert fate.go_on is not None
        old = asyncio.create_task(doomed(stores, fate).step())
        stopping = asyncio.create_task(fate.stopped.wait())
        await asyncio.wait({old, stopping}, return_when=asyncio.FIRST_COMPLETED)
        # Another takes over, with other events in front of the same ones, and files them away.
        await stores.inbox.discard([parcel.id for parcel in await stores.inbox.take(1_000)])
        overtaking = await stores.arrive([*accesses(150), *messages])
        await stores.sequence()
        await stores.archive.step()
        fate.go_on.set()
        with suppress(FencedError, StaleStageError):
            await old
        stopping.cancel()
        await stores.arrive(messages)
        more = await stores.arrive(accesses(300))
        await stores.sequence()
        await stores.archive.step()
        head = await stores.log.head()
        committed_first = await stores.entries.by_event(arrived[200], head.size)
        assert committed_first is not None
        early = committed_first.index == 200
        repeats = overtaking[:150] if early else overtaking
        await stores.check([*arrived[:200], *(arrived[200:] if early else ()), *repeats, *more])
        assert stores.alarms.raised == []

    async def test_two_at_once_still_make_one_leaf_for_each_event(self, stores: Stores) -> None:
        ids: set[str] = set()
        for _ in range(6):
            ids |= set(await stores.arrive(accesses(50)))
        await asyncio.gather(*(stores.sequence(batch=50) for _ in range(3)))
        head = await stores.log.head()
        rows = await stores.entries.find(Filter(), before=head.size, floor=0, limit=1_000)
        assert len(rows) == len(ids) == head.size
        assert {row.event_id for row in rows} == ids
        await stores.check([row.event_id for row in reversed(rows)])

    async def test_full_tiles_and_bundles_go_to_the_store_and_nothing_else(
        self, stores: Stores
    ) -> None:
        arrived = await stores.arrive(accesses(600))
        await stores.sequence()
        await stores.archive.step()
        head = await stores.log.head()
        for index in range(2):
            bundle = await stores.objects.get(f"tile/entries/{index:03}")
            entries = await stores.log.data(index * WIDTH, (index + 1) * WIDTH)
            assert bundle == join_entries(entries)
            hashes = b"".join(map(leaf_hash, entries))
            assert await stores.objects.get(f"tile/0/{index:03}") == hashes
        assert not await stores.log.waiting_tiles(0, head.size)
        note = await stores.objects.get("checkpoint/2026/03/02T14")
        assert note == str(sign_head(head, LOG_KEYS, stores.clock.now())).encode()
        await stores.check(arrived)

    @pytest.mark.parametrize("how", ["before", "after"])
    async def test_the_archive_killed_at_any_call_writes_the_same(
        self, stores: Stores, how: str
    ) -> None:
        arrived: list[str] = []
        for at in count(1):
            arrived += await stores.arrive(accesses(WIDTH))
            await stores.sequence()
            fate = Fate(at, how)
            log, objects = Through(stores.log, fate), Through(stores.objects, fate)
            archive = Archive(
                cast(Log, log),
                cast(Objects, objects),
                stores.alarms,
                Unwitnessed(cast(Log, log), LOG_KEYS, stores.clock),
                stores.clock,
            )
            with suppress(KilledError):
                await archive.step()
            await stores.archive.step()
            index = at - 1
            entries = await stores.log.data(index * WIDTH, at * WIDTH)
            assert await stores.objects.get(Tile(-1, index).path) == join_entries(entries)
            assert await stores.objects.get(Tile(0, index).path) == b"".join(
                map(leaf_hash, entries)
            )
            if not fate.met:
                break
        assert not await stores.log.waiting_tiles(0, at * WIDTH)
        assert stores.alarms.raised == []
        await stores.check(arrived)

    async def test_another_file_in_the_place_of_the_logs_is_an_alarm(self, stores: Stores) -> None:
        await stores.objects.put_new("tile/entries/000", b"forged", "text/plain", START)
        await stores.arrive(accesses(WIDTH))
        await stores.sequence()
        for _ in range(2):
            with pytest.raises(ExistsOtherwiseError):
                await stores.archive.step()
        assert stores.alarms.raised == [("tree_mismatch", "tile/entries/000")]
        assert await stores.objects.get("tile/entries/000") == b"forged"

    async def test_earlier_partial_tiles_are_answered_too(self, stores: Stores) -> None:
        await stores.arrive(accesses(300))
        await stores.sequence()
        head = await stores.log.head()
        leaves = [leaf_hash(each) for each in await stores.log.data(0, 300)]
        for tile in (Tile(0, 0, 17), Tile(0, 1, 3)):
            start = tile.index * WIDTH
            wanted = b"".join(leaves[start : start + tile.width])
            assert await stores.files.read(tile, head) == wanted
        bundle = await stores.files.read(Tile(-1, 1, 5), head)
        assert bundle == join_entries(await stores.log.data(256, 261))

    async def test_proofs_verify(self, stores: Stores) -> None:
        await stores.arrive(accesses(700))
        await stores.sequence(batch=300)
        await stores.archive.step()
        head = await stores.log.head()
        indexes = [0, 1, 255, 256, 511, 512, 699]
        proofs = await stores.files.inclusion(indexes, head)
        for index in indexes:
            (data,) = await stores.log.data(index, index + 1)
            verify_inclusion(leaf_hash(data), index, head.size, proofs[index], head.root)

    async def test_queries_find_what_fits_newest_first(self, stores: Stores) -> None:
        producer = Producer()
        messages = [
            producer.access(
                *[(RECORD,), (OTHER,), (RECORD, OTHER)][number % 3],
                actor=f"agent-{number % 4}",
                action="export" if number % 5 == 0 else "view",
                outcome="denied" if number % 7 == 0 else "success",
                purpose="respond" if number % 2 else "county_business",
                department="parks" if number % 3 else None,
                at=START + timedelta(minutes=number),
            )
            for number in range(60)
        ]
        await stores.arrive(messages)
        await stores.sequence()
        everything = [facts_of(received(message).event) for message in messages]
        questions = [
            Filter(),
            Filter(record_ids=(RECORD,)),
            Filter(record_ids=(RECORD, OTHER), actor="agent-1"),
            Filter(actor="agent-2", outcome="denied"),
            Filter(purpose="respond", action="export"),
            Filter(department="parks", since=START + timedelta(minutes=20)),
            Filter(since=START + timedelta(minutes=10), until=START + timedelta(minutes=12)),
            Filter(record_ids=("nobody",)),
        ]
        for question in questions:
            wanted = [each.event_id for each in reversed(everything) if question.takes(each)]
            rows = await stores.entries.find(question, before=60, floor=0, limit=100)
            assert [row.event_id for row in rows] == wanted
            rows = await stores.entries.find(question, before=40, floor=20, limit=3)
            part = [each.event_id for each in reversed(everything[20:40]) if question.takes(each)]
            assert [row.event_id for row in rows] == part[:3]

    async def test_staged_entries_are_not_seen(self, stores: Stores) -> None:
        (kept,) = await stores.arrive(accesses(1))
        await stores.sequence()
        head = await stores.log.take_over()
        (row,) = await stores.entries.find(Filter(), before=1, floor=0, limit=1)
        await stores.log.stage(head.epoch, [replace(row, index=1, event_id=RECORD)], {})
        assert await stores.entries.by_event(RECORD, head.size) is None
        assert await stores.log.known([RECORD, kept], head.size) == {kept}
        await stores.sequence()
        await stores.check([kept])

    async def test_what_was_logged_when_is_found_by_halving(self, stores: Stores) -> None:
        for minute in range(5):
            stores.clock.at = START + timedelta(minutes=minute)
            await stores.arrive(accesses(3))
            await stores.sequence()
        for minute in range(5):
            at = START + timedelta(minutes=minute)
            assert await stores.entries.first_logged(at, 15) == 3 * minute
        assert await stores.entries.first_logged(START + timedelta(hours=1), 15) == 15

    async def test_the_times_of_logging_never_run_backwards(self, stores: Stores) -> None:
        await stores.arrive(accesses(1))
        await stores.sequence()
        stores.clock.advance(-timedelta(minutes=3))
        await stores.arrive(accesses(1))
        await stores.sequence()
        rows = await stores.entries.find(Filter(), before=2, floor=0, limit=2)
        assert [row.logged_at for row in rows] == [START, START]

    async def test_an_entry_dies_with_its_record_and_one_about_several_with_the_last(
        self, stores: Stores
    ) -> None:
        producer, retention = Producer(), Producer("retention")
        ids = await stores.arrive(
            [
                producer.access(RECORD),
                producer.access(RECORD, OTHER),
                producer.access(),
                producer.destroyed(RECORD),
                retention.certified(RECORD),
            ]
        )
        await stores.sequence()
        before = await stores.log.head()
        assert await readable(stores) == ids
        assert await stores.keys.destroy(RECORD)
        assert await stores.entries.forget(RECORD) == 2
        assert await readable(stores) == ids[1:]
        rows = await stores.entries.find(Filter(record_ids=(RECORD,)), before=5, floor=0, limit=10)
        assert [row.event_id for row in rows] == [ids[4], ids[3]]
        assert await stores.keys.destroy(OTHER)
        assert await stores.entries.forget(OTHER) == 1
        assert await readable(stores) == ids[2:]
        assert not await stores.keys.destroy("never-heard-of")
        # The tree has not changed, nor does a repeat come in again.
        assert (await stores.log.head()).root == before.root
        await stores.arrive([producer.access(RECORD, event_id=ids[0])])
        await stores.sequence()
        assert (await stores.log.head()).size == 5

    async def test_an_entry_about_a_record_that_is_gone_lives_with_the_month(
        self, stores: Stores
    ) -> None:
        await stores.arrive([Producer().access(RECORD)])
        await stores.sequence()
        await stores.keys.destroy(RECORD)
        late = await stores.arrive(
            [Producer().access(RECORD, outcome="denied"), Producer().access(RECORD, OTHER)]
        )
        await stores.sequence()
        assert await readable(stores) == late
        rows = await stores.entries.find(Filter(), before=3, floor=0, limit=2)
        references = [Entry.parse(row.data).key_reference for row in rows]
        assert (await stores.keys.named(["month:2026-03"]))["month:2026-03"].reference == (
            references[1]
        )
        assert (await stores.keys.named([OTHER]))[OTHER].reference == references[0]

    async def test_fetches_that_happened_are_told_from_those_that_did_not(
        self, stores: Stores
    ) -> None:
        producer = Producer()
        ids = await stores.arrive(
            [
                producer.access(RECORD),
                producer.access(RECORD, outcome="denied"),
                producer.access(action="search"),
                producer.access(OTHER),
            ]
        )
        await stores.sequence()
        assert await stores.entries.not_opened(0, 4, 10) == (2, [ids[0], ids[3]])
        assert await stores.entries.not_opened(1, 3, 10) == (0, [])
        assert await stores.entries.mark_opened([ids[3], RECORD], 4) == {ids[3]}
        assert await stores.entries.mark_opened([ids[3]], 3) == set()
        assert await stores.entries.opened(0, 4) == 1
        assert await stores.entries.opened(0, 3) == 0
        assert await stores.entries.not_opened(0, 4, 10) == (1, [ids[0]])


async def readable(stores: Stores) -> list[str]:
    """The ids of the events that can be opened with the keys that are left."""
    head = await stores.log.head()
    found = []
    proofs = await stores.files.inclusion(range(head.size), head)
    for row in reversed(
        await stores.entries.find(Filter(), before=head.size, floor=0, limit=head.size)
    ):
        verify_inclusion(row.leaf, row.index, head.size, proofs[row.index], head.root)
        entry = Entry.parse(row.data)
        keys = await stores.keyring.for_reading([entry.key_reference], RECORD, START)
        if entry.key_reference in keys:
            key = derive_entry_key(keys[entry.key_reference].key, entry.key_reference, entry.nonce)
            receipt = Receipt.disclose(row.index, row.data, proofs[row.index], key)
            assert receipt.event["id"] == row.event_id
            found.append(row.event_id)
    return found
