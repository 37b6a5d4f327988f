"""The media service's stores keep the same promises in memory and on the real servers."""

import hashlib
import re
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from uuid_utils import compat

from deploy.local.stack import Stack
from direct311.media.decisions import Box, FileDecision
from direct311.media.lifecycle.adapters import INDEXES, MongoHoldings
from direct311.media.lifecycle.ports import Holdings
from direct311.media.ports import Copies, Incoming, Originals, Tokens
from direct311.media.record import CleanCopy, MediaFile, PublicCopy, RecordMedia
from direct311.media.review.adapters.files import MongoFilesById
from direct311.media.review.ports import FilesById
from direct311.media.storage import StoreCopies, StoreIncoming, StoreOriginals
from direct311.media.tokens import SecretTokens
from direct311.runtime.clock import Clock, SystemClock
from direct311.runtime.messaging.records import Records, Write
from direct311.runtime.storage import database as mongo
from direct311.runtime.storage.database import MongoRecords
from direct311.runtime.storage.objects import MissingObjectError, ObjectStore
from tests.support.media import InMemoryFilesById, InMemoryHoldings, MediaStores

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

HOUR = timedelta(hours=1)
COPY = CleanCopy(content_type="image/png", data=b"clean", width=3, height=2)


@dataclass(frozen=True)
class Stores:
    """All ports of one kind, and the two things that a fake does differently."""

    clock: Clock
    incoming: Incoming
    originals: Originals
    copies: Copies
    tokens: Tokens
    holdings: Holdings
    files: FilesById
    records: Records[RecordMedia]
    bring: Callable[[str, bytes], Awaitable[None]]
    again: Callable[[], Tokens]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack.create(tmp_path_factory.mktemp("stores"), ports="free", kind="test")
    try:
        stack.up(servers_only=True)
        yield stack
    finally:
        stack.down()


def in_memory() -> Stores:
    media = MediaStores()

    async def bring(upload_id: str, data: bytes) -> None:
        media.incoming.bring(upload_id, data)

    return Stores(
        clock=media.clock,
        incoming=media.incoming,
        originals=media.originals,
        copies=media.copies,
        tokens=media.tokens,
        holdings=InMemoryHoldings(media.records),
        files=InMemoryFilesById(media.records),
        records=media.records,
        bring=bring,
        again=lambda: media.tokens,
    )


@pytest.fixture(params=["memory", "servers"])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    if request.param == "memory":
        yield in_memory()
        return
    stack: Stack = request.getfixturevalue("servers")
    lines = (stack.root / "env" / "media.env").read_text().splitlines()
    settings = dict(line.removeprefix("MEDIA_").split("=", 1) for line in lines if "=" in line)
    # As the service's own principals, so that the rights that it has are the rights that it needs.
    store = ObjectStore(
        settings["STORE_ENDPOINT"],
        settings["STORE_ACCESS_KEY"],
        settings["STORE_SECRET_KEY"],
        secure=False,
    )
    database = mongo.connect(settings["DATABASE_URL"], settings["DATABASE_NAME"])
    records: MongoRecords[RecordMedia] = MongoRecords(database["records"], RecordMedia)
    await records.prepare(INDEXES)
    incoming = StoreIncoming(store)

    async def bring(upload_id: str, data: bytes) -> None:
        minute = timedelta(minutes=1)
        url, headers = await incoming.ticket(upload_id, minute, "image/png", len(data))
        put = urllib.request.Request(url, data, dict(headers), method="PUT")  # noqa: S310
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(put, timeout=10).close()

    yield Stores(
        clock=SystemClock(),
        incoming=incoming,
        originals=StoreOriginals(store),
        copies=StoreCopies(store),
        tokens=SecretTokens(database["secrets"]),
        holdings=MongoHoldings(records.collection),
        files=MongoFilesById(records.collection),
        records=records,
        bring=bring,
        again=lambda: SecretTokens(database["secrets"]),
    )
    mongo.disconnect(database)
    store.close()


def new_id() -> str:
    return str(compat.uuid7())


async def test_what_was_brought_waits_until_it_is_discarded(stores: Stores) -> None:
    upload_id = new_id()
    assert await stores.incoming.fetch(upload_id) is None
    await stores.bring(upload_id, b"bytes")
    assert await stores.incoming.fetch(upload_id) == b"bytes"
    came = dict(await stores.incoming.waiting())[upload_id]
    assert abs(came - stores.clock.now()) < HOUR
    await stores.incoming.discard(upload_id)
    await stores.incoming.discard(upload_id)
    assert await stores.incoming.fetch(upload_id) is None
    assert upload_id not in dict(await stores.incoming.waiting())


async def test_originals_go_in_every_version(stores: Stores) -> None:
    record_id, other = new_id(), new_id()
    await stores.originals.put(record_id, "one", b"first")
    await stores.originals.put(record_id, "one", b"second!")
    await stores.originals.put(record_id, "two", b"x")
    await stores.originals.put(other, "one", b"other")
    assert await stores.originals.get(record_id, "one") == b"second!"
    assert sorted(await stores.originals.of_record(record_id)) == ["one", "two"]
    assert await stores.originals.remove_all(record_id) == (3, len(b"firstsecond!x"))
    assert await stores.originals.remove_all(record_id) == (0, 0)
    assert list(await stores.originals.of_record(record_id)) == []
    with pytest.raises(MissingObjectError):
        await stores.originals.get(record_id, "one")
    assert await stores.originals.get(other, "one") == b"other"


async def test_records_are_found_in_their_shard_by_age(stores: Stores) -> None:
    record_id = new_id()
    await stores.originals.put(record_id, "one", b"x")
    shard = hashlib.sha256(record_id.encode()).digest()[0]
    now = stores.clock.now()
    assert record_id in await stores.originals.records_of_shard(shard, now + HOUR)
    assert record_id not in await stores.originals.records_of_shard(shard, now - HOUR)
    assert record_id not in await stores.originals.records_of_shard(shard ^ 1, now + HOUR)


async def test_copies_are_found_in_their_shard_by_age_and_removed(stores: Stores) -> None:
    token = await stores.tokens.token(new_id(), "one")
    name, shard, now = f"{token}.png", int(token[:2], 16), stores.clock.now()
    await stores.copies.put(name, COPY)
    await stores.copies.put(name, COPY)
    found = await stores.copies.names_of_shard(shard, now + HOUR)
    assert list(found).count(name) == 1
    assert name not in await stores.copies.names_of_shard(shard, now - HOUR)
    assert name not in await stores.copies.names_of_shard(shard ^ 1, now + HOUR)
    await stores.copies.remove([name, "never-was.png"])
    assert name not in await stores.copies.names_of_shard(shard, now + HOUR)


async def test_tokens_are_the_same_each_time_and_tell_nothing(stores: Stores) -> None:
    record_id = new_id()
    token = await stores.tokens.token(record_id, "one")
    assert re.fullmatch(r"[0-9a-f]{40}", token)
    assert await stores.again().token(record_id, "one") == token
    others = {await stores.tokens.token(record_id, "two"), await stores.tokens.token("x", "one")}
    assert token not in others
    assert len(others) == 2


async def test_documents_answer_for_uploads_copies_and_records(stores: Stores) -> None:
    record_id, dead, media_id, name = new_id(), new_id(), new_id(), new_id()
    public = PublicCopy(
        name=name, content_type="image/png", size=5, sha256="0" * 64, width=3, height=2
    )
    file = MediaFile(media_id=media_id, state="stored", content_type="image/png", public=public)
    refused = MediaFile(media_id=f"{media_id}r", state="rejected")
    living = RecordMedia(
        record_id=record_id, version=1, files=(file, refused), eligible_on=date(2031, 9, 30)
    )
    tombstone = RecordMedia(record_id=dead, version=3, lifecycle="destroyed")
    now = stores.clock.now()
    assert not await stores.records.commit(
        [Write(0, living, (), now), Write(0, tombstone, (), now)]
    )
    loaded = await stores.records.load([record_id])
    assert loaded[record_id].state == living
    asked = [media_id, f"{media_id}r", "unknown"]
    assert await stores.holdings.known_uploads(asked) == {media_id, f"{media_id}r"}
    assert await stores.holdings.named_copies([name, media_id]) == {name}
    assert await stores.holdings.living_records([record_id, dead, "none"]) == {record_id}
    assert await stores.holdings.known_uploads([]) == set()
    assert await stores.files.record_of(media_id) == record_id
    assert await stores.files.record_of("unknown") is None


async def test_decisions_about_files_come_back_as_they_were_and_go_with_the_record(
    stores: Stores,
) -> None:
    record_id, media_id = new_id(), new_id()
    file = MediaFile(media_id=media_id, state="stored", content_type="application/pdf")
    decision = FileDecision(
        case_id=new_id(),
        media_id=media_id,
        kind="public_records",
        version=3,
        outcome="redact",
        boxes=(Box(page=2, left=0.1, top=1 / 3, right=0.7, bottom=1, code="victim"),),
        decided_by="carl",
        decided_at=stores.clock.now(),
    )
    before = RecordMedia(record_id=record_id, version=1, files=(file,)).decided(decision)
    now = stores.clock.now()
    assert not await stores.records.commit([Write(0, before, (), now)])
    (loaded,) = (await stores.records.load([record_id])).values()
    assert loaded.state.decision(decision.case_id, media_id) == decision
    buried = before.written(2).buried()
    assert not await stores.records.commit([Write(1, buried, (), now)])
    assert await stores.files.record_of(media_id) is None
