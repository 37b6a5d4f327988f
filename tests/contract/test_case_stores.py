"""Case files and their documents are kept the same way in memory and on the real servers."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Protocol

import pytest
from uuid_utils import compat

from deploy.local.stack import Stack
from direct311.retention.case_file.messages import CaseMessage, Correspondence
from direct311.retention.case_file.packages import (
    PACKAGE,
    BuiltPackage,
    CasePackages,
    CollectedPart,
    build_name,
)
from direct311.retention.cases.adapters import MongoCases, StoreDocuments, awaited
from direct311.retention.cases.domain import CaseFile, CaseKind, PublicReceipt
from direct311.retention.cases.ports import Cases, SealedDocuments
from direct311.retention.certificates.ports import Releases
from direct311.retention.exemption_log.ports import ReleasedCases
from direct311.retention.holds.domain import Bounds, HoldQuery, ProvisionalHold
from direct311.retention.preservation.adapters import MongoPreservingCases
from direct311.retention.preservation.ports import PreservingCases
from direct311.runtime.messaging.records import Records, Write
from direct311.runtime.storage import database as mongo
from direct311.runtime.storage.database import MongoRecords
from direct311.runtime.storage.objects import MissingObjectError, ObjectStore
from tests.support.memory import InMemoryRecords
from tests.unit.retention.cases.fakes import (
    InMemoryCases,
    InMemoryDocuments,
    InMemoryPreservingCases,
)

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

AT = datetime(2026, 3, 2, 17, tzinfo=UTC)
RECORDS: tuple[CaseKind, ...] = ("public_records",)
POLICE: tuple[CaseKind, ...] = ("law_enforcement",)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


class CaseQueries(Cases, ReleasedCases, Protocol):
    """Every query over case files."""


@dataclass(frozen=True)
class Stores:
    """All that the case desk keeps."""

    records: Records[CaseFile]
    cases: CaseQueries
    documents: SealedDocuments
    releases: Releases

    async def put(self, *files: CaseFile) -> None:
        writes = [Write(0, each.written(1), (), AT) for each in files]
        assert not await self.records.commit(writes)


@pytest.fixture(params=["memory", "servers"])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    if request.param == "memory":
        memory: InMemoryRecords[CaseFile] = InMemoryRecords()
        kept = InMemoryCases(memory)
        yield Stores(memory, kept, InMemoryDocuments(), kept)
        return
    servers: Stack = request.getfixturevalue("servers")
    lines = (servers.root / "env" / "retention.env").read_text().splitlines()
    settings = dict(line.removeprefix("RETENTION_").split("=", 1) for line in lines if "=" in line)
    # As the service's own principals, so that the rights that it has are the rights that it needs.
    store = ObjectStore(
        settings["STORE_ENDPOINT"],
        settings["STORE_ACCESS_KEY"],
        settings["STORE_SECRET_KEY"],
        secure=False,
    )
    database = mongo.connect(settings["DATABASE_URL"], settings["DATABASE_NAME"])
    records: MongoRecords[CaseFile] = MongoRecords(database[f"cases-{new_id()}"], CaseFile)
    await records.prepare(MongoCases.INDEXES)
    cases = MongoCases(records)
    yield Stores(records, cases, StoreDocuments(store), cases)
    await records.collection.drop()
    mongo.disconnect(database)
    store.close()


def new_id() -> str:
    return str(compat.uuid7())


def case(
    kind: CaseKind = "public_records", case_id: str = "", receipt: PublicReceipt | None = None
) -> CaseFile:
    return CaseFile(record_id=case_id or new_id()).opened(
        kind=kind,
        received_at=AT,
        opened_by="carla",
        exempt_until=None,
        sealed={"case_request": b"\x00sealed\xff"},
        public_receipt=receipt,
        provisional=ProvisionalHold(placed_at=AT),
    )


def public(mark: str, *token_hashes: str) -> CaseFile:
    receipt = PublicReceipt(mark=mark, content="c", token_hashes=token_hashes)
    return case(receipt=receipt)


async def test_a_public_submission_is_found_by_its_mark_and_by_each_of_its_tokens(
    stores: Stores,
) -> None:
    first, second = public("m-1", "t-1", "t-2"), public("m-2", "t-3")
    await stores.put(first, second, case())
    assert await stores.cases.submitted("m-1") == first.written(1)
    assert await stores.cases.submitted("m-3") is None
    for token, found in (("t-1", first), ("t-2", first), ("t-3", second)):
        assert await stores.cases.of_token(token) == found.written(1)
    assert await stores.cases.of_token("t-4") is None


async def test_a_token_opens_no_case_that_is_destroyed_or_being_destroyed(stores: Stores) -> None:
    going, gone = public("m-4", "t-5"), public("m-5", "t-6")
    await stores.put(going.destruction_ordered("o1"), gone.destruction_ordered("o1").buried())
    assert await stores.cases.of_token("t-5") is None
    assert await stores.cases.of_token("t-6") is None


async def test_a_case_file_is_read_as_it_was_written(stores: Stores) -> None:
    written = case()
    await stores.put(written)
    (read,) = await stores.cases.page(RECORDS, None, 10)
    assert read == written.written(1)


async def test_a_page_has_one_kind_by_number_and_goes_on_after_the_last(stores: Stores) -> None:
    ids = [new_id() for _ in range(4)]
    await stores.put(*(case(case_id=each) for each in reversed(ids[:3])))
    await stores.put(case("law_enforcement", ids[3]))

    async def page(*kinds: CaseKind, after: str | None = None, limit: int = 10) -> list[str]:
        return [each.record_id for each in await stores.cases.page(kinds, after, limit)]

    assert await page("public_records", limit=2) == ids[:2]
    assert await page("public_records", after=ids[1]) == ids[2:3]
    assert await page("law_enforcement") == ids[3:]
    assert await page("public_records", "law_enforcement") == ids
    assert await page() == []


async def test_what_is_destroyed_or_being_destroyed_is_on_no_page(stores: Stores) -> None:
    going, gone = case(), case()
    await stores.put(going.destruction_ordered("o1"), gone.destruction_ordered("o1").buried())
    assert not await stores.cases.page(RECORDS, None, 10)
    assert not await stores.cases.unfiled(10)


async def test_only_what_the_inventory_does_not_know_is_unfiled(stores: Stores) -> None:
    new, known = case(), case().filed()
    await stores.put(
        new, known, known.ended("withdrawn", AT).model_copy(update={"record_id": "closed"})
    )
    assert {each.record_id for each in await stores.cases.unfiled(10)} == {new.record_id, "closed"}
    assert len(await stores.cases.unfiled(1)) == 1


async def test_a_record_that_went_out_is_found_with_its_case_and_package(stores: Stores) -> None:
    released, pending = collected("r-1", "a" * 64), collected("r-2", None)
    first = case().packaging(CasePackages(parts=(released, pending)))
    again = case().packaging(CasePackages(parts=(collected("r-1", "b" * 64),)))
    buried = case().packaging(CasePackages(parts=(released,))).destruction_ordered("o1").buried()
    await stores.put(first, again, buried, case())
    found = await stores.releases.released_with(["r-1", "r-2", "r-3"])
    assert {(record_id, each.case_id, each.package) for record_id, each in found} == {
        ("r-1", first.record_id, "a" * 64),
        ("r-1", again.record_id, "b" * 64),
    }
    assert len(found) == 2
    assert not await stores.releases.released_with(["r-2"])


def collected(record_id: str, released_in: str | None) -> CollectedPart:
    return CollectedPart(
        record_id=record_id,
        version=1,
        decisions="d",
        sha256="5",
        size=1,
        withheld=0,
        collected_by="carla",
        collected_at=AT,
        released_in=released_in,
    )


async def test_documents_go_in_every_version_and_no_other_cases_with_them(stores: Stores) -> None:
    case_id, other = new_id(), new_id()
    await stores.documents.put(case_id, "one", b"first")
    await stores.documents.put(case_id, "one", b"second!")
    await stores.documents.put(case_id, "two", b"x")
    await stores.documents.put(other, "one", b"other")
    assert await stores.documents.get(case_id, "one") == b"second!"
    assert await stores.documents.remove_all(case_id) == (3, len(b"firstsecond!x"))
    assert await stores.documents.remove_all(case_id) == (0, 0)
    with pytest.raises(MissingObjectError):
        await stores.documents.get(case_id, "one")
    assert await stores.documents.get(other, "one") == b"other"


async def test_what_is_named_alike_is_removed_without_the_rest(stores: Stores) -> None:
    case_id = new_id()
    for name in ("build/1/000001", "build/1/000002", "build/12/000001"):
        await stores.documents.put(case_id, name, b"piece")
    await stores.documents.remove(case_id, "build/1/")
    await stores.documents.remove(case_id, "build/1/")
    with pytest.raises(MissingObjectError):
        await stores.documents.get(case_id, "build/1/000002")
    assert await stores.documents.get(case_id, "build/12/000001") == b"piece"
    assert await stores.documents.remove_all(case_id) == (1, 5)


# ---------------------------------------------------------------- what open cases stop


@pytest.fixture(params=["memory", "servers"])
async def preserving(
    request: pytest.FixtureRequest,
) -> AsyncIterator[tuple[Records[CaseFile], PreservingCases]]:
    if request.param == "memory":
        memory: InMemoryRecords[CaseFile] = InMemoryRecords()
        yield memory, InMemoryPreservingCases(memory)
        return
    servers: Stack = request.getfixturevalue("servers")
    lines = (servers.root / "env" / "retention.env").read_text().splitlines()
    settings = dict(line.removeprefix("RETENTION_").split("=", 1) for line in lines if "=" in line)
    database = mongo.connect(settings["DATABASE_URL"], settings["DATABASE_NAME"])
    records: MongoRecords[CaseFile] = MongoRecords(database[f"cases-{new_id()}"], CaseFile, awaited)
    await records.prepare(MongoPreservingCases.INDEXES)
    yield records, MongoPreservingCases(records)
    await records.collection.drop()
    mongo.disconnect(database)


async def test_what_open_cases_stop_is_found(
    preserving: tuple[Records[CaseFile], PreservingCases],
) -> None:
    records, found = preserving
    bounds = Bounds(record_ids=("r1",), query=HoldQuery(department="PW", since=AT))
    placing = ProvisionalHold(placed_at=AT)
    files = {
        "placing": case().preserving(placing),
        "bounded": case().preserving(placing.bounded(bounds, "carla", AT).placed()),
        "unbounded": case().preserving(placing.placed()),
        "ending": case().preserving(placing.ending(AT)),
        "ended": case().preserving(placing.ending(AT).ended()),
        "sued": case().preserving(placing.ending(AT).ended()).sued("carla", AT),
        "filed": case().preserving(placing.ending(AT).ended()).sued("carla", AT).suit_filed(),
    }
    writes = [Write(0, each.written(1), (), AT) for each in files.values()]
    assert not await records.commit(writes)
    by_case = {each.record_id: each.provisional for each in files.values()}
    standing = {files[name].record_id for name in ("placing", "bounded", "unbounded")}
    assert await found.standing() == {key: by_case[key] for key in standing}
    some = {files[name].record_id for name in ("bounded", "ending", "ended")} | {"unknown"}
    bounded = files["bounded"].record_id
    assert await found.standing_of(some) == {bounded: by_case[bounded]}
    assert set(await found.unfinished(10)) == {
        files[name].record_id for name in ("placing", "ending", "sued")
    }
    assert await found.sued() == [files["filed"].record_id]
    unbounded = sorted(files[name].record_id for name in ("placing", "unbounded"))
    assert [each.record_id for each in await found.unbounded(10, None)] == unbounded
    assert [each.record_id for each in await found.unbounded(10, RECORDS)] == unbounded
    assert not await found.unbounded(10, POLICE)


async def test_cases_whose_requester_waits_are_found_and_cases_of_a_desk(
    preserving: tuple[Records[CaseFile], PreservingCases],
) -> None:
    records, found = preserving
    message = CaseMessage(
        message_id="m-1", sender="requester", at=AT + timedelta(hours=1), sealed=b"sealed"
    )
    quiet, sued = case(), case().sued("carla", AT).suit_filed()
    waiting = case().corresponding(Correspondence().with_message(message))
    writes = [Write(0, each.written(1), (), AT) for each in (quiet, sued, waiting)]
    assert not await records.commit(writes)
    assert [each.record_id for each in await found.awaited(10, RECORDS)] == sorted(
        (sued.record_id, waiting.record_id)
    )
    assert len(await found.awaited(1, RECORDS)) == 1
    assert not await found.awaited(10, POLICE)
    asked = (quiet.record_id, "no-such-case")
    assert set(await found.of_kinds(asked, RECORDS)) == {quiet.record_id}
    assert not await found.of_kinds(asked, POLICE)


async def test_cases_with_a_released_package_are_found_by_the_time_of_the_release(
    stores: Stores,
) -> None:
    def released(*times: datetime | None) -> CaseFile:
        packages = [
            BuiltPackage(
                sha256=f"{number:064x}",
                size=1,
                built_by="carla",
                built_at=AT,
                built_from=1,
                partial=False,
                records=1,
                withheld=1,
                released_by=at and "carla",
                released_at=at,
            )
            for number, at in enumerate(times)
        ]
        return case().packaging(CasePackages(packages=tuple(packages)))

    day = timedelta(days=1)
    # Neither what was only built, nor a case between whose releases the time lies, nor one that is
    # being destroyed.
    first, between, both = released(AT), released(AT - day, AT + day), released(None, AT, AT + day)
    await stores.put(
        first, between, both, released(None), case(), released(AT).destruction_ordered("o1")
    )
    found = stores.cases.released
    hour = timedelta(hours=1)
    expected = sorted([first.record_id, both.record_id])
    assert [each.record_id for each in await found(AT, AT + hour, None, 10)] == expected
    assert [each.record_id for each in await found(AT, AT + hour, expected[1], 10)] == expected[1:]
    assert [each.record_id for each in await found(AT, AT + hour, None, 1)] == expected[:1]
    assert await found(AT + hour, AT + 2 * hour, None, 10) == []
    assert len(await found(None, None, None, 10)) == 3
    assert len(await found(AT + day, None, None, 10)) == 2
    assert len(await found(None, AT, None, 10)) == 1


async def test_builds_are_found_by_their_shard_once_their_newest_piece_is_old(
    stores: Stores,
) -> None:
    case_id = new_id()
    shard = int(sha256(case_id.encode()).hexdigest()[:2], 16)
    begun = datetime.now(UTC)
    names = ("part/0", "build/1/000001", "build/1/000002", "build/2/000001", "proof/0")
    for name in names:
        await stores.documents.put(case_id, f"{PACKAGE}/{name}", b"sealed")

    async def found(shard: int, older_than: datetime) -> list[str]:
        builds = await stores.documents.builds_of_shard(shard, older_than)
        return [build for case, build in builds if case == case_id]

    later = datetime.now(UTC) + timedelta(hours=1)
    assert await found(shard, later) == ["1", "2"]
    assert await found(shard, begun - timedelta(hours=1)) == []
    assert await found((shard + 1) % 256, later) == []
    await stores.documents.remove(case_id, f"{build_name('1')}/")
    assert await found(shard, later) == ["2"]
    await stores.documents.remove_all(case_id)
