"""What the log's stores must keep to: run on the fakes, and over the wire on the real ones."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from typing import Any, Protocol, cast

import pytest
from uuid_utils import compat

from direct311.audit.entry import Filter
from direct311.audit.index.domain import Rebuild
from direct311.audit.index.handlers.follow import (
    LONGEST_WAIT,
    MANY,
    SOON,
    FollowedLog,
    Following,
)
from direct311.audit.index.handlers.rebuild import Rebuilding
from direct311.audit.index.handlers.secrecy import CaseSecrecy
from direct311.audit.index.handlers.watch_index import IndexWatch
from direct311.audit.index.ports import Entries, Progress
from direct311.audit.index_row import IndexRow
from direct311.audit.log.domain import facts_of
from direct311.audit.log.handlers.archive import Archive
from direct311.audit.log.handlers.files import LogFiles
from direct311.audit.log.handlers.keyring import KeyRing
from direct311.audit.log.handlers.log_keys import LogKey, LogKeys
from direct311.audit.log.handlers.publish import Unwitnessed, sign_head
from direct311.audit.log.handlers.receive import Receiving, queued_event_of
from direct311.audit.log.handlers.sequence import InboxNotEmptyError, Sequencer
from direct311.audit.log.handlers.tags import Tags, is_right
from direct311.audit.log.ports.files import ExistsOtherwiseError, Objects
from direct311.audit.log.ports.inbox import Inbox, InboxBatch
from direct311.audit.log.ports.keys import BodyKeys
from direct311.audit.log.ports.log import (
    FencedError,
    IndexBehindError,
    IndexLostError,
    KeyGoneError,
    Log,
    StagedRow,
    StaleStageError,
)
from direct311.audit.monitoring.ports import Watch
from direct311.runtime.access.ledger import AuditUnavailableError
from direct311.runtime.access.rules import AccessPolicy, Caller
from direct311.runtime.clock import TimeOrderedIds
from direct311.runtime.messaging.signing import Signer as EventSigner
from direct311.runtime.vault.keys import FileKeyProvider
from direct311.schemas import Encoded
from direct311.schemas import events as ev
from direct311.schemas.secrecy import DelayedNotice
from direct311.verifier.bundle import Receipt
from direct311.verifier.checkpoint import Checkpoint, Trust
from direct311.verifier.entry import Entry, derive_entry_key
from direct311.verifier.event import verify_event
from direct311.verifier.merkle import MemoryHashes, leaf_hash, tree_root, verify_inclusion
from direct311.verifier.note import Signer
from direct311.verifier.tiles import (
    WIDTH,
    Tile,
    entry_bundles,
    hash_tiles,
    join_entries,
    partial_tiles,
    split_entries,
)
from tests.support.access_log import InMemoryAccessLog
from tests.support.runtime import SetClock
from tests.support.service_under_test import ServiceUnderTest
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
from tests.unit.audit.fakes import (
    InMemoryAlarms,
    InMemoryBodyKeys,
    InMemoryCaseExemptions,
    InMemoryInbox,
    InMemoryLog,
    InMemoryObjects,
    InMemoryProgress,
    InMemoryWatch,
)

LOG_SIGNER = Signer("direct311.miamidade.gov/audit", private_key("log"))
LOG_KEYS = LogKeys([LogKey(LOG_SIGNER)])
TRUST = Trust((LOG_SIGNER.key,))
PROVIDER = FileKeyProvider("kek-1", {"kek-1": bytes(32)})
ADMIN = Caller("root-1", ("admin",))


class DestroyableKeys(BodyKeys, Protocol):
    async def destroy(self, record_id: str) -> bool: ...


class Meddler(Protocol):
    """What an administrator of the database may do to the index, and nobody else."""

    async def drop(self) -> None: ...

    async def remove(self, index: int) -> None: ...

    async def edit(self, index: int, fields: Mapping[str, Any]) -> None:
        """Set these of an entry's document."""
        ...


def audit_service(
    clock: SetClock,
    access_log: InMemoryAccessLog | None = None,
    policy: AccessPolicy | None = None,
) -> ServiceUnderTest:
    """The audit service, which signs as the producers of `events` do."""
    signer = EventSigner("audit-1", private_key("audit"))
    return ServiceUnderTest(
        "audit",
        clock=clock,
        signer=signer,
        access_log=access_log,
        provider=PROVIDER,
        policy=policy,
    )


CASE = "0195567e-8f00-7000-8000-0000000000ca"


def exempt_for(days: int) -> ev.CaseExemption:
    """Exempt for so many days, by one and the same document."""
    until = START + timedelta(days=days)
    notice = DelayedNotice(document="a" * 64, dated_at=START - timedelta(days=1), until=until)
    return ev.CaseExemption(exempt=True, until=until, notice=notice)


def case_step(version: int, exemption: ev.CaseExemption) -> ev.DisclosureRecorded:
    return ev.DisclosureRecorded(
        case_id=CASE,
        version=version,
        kind="law_enforcement",
        exemption=exemption,
        step="narrowed",
        state="scoped",
        actor="lia",
        occurred_at=START,
    )


@dataclass
class Stores:
    """One empty log."""

    inbox: Inbox
    log: Log
    entries: Entries
    keys: DestroyableKeys
    objects: Objects
    progress: Progress
    watch: Watch
    meddler: Meddler

    def __post_init__(self) -> None:
        self.clock = SetClock(START)
        self.alarms = InMemoryAlarms()
        self.keyring = KeyRing(self.keys, PROVIDER)
        self.files = LogFiles(self.log, self.objects)
        self.published = Unwitnessed(self.log, LOG_KEYS, self.clock)
        self.archive = Archive(self.log, self.objects, self.alarms, self.published, self.clock)
        self.tags = Tags(self.keyring)
        self.exemptions = InMemoryCaseExemptions()
        self.secrecy = CaseSecrecy(self.exemptions, self.keyring, self.clock)
        self.followed = FollowedLog(self.log, lambda: None, patience=timedelta())
        service = audit_service(self.clock)
        self.access_log, self.vault = service.access_log, service.vault
        self.index_watch = IndexWatch(
            progress=self.progress,
            log=self.log,
            entries=self.entries,
            files=self.files,
            objects=self.objects,
            tags=self.tags,
            alarms=self.alarms,
            trust=TRUST,
            clock=self.clock,
        )

    def rebuilding(self, fate: "Fate | None" = None) -> Rebuilding:
        """A process that makes the index again, and meets its fate where it has one."""

        def through(inner: object) -> Any:
            return inner if fate is None else Through(inner, fate)

        log, objects = through(self.log), through(self.objects)
        return Rebuilding(
            progress=through(self.progress),
            log=log,
            entries=through(self.entries),
            files=LogFiles(log, objects),
            objects=objects,
            keys=KeyRing(through(self.keys), PROVIDER),
            tags=self.tags,
            vault=self.vault,
            watch=through(self.watch),
            secrecy=self.secrecy,
            alarms=self.alarms,
            trust=TRUST,
            clock=self.clock,
        )

    async def rebuild(self) -> Rebuild:
        """Make the index again, or go on with it, to the end."""
        rebuilding = self.rebuilding()
        await rebuilding.start(ADMIN, "WO-7")
        while await rebuilding.step():
            pass
        return await rebuilding.state()

    async def rows(self) -> Sequence[IndexRow]:
        return await self.entries.rows(0, (await self.log.head()).size)

    def following(self, fate: "Fate | None" = None) -> Following:
        """A process that brings the index up to date, and meets its fate where it has one."""

        def through(inner: object) -> Any:
            return inner if fate is None else Through(inner, fate)

        return Following(
            log=through(self.log),
            inbox=self.inbox,
            entries=through(self.entries),
            keys=KeyRing(through(self.keys), PROVIDER),
            tags=self.tags,
            alarms=self.alarms,
            clock=self.clock,
        )

    async def follow(self) -> None:
        """Bring the index up to date, as if a question waited for it."""
        following = self.following()
        following.hurry()
        while await following.step():
            following.hurry()

    def sequencer(self, batch: int = 2_000) -> Sequencer:
        return Sequencer(self.inbox, self.log, self.keyring, self.clock, batch=batch)

    async def data(self, start: int, end: int) -> Sequence[bytes]:
        """The entries [start, end) as the log's files have them."""
        head = await self.log.head()
        found: list[bytes] = []
        for bundle in entry_bundles(end, start // WIDTH * WIDTH):
            found += split_entries(await self.files.read(bundle, head))
        return found[start % WIDTH :]

    async def forget(self, record_id: str) -> int:
        tag = await self.tags.tagger(self.clock.now())
        return await self.entries.forget(record_id, tag, self.keys.destroyed)

    async def arrive(self, messages: Sequence[Encoded]) -> list[str]:
        """Into the inbox, as one batch; the events' ids."""
        receiving = Receiving(self.inbox, self.clock, TimeOrderedIds())
        batch = [received(message, offset) for offset, message in enumerate(messages)]
        assert not await receiving.take(batch)
        return [each.event.id for each in batch]

    def batch_of(self, messages: Sequence[Encoded]) -> tuple[InboxBatch, list[str]]:
        """A batch that is not in the inbox, and its events' ids."""
        now = self.clock.now()
        queued = [queued_event_of(received(message), now) for message in messages]
        batch = InboxBatch(TimeOrderedIds().new(), now, tuple(queued), {})
        return batch, [each.event.id for each in queued]

    async def sequence(self, batch: int = 2_000) -> None:
        """Bring the whole inbox into the log, whatever others did before, and the index up to
        date."""
        await self.append(batch)
        await self.follow()

    async def append(self, batch: int = 2_000) -> None:
        """Bring the whole inbox into the log; the index does not follow."""
        sequencer = self.sequencer(batch)
        for attempt in range(200):
            try:
                if not await sequencer.step():
                    return
            except (FencedError, StaleStageError, KeyGoneError):
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
        data = await self.data(0, head.size)
        assert data == [row.data for row in rows]
        tag = await self.tags.tagger(self.clock.now())
        assert all(is_right(row, row.leaf, tag) for row in rows)
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


def in_memory(log: InMemoryLog | None = None, keys: InMemoryBodyKeys | None = None) -> Stores:
    """One empty log in memory."""
    log, keys = log or InMemoryLog(), keys or InMemoryBodyKeys()
    progress, watch = InMemoryProgress(), InMemoryWatch()
    return Stores(InMemoryInbox(), log, log, keys, InMemoryObjects(), progress, watch, log)


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
    meddler: Meddler | None = None
    other: Callable[[], Awaitable[None]] | None = None
    """What another process does before the call (`how` "meanwhile")."""
    later: Callable[[], Awaitable[None]] | None = None
    """And after it."""


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
            if fate.how == "wiped" and fate.meddler:
                await fate.meddler.drop()
                return await method(*arguments)
            if fate.how == "meanwhile" and fate.other and fate.later:
                await fate.other()
                answer = await method(*arguments)
                await fate.later()
                return answer
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


CALLS = 16
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

    async def test_what_has_just_arrived_goes_into_the_log_after_the_inbox(
        self, stores: Stores
    ) -> None:
        waited = await stores.arrive(accesses(12))
        taken, ids = stores.batch_of(accesses(8))
        sequencer = stores.sequencer(batch=5)
        assert await sequencer.append([taken]) == 20
        assert await stores.inbox.length() == 0
        again, _ = stores.batch_of(accesses(3))
        assert await sequencer.append([taken]) == 8
        assert await sequencer.append([again]) == 3
        await stores.follow()
        await stores.check([*waited, *ids, *(each.event.id for each in again.queued_events)])

    @pytest.mark.parametrize("how", ["before", "after", "half"])
    async def test_killed_at_any_call_of_an_append_at_once_leaves_one_leaf_for_each_event(
        self, stores: Stores, how: str
    ) -> None:
        """Kafka has what was on its way, and brings it again."""
        arrived: list[str] = []
        for at in count(1):
            messages = accesses(20)
            batch, ids = stores.batch_of(messages)
            fate = Fate(at, how)
            with suppress(KilledError):
                await doomed(stores, fate).append([batch])
            arrived += await stores.arrive(messages)
            assert arrived[-20:] == ids
            await stores.sequence()
            await stores.check(arrived)
            if not fate.met:
                break
        assert 5 < at <= CALLS

    async def test_an_inbox_that_others_fill_as_fast_is_not_overtaken(self, stores: Stores) -> None:
        class Filled:
            """An inbox into which another process puts a batch whenever one was taken."""

            async def take(_, limit: int) -> Sequence[InboxBatch]:  # noqa: N805
                await stores.arrive(accesses(1))
                return await stores.inbox.take(limit)

            async def discard(_, batch_ids: Sequence[str]) -> None:  # noqa: N805
                await stores.inbox.discard(batch_ids)

        filled = cast(Inbox, Filled())
        sequencer = Sequencer(filled, stores.log, stores.keyring, stores.clock)
        batch, ids = stores.batch_of(accesses(2))
        with pytest.raises(InboxNotEmptyError):
            await sequencer.append([batch])
        await stores.sequence()
        assert not await stores.entries.indexes_of(ids, (await stores.log.head()).size)

    async def test_an_inbox_knows_how_many_batches_wait(self, stores: Stores) -> None:
        assert await stores.inbox.length() == 0
        for _ in range(3):
            await stores.arrive(accesses(2))
        assert await stores.inbox.length() == 3
        await stores.inbox.discard([(await stores.inbox.take(1))[0].id])
        assert await stores.inbox.length() == 2

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
            messages = accesses(20)
            arrived += await stores.arrive(messages)
            fate = Fate(at, how)
            with suppress(KilledError):
                await doomed(stores, fate).step()
            # The broker repeats a part, and more comes.
            await stores.arrive(messages[7:14])
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
        arrived = await stores.arrive(accesses(230))
        await stores.sequence()
        messages = accesses(20)
        arrived += await stores.arrive(messages)
        fate = Fate(at, "stopped", stopped=asyncio.Event(), go_on=asyncio.Event())
        assert fate.stopped is not None
        assert fate.go_on is not None
        old = asyncio.create_task(doomed(stores, fate).step())
        stopping = asyncio.create_task(fate.stopped.wait())
        await asyncio.wait({old, stopping}, return_when=asyncio.FIRST_COMPLETED)
        # Another takes over, with other events in front of the same ones, and files them away.
        await stores.inbox.discard([batch.id for batch in await stores.inbox.take(1_000)])
        overtaking = await stores.arrive([*accesses(10), *messages])
        await stores.sequence()
        await stores.archive.step()
        fate.go_on.set()
        with suppress(FencedError, StaleStageError):
            await old
        stopping.cancel()
        await stores.arrive(messages)
        more = await stores.arrive(accesses(WIDTH))
        await stores.sequence()
        await stores.archive.step()
        head = await stores.log.head()
        committed_first = await stores.entries.by_event(arrived[230], head.size)
        assert committed_first is not None
        early = committed_first.index == 230
        repeats = overtaking[:10] if early else overtaking
        await stores.check([*arrived[:230], *(arrived[230:] if early else ()), *repeats, *more])
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
            entries = await stores.data(index * WIDTH, (index + 1) * WIDTH)
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
            entries = await stores.data(index * WIDTH, at * WIDTH)
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
        leaves = [leaf_hash(each) for each in await stores.data(0, 300)]
        for tile in (Tile(0, 0, 17), Tile(0, 1, 3)):
            start = tile.index * WIDTH
            wanted = b"".join(leaves[start : start + tile.width])
            assert await stores.files.read(tile, head) == wanted
        bundle = await stores.files.read(Tile(-1, 1, 5), head)
        assert bundle == join_entries(await stores.data(256, 261))

    async def test_proofs_verify(self, stores: Stores) -> None:
        await stores.arrive(accesses(700))
        await stores.sequence(batch=300)
        await stores.archive.step()
        head = await stores.log.head()
        indexes = [0, 1, 255, 256, 511, 512, 699]
        proofs = await stores.files.inclusion(indexes, head)
        for index in indexes:
            (data,) = await stores.data(index, index + 1)
            verify_inclusion(leaf_hash(data), index, head.size, proofs[index], head.root)

    async def test_queries_find_what_fits_newest_first(self, stores: Stores) -> None:
        producer = Producer()
        messages = [
            producer.access(
                *[(RECORD,), (OTHER,), (RECORD, OTHER)][number % 3],
                actor=f"agent-{number % 4}",
                action="disclose" if number % 5 == 0 else "view",
                outcome="denied" if number % 7 == 0 else "success",
                purpose="respond" if number % 2 else "county_business",
                department="parks" if number % 3 else None,
                at=START + timedelta(minutes=number),
            )
            for number in range(60)
        ]
        stores.clock.at = at = START + timedelta(hours=1)
        await stores.arrive(messages)
        await stores.sequence()
        everything = [facts_of(received(message).event) for message in messages]
        questions = [
            Filter(),
            Filter(record_ids=(RECORD,)),
            Filter(record_ids=(RECORD, OTHER), actor="agent-1"),
            Filter(actor="agent-2", outcome="denied"),
            Filter(purpose="respond", action="disclose"),
            Filter(department="parks", since=START + timedelta(minutes=20)),
            Filter(since=START + timedelta(minutes=10), until=START + timedelta(minutes=12)),
            Filter(record_ids=("nobody",)),
        ]
        for question in questions:
            wanted = [each.event_id for each in reversed(everything) if question.takes(each, at)]
            rows = await stores.entries.find(question, before=60, floor=0, limit=100)
            assert [row.event_id for row in rows] == wanted
            rows = await stores.entries.find(question, before=40, floor=20, limit=3)
            part = [
                each.event_id for each in reversed(everything[20:40]) if question.takes(each, at)
            ]
            assert [row.event_id for row in rows] == part[:3]

    async def test_staged_entries_are_not_seen(self, stores: Stores) -> None:
        (kept,) = await stores.arrive(accesses(1))
        await stores.sequence()
        head = await stores.log.take_over()
        (row,) = await stores.entries.find(Filter(), before=1, floor=0, limit=1)
        await stores.log.stage(head.epoch, [StagedRow(replace(row, index=1, event_id=RECORD))], {})
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
        assert await stores.forget(RECORD) == 2
        assert await readable(stores) == ids[1:]
        rows = await stores.entries.find(Filter(record_ids=(RECORD,)), before=5, floor=0, limit=10)
        assert [row.event_id for row in rows] == [ids[4], ids[3]]
        assert await stores.keys.destroy(OTHER)
        assert await stores.forget(OTHER) == 1
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

    @pytest.mark.parametrize("first", ["record", "case"])
    async def test_an_entry_under_a_case_lasts_as_long_as_the_record_and_the_case_file(
        self, stores: Stores, first: str
    ) -> None:
        producer = Producer()
        ids = await stores.arrive(
            [
                producer.access(RECORD, case_id=THIRD),
                producer.access(case_id=THIRD),
                producer.access(RECORD),
            ]
        )
        await stores.sequence()
        assert await readable(stores) == ids
        gone, number = (RECORD, 2) if first == "record" else (THIRD, 1)
        await stores.keys.destroy(gone)
        assert await stores.forget(gone) == number
        left = ids[:2] if first == "record" else [ids[0], ids[2]]
        assert await readable(stores) == left
        rows = await stores.entries.find(Filter(case_id=THIRD), before=3, floor=0, limit=9)
        about = [row.facts.record_ids if row.facts else None for row in rows]
        assert about == ([(), ()] if first == "record" else [(RECORD,)])
        # A new index says the same.
        before = await stores.rows()
        await stores.meddler.drop()
        assert (await stores.rebuild()).state == "done"
        after = await stores.rows()
        assert [row for row in before if row.facts and row not in after] == []
        # The last of the two ends it.
        last = THIRD if first == "record" else RECORD
        await stores.keys.destroy(last)
        assert await stores.forget(last) == 2
        assert await readable(stores) == []
        assert await in_clear_without_key(stores) == []
        assert not any(row.facts for row in await stores.rows())

    @pytest.mark.parametrize("when", ["before", "after", "at last"])
    @pytest.mark.parametrize("at", range(1, CALLS))
    async def test_a_record_destroyed_at_any_call_of_the_sequencer_leaves_nothing_in_clear(
        self, stores: Stores, at: int, when: str
    ) -> None:
        """The key goes before the call; the index forgets then, after it, or after the step."""
        producer = Producer()
        about = [(RECORD,), (RECORD, OTHER), (OTHER,), (RECORD, OTHER, THIRD)]
        await stores.arrive([producer.access(*each) for each in about])
        await stores.sequence()
        await stores.arrive([producer.access(*each) for each in about])

        async def forget() -> None:
            await stores.forget(RECORD)

        async def nothing() -> None:
            pass

        async def destroy() -> None:
            await stores.keys.destroy(RECORD)
            await (forget if when == "before" else nothing)()

        later = forget if when == "after" else nothing
        fate = Fate(at, "meanwhile", other=destroy, later=later)
        with suppress(KeyGoneError):
            await doomed(stores, fate).step()
        if not fate.met:
            await destroy()
        if not fate.met or when == "at last":
            await forget()
        await stores.sequence()
        assert (await stores.log.head()).size == 8
        for gone in (OTHER, THIRD):
            assert await in_clear_without_key(stores) == []
            for row in await stores.rows():
                if row.facts and RECORD in row.facts.record_ids:
                    assert row.facts.record_ids == (RECORD,)
            await stores.keys.destroy(gone)
            await stores.forget(gone)
        assert await in_clear_without_key(stores) == []
        before = await stores.rows()
        tag = await stores.tags.tagger(stores.clock.now())
        assert all(is_right(row, leaf_hash(row.data), tag) for row in before)
        await stores.meddler.drop()
        assert (await stores.rebuild()).state == "done"
        after = await stores.rows()
        assert [row for row in before if row.facts and row not in after] == []
        assert await in_clear_without_key(stores) == []

    async def test_an_entry_that_was_staged_and_never_committed_leaves_its_place_to_another(
        self, stores: Stores
    ) -> None:
        await stores.arrive(accesses(1))
        await stores.sequence()
        head = await stores.log.take_over()
        (row,) = await stores.rows()
        staged = StagedRow(replace(row, index=1, event_id=THIRD), (RECORD,))
        await stores.log.stage(head.epoch, [staged], {})
        await stores.follow()
        assert await stores.rows() == await stores.entries.rows(0, 2) == [row]
        assert await stores.forget(RECORD) == 1
        (row,) = await stores.rows()
        (late,) = await stores.arrive([Producer().access(OTHER)])
        await stores.sequence()
        assert [row.event_id for row in await stores.rows()] == [row.event_id, late]
        await stores.keys.destroy(OTHER)
        assert await stores.forget(OTHER) == 1
        assert await stores.entries.forgotten(1, 2) == {1: late}

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

    # --- the index follows the log

    async def test_the_index_follows_and_what_it_lacks_is_not_answered(
        self, stores: Stores
    ) -> None:
        first = await stores.arrive(accesses(300))
        await stores.sequence()
        second = await stores.arrive(accesses(50))
        await stores.append()
        assert (await stores.log.head()).size == 350
        assert (await stores.followed.head()).size == 300
        with pytest.raises(IndexBehindError):
            await stores.followed.complete()
        assert len(await stores.entries.rows(0, 400)) == 300
        await stores.follow()
        assert (await stores.followed.complete()).size == 350
        await stores.check([*first, *second])

    async def test_a_repeat_is_recognized_before_the_index_has_its_event(
        self, stores: Stores
    ) -> None:
        messages = accesses(40)
        arrived = await stores.arrive(messages)
        sequencer = stores.sequencer()
        await sequencer.step()
        # By the sequencer that appended it, and by one that did not.
        for each in (sequencer, stores.sequencer()):
            await stores.arrive(messages[10:20])
            arrived += await stores.arrive(accesses(3))
            while await each.step():
                pass
        assert (await stores.followed.head()).size == 0
        await stores.follow()
        await stores.arrive(messages[5:25])
        await stores.sequence()
        await stores.check(arrived)

    async def test_the_index_waits_for_appends_but_not_for_long(self, stores: Stores) -> None:
        await stores.arrive(accesses(10))
        await stores.append()
        await stores.arrive(accesses(10))
        following = stores.following()
        assert not await following.step()
        assert (await following.behind(), await stores.entries.rows(0, 10)) == (10, [])
        stores.clock.advance(LONGEST_WAIT)
        assert await following.step()
        assert await following.behind() == 0
        await stores.append()
        await stores.arrive(accesses(10))
        assert not await following.step()
        following.hurry()
        assert await following.step()
        assert await following.behind() == 0

    async def test_the_index_waits_between_large_batches(self, stores: Stores) -> None:
        await stores.arrive(accesses(10))
        await stores.append()
        following = stores.following()
        following.appended(MANY)
        assert not await following.step()
        stores.clock.advance(SOON)
        assert await following.step()
        await stores.arrive(accesses(10))
        await stores.append()
        following.appended(MANY - 1)
        assert await following.step()

    async def test_the_index_follows_at_once_if_nothing_waits_for_the_log(
        self, stores: Stores
    ) -> None:
        await stores.arrive(accesses(10))
        await stores.append()
        following = stores.following()
        assert await following.step()
        assert not await following.step()
        assert (await stores.followed.complete()).size == 10

    @pytest.mark.parametrize("how", ["before", "after"])
    async def test_following_killed_at_any_call_leaves_the_index_right(
        self, stores: Stores, how: str
    ) -> None:
        arrived: list[str] = []
        survived = 0
        for at in count(1):
            arrived += await stores.arrive(accesses(20))
            await stores.append()
            fate = Fate(at, how)
            with suppress(KilledError):
                await stores.following(fate).step()
            await stores.archive.step()
            await stores.follow()
            await stores.check(arrived)
            survived += fate.met
            if not fate.met:
                break
        assert survived >= 7

    @pytest.mark.parametrize("at", range(1, CALLS))
    async def test_following_stopped_at_any_call_and_overtaken_does_no_harm(
        self, stores: Stores, at: int
    ) -> None:
        arrived = await stores.arrive(accesses(230))
        await stores.append()
        fate = Fate(at, "stopped", stopped=asyncio.Event(), go_on=asyncio.Event())
        assert fate.stopped is not None
        assert fate.go_on is not None
        old = asyncio.create_task(stores.following(fate).step())
        stopping = asyncio.create_task(fate.stopped.wait())
        await asyncio.wait({old, stopping}, return_when=asyncio.FIRST_COMPLETED)
        arrived += await stores.arrive(accesses(WIDTH))
        await stores.sequence()
        await stores.archive.step()
        fate.go_on.set()
        await old
        stopping.cancel()
        await stores.check(arrived)

    async def test_two_that_follow_at_once_insert_each_row_once(self, stores: Stores) -> None:
        arrived = await stores.arrive(accesses(300))
        await stores.append()
        await asyncio.gather(*(stores.follow() for _ in range(3)))
        await stores.check(arrived)

    @pytest.mark.parametrize("at", range(1, CALLS))
    async def test_a_record_destroyed_at_any_call_of_following_leaves_nothing_in_clear(
        self, stores: Stores, at: int
    ) -> None:
        """As `dispose` does it: the key, then the index's wait, then forgetting."""
        producer = Producer()
        about = [(RECORD,), (RECORD, OTHER), (OTHER,), (RECORD, OTHER, THIRD)]
        arrived = await stores.arrive([producer.access(*each) for each in about])
        await stores.append()

        forgot: list[int] = []

        async def forget() -> None:
            if not forgot:
                await stores.followed.complete()
                forgot.append(await stores.forget(RECORD))

        async def destroy() -> None:
            await stores.keys.destroy(RECORD)
            with suppress(IndexBehindError):
                await forget()

        async def nothing() -> None:
            pass

        fate = Fate(at, "meanwhile", other=destroy, later=nothing)
        await stores.following(fate).step()
        await (nothing if fate.met else destroy)()
        await stores.follow()
        await forget()
        rows = await stores.rows()
        assert [row.event_id for row in rows] == arrived
        assert not [row for row in rows if row.facts and RECORD in row.facts.record_ids]
        assert [row.facts is None for row in rows] == [True, False, False, False]
        assert (await stores.entries.forgotten(0, 4))[0] == arrived[0]
        tag = await stores.tags.tagger(stores.clock.now())
        assert all(is_right(row, leaf_hash(row.data), tag) for row in rows)
        rest, _ = await stores.log.unindexed(0, 4)
        assert rest == []

    @pytest.mark.parametrize("at", ["first", "add"])
    async def test_a_row_whose_key_is_gone_enters_the_index_without_what_it_says(
        self, stores: Stores, at: str
    ) -> None:
        """Without anybody who makes the index forget: destroyed before the step, or in it."""
        producer = Producer()
        arrived = await stores.arrive([producer.access(RECORD), producer.access(OTHER)])
        await stores.append()
        add = stores.entries.add

        async def destroyed_meanwhile(rows: Sequence[IndexRow], epoch: int) -> Sequence[IndexRow]:
            await stores.keys.destroy(RECORD)
            return await add(rows, epoch)

        if at == "first":
            await stores.keys.destroy(RECORD)
        else:
            stores.entries.add = destroyed_meanwhile  # type: ignore[method-assign]
        await stores.follow()
        rows = await stores.rows()
        assert [row.facts is None for row in rows] == [True, False]
        assert await stores.entries.forgotten(0, 2) == {0: arrived[0]}

    async def test_rows_that_an_overtaken_sequencer_staged_late_do_not_count(
        self, stores: Stores
    ) -> None:
        arrived = await stores.arrive(accesses(10))
        await stores.sequence()
        old = await stores.log.take_over()
        arrived += await stores.arrive(accesses(3))
        await stores.sequence()
        arrived += await stores.arrive(accesses(WIDTH))
        await stores.append()
        await stores.archive.step()
        # The edge has the second batch no more, so its place is free; the third is not indexed.
        (row, *_) = await stores.rows()
        late = [
            StagedRow(replace(row, index=index, event_id=str(compat.uuid7())), (RECORD,))
            for index in range(old.size, old.size + 6)
        ]
        await stores.log.stage(old.epoch, late, {})
        await stores.follow()
        await stores.check(arrived)
        assert (await stores.log.unindexed(0, WIDTH + 13))[0] == []

    async def test_an_index_lost_while_it_is_behind_is_made_again_with_everything(
        self, stores: Stores
    ) -> None:
        messages = accesses(30)
        arrived = await stores.arrive(messages)
        await stores.sequence()
        arrived += await stores.arrive(accesses(10))
        await stores.append()
        await stores.meddler.drop()
        assert not await stores.following().step()
        with pytest.raises(IndexLostError):
            await stores.followed.head()
        assert (await stores.rebuild()).mended == 40
        assert (await stores.followed.complete()).size == 40
        await stores.arrive(messages)
        await stores.sequence()
        await stores.check(arrived)

    # --- the index is no part of the log

    async def test_a_wiped_index_is_made_again_as_it_was(self, stores: Stores) -> None:
        messages = await full_log(stores)
        before, head = await stores.rows(), await stores.log.head()
        await stores.meddler.drop()
        assert await stores.log.indexed() is None
        # A repeat would come in again: nothing is appended.
        await stores.arrive([*messages, *accesses(5)])
        for _ in range(2):
            with pytest.raises(IndexLostError):
                await stores.sequencer().step()
        assert (await stores.log.head()).size == head.size
        done = await stores.rebuild()
        assert (done.state, done.next, done.mended, done.unnamed) == ("done", 700, 700, 0)
        assert await stores.rows() == before
        await stores.sequence()
        assert (await stores.log.head()).size == head.size + 5
        await stores.archive.step()
        assert stores.alarms.raised == []

    async def test_opening_bodies_for_it_is_an_access_written_down_first(
        self, stores: Stores
    ) -> None:
        await full_log(stores)
        await stores.meddler.drop()
        await stores.rebuilding().start(ADMIN, "WO-7")
        await stores.rebuilding().step()
        stores.access_log.down = True
        with pytest.raises(AuditUnavailableError):
            await stores.rebuilding().step()
        assert await stores.entries.rows(0, 700) == []
        stores.access_log.down = False
        assert (await stores.rebuild()).state == "done"
        (event,) = stores.access_log.events()
        assert (event.action, event.outcome, event.agent.id) == ("key_use", "success", "svc:audit")
        assert (event.why.purpose, event.why.reference) == ("county_business", "WO-7")
        assert "root-1" in (event.why.justification or "")
        assert event.what.result_count == 700

    async def test_an_edited_index_is_found_located_and_mended_and_nothing_else_is_opened(
        self, stores: Stores
    ) -> None:
        await full_log(stores)
        before = await stores.rows()
        await stores.index_watch.step()
        assert stores.alarms.raised == []
        await stores.meddler.edit(301, {"actor": "somebody-else"})
        await stores.meddler.remove(302)
        await stores.index_watch.step()
        assert stores.alarms.raised == [("index_mismatch", "entry:301 2026-03-02")]
        assert await stores.index_watch.mismatches() == 2
        done = await stores.rebuild()
        assert (done.state, done.mended) == ("done", 2)
        assert await stores.rows() == before
        (event,) = stores.access_log.events()
        assert event.what.result_count == 2
        await stores.index_watch.step()
        assert await stores.index_watch.mismatches() == 0

    @pytest.mark.parametrize("index_too", [False, True])
    async def test_what_cases_said_of_their_exemption_is_noted_again(
        self, stores: Stores, *, index_too: bool
    ) -> None:
        """Also where only that is lost. The later word counts, and what had no effect has none."""
        await stores.arrive(accesses(300))
        retention = Producer("retention")
        said = [(1, exempt_for(30)), (2, exempt_for(60)), (3, exempt_for(10))]
        steps = [retention.encoded(case_step(*each), CASE) for each in said]
        await stores.arrive(steps)
        await stores.sequence()
        await stores.archive.step()
        assert stores.exemptions.said == {}
        if index_too:
            await stores.meddler.drop()
        done = await stores.rebuild()
        assert (done.state, done.mended) == ("done", 303 if index_too else 0)
        known = await stores.secrecy.of([CASE])
        assert known.ends == {CASE: START + timedelta(days=10)}
        (event,) = stores.access_log.events()
        assert event.what.result_count == (303 if index_too else 3)

    async def test_an_event_at_the_place_of_another_is_put_back(self, stores: Stores) -> None:
        await full_log(stores)
        before = await stores.rows()
        first, second = before[10].event_id, before[500].event_id
        await stores.meddler.remove(10)
        await stores.meddler.edit(500, {"event_id": first})
        assert (await stores.rebuild()).mended == 2
        assert await stores.rows() == before
        assert before[500].event_id == second

    async def test_an_event_let_in_twice_over_a_hole_in_the_index_is_told(
        self, stores: Stores
    ) -> None:
        messages = await full_log(stores)
        before = await stores.rows()
        await stores.meddler.remove(31)
        await stores.arrive([messages[31]])
        await stores.sequence()
        assert (await stores.log.head()).size == 701
        assert (await stores.rebuild()).state == "done"
        assert stores.alarms.raised == [("tree_mismatch", "entry:700")]
        *same, double = await stores.rows()
        assert same == before
        assert double.event_id == "entry:700"
        await stores.index_watch.step()
        assert await stores.index_watch.mismatches() == 0

    @pytest.mark.parametrize("how", ["before", "after"])
    async def test_a_rebuild_killed_at_any_call_goes_on(self, stores: Stores, how: str) -> None:
        await full_log(stores, 280)
        before = await stores.rows()
        for at in count(1):
            await stores.meddler.drop()
            await stores.rebuilding().start(ADMIN, "WO-7")
            fate = Fate(at, how)
            with suppress(KilledError):
                doomed = stores.rebuilding(fate)
                while await doomed.step():
                    pass
            assert (await stores.rebuild()).state == "done"
            assert await stores.rows() == before
            assert await stores.log.indexed() is not None
            if not fate.met:
                break
        assert at > 20

    @pytest.mark.parametrize("at", range(1, CALLS))
    async def test_an_index_wiped_at_any_call_of_the_sequencer_lets_no_event_in_twice(
        self, stores: Stores, at: int
    ) -> None:
        messages = accesses(30)
        arrived = await stores.arrive(messages)
        await stores.sequence()
        fresh = accesses(15)
        arrived += (await stores.arrive([*messages[:10], *fresh]))[10:]
        fate = Fate(at, "wiped", meddler=stores.meddler)
        with suppress(IndexLostError):
            await doomed(stores, fate).step()
        assert (await stores.rebuild()).state == "done"
        await stores.arrive([*messages, *fresh])
        await stores.sequence()
        await stores.check(arrived)

    @pytest.mark.parametrize("at", range(1, CALLS))
    async def test_a_sequencer_stopped_at_any_call_cannot_use_what_it_knew_before_a_rebuild(
        self, stores: Stores, at: int
    ) -> None:
        messages = accesses(30)
        arrived = await stores.arrive(messages)
        await stores.sequence()
        await stores.meddler.drop()
        fresh = accesses(15)
        arrived += (await stores.arrive([*messages[:10], *fresh]))[10:]
        fate = Fate(at, "stopped", stopped=asyncio.Event(), go_on=asyncio.Event())
        assert fate.stopped is not None
        assert fate.go_on is not None
        old = asyncio.create_task(doomed(stores, fate).step())
        stopping = asyncio.create_task(fate.stopped.wait())
        await asyncio.wait({old, stopping}, return_when=asyncio.FIRST_COMPLETED)
        assert (await stores.rebuild()).state == "done"
        fate.go_on.set()
        with suppress(FencedError, StaleStageError, IndexLostError):
            await old
        stopping.cancel()
        await stores.sequence()
        await stores.check(arrived)

    async def test_a_log_that_was_cut_back_is_not_taken_for_whole(self, stores: Stores) -> None:
        await stores.arrive(accesses(5))
        await stores.sequence()
        longer = Checkpoint(LOG_SIGNER.key.name, 9, bytes(32)).sign([LOG_SIGNER])
        await stores.objects.put_new(
            "checkpoint/2026/03/01T10", str(longer).encode(), "text/plain", START
        )
        await stores.index_watch.step()
        assert stores.alarms.raised == [("tree_mismatch", "checkpoint/2026/03/01T10")]
        failed = await stores.rebuild()
        assert failed.state == "failed"
        assert failed.problem is not None
        assert failed.problem.startswith("entry 5: the log ends before it")

    async def test_what_does_not_lead_to_the_root_is_named_and_stays_unasked(
        self, stores: Stores
    ) -> None:
        await full_log(stores)
        await stores.meddler.drop()
        genuine = stores.objects.get

        async def forged(path: str) -> bytes:
            content = bytearray(await genuine(path))
            if path == "tile/entries/001":
                content[-1] ^= 1
            return bytes(content)

        stores.objects.get = forged  # type: ignore[method-assign]
        failed = await stores.rebuild()
        assert failed.state == "failed"
        assert failed.problem == "entry 511: tile/entries/001 differs from tile/0/001"
        assert stores.alarms.raised == [("tree_mismatch", "entry:0")]
        assert await stores.log.indexed() is None
        stores.objects.get = genuine  # type: ignore[method-assign]
        assert (await stores.rebuild()).state == "done"


async def full_log(stores: Stores, number: int = 700) -> list[Encoded]:
    """Entries of every kind, full bundles of them in the store, one record destroyed."""
    producer, retention = Producer(), Producer("retention")
    messages = [
        *accesses(number - 20),
        producer.destroyed(RECORD),
        retention.certified(RECORD, THIRD),
        *(producer.access(outcome="denied", purpose="unknown") for _ in range(18)),
    ]
    await stores.arrive(messages)
    await stores.sequence(batch=300)
    await stores.archive.step()
    await stores.keys.destroy(RECORD)
    await stores.forget(RECORD)
    return messages


async def in_clear_without_key(stores: Stores) -> list[str]:
    """The events that the index tells of though no key opens their entries any more."""
    opened = set(await readable(stores))
    return [row.event_id for row in await stores.rows() if row.facts and row.event_id not in opened]


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
