"""Inventory, holds, sets and certificates are kept the same way in memory and in the database."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta

import pytest

from deploy.local.stack import Stack
from direct311.retention.certificates.adapters import MongoCertificates
from direct311.retention.certificates.domain import Certificate, Content
from direct311.retention.certificates.ports import Certificates
from direct311.retention.holds.adapters import RECENT, MongoHolds
from direct311.retention.holds.domain import Fence, Hold, HoldQuery, ProvisionalHold, Raiser
from direct311.retention.holds.ports import Holds
from direct311.retention.inventory.adapters import MongoInventory
from direct311.retention.inventory.ports import Inventory
from direct311.retention.record import Held, InventoryRecord, Receipt
from direct311.retention.review.adapters import MongoDispositions
from direct311.retention.review.domain import Disposition, LeftOut, Proposed
from direct311.retention.review.ports import Dispositions
from direct311.runtime.messaging.records import Records, Write
from direct311.runtime.messaging.state import RecordState
from direct311.runtime.process import AggregateStore
from direct311.runtime.storage import database as mongo
from direct311.runtime.storage.database import Collection, Database, MongoRecords
from direct311.schemas import events as ev
from tests.support.county import until
from tests.support.memory import InMemoryPublisher, InMemoryRecords
from tests.support.runtime import SetClock
from tests.support.service_under_test import ServiceUnderTest
from tests.unit.retention.fakes import (
    START,
    InMemoryCertificates,
    InMemoryDispositions,
    InMemoryHolds,
    InMemoryInventory,
    NoCases,
)

pytestmark = [pytest.mark.wire, pytest.mark.anyio]


@dataclass
class Stores:
    """All that retention keeps."""

    records: Records[InventoryRecord]
    inventory: Inventory
    holds: Holds
    dispositions: Dispositions
    certificate_records: Records[Certificate]
    certificates: Certificates
    clock: SetClock

    async def put(self, *records: InventoryRecord) -> None:
        writes = [Write(0, each.model_copy(update={"version": 1}), (), START) for each in records]
        assert not await self.records.commit(writes)


@asynccontextmanager
async def opened(servers: Stack) -> AsyncIterator[Database]:
    """Retention's own database with retention's own rights, emptied."""
    lines = (servers.root / "env" / "retention.env").read_text().splitlines()
    settings = dict(line.removeprefix("RETENTION_").split("=", 1) for line in lines if "=" in line)
    database = mongo.connect(settings["DATABASE_URL"], settings["DATABASE_NAME"])
    for name in ("records", "certificates", "holds", "fence", "dispositions"):
        await database[name].delete_many({})
    yield database
    mongo.disconnect(database)


def outbox_of(
    service: ServiceUnderTest,
    collection: Collection,
    broker: InMemoryPublisher | None = None,
    writer: str = "one",
) -> AggregateStore[RecordState]:
    """The outbox of a collection as a process has it; its relay is not started."""
    records = MongoRecords(collection, RecordState, writer=writer)
    relay = service.relay_of(records, broker or InMemoryPublisher())
    return AggregateStore(records, relay, service.emitter)


@pytest.fixture(params=["memory", "database"])
async def stores(request: pytest.FixtureRequest, servers: Stack) -> AsyncIterator[Stores]:
    clock = SetClock(START)
    if request.param == "memory":
        kept: InMemoryRecords[InventoryRecord] = InMemoryRecords()
        certified: InMemoryRecords[Certificate] = InMemoryRecords()
        yield Stores(
            kept,
            InMemoryInventory(kept),
            InMemoryHolds(),
            InMemoryDispositions(),
            certified,
            InMemoryCertificates(certified),
            clock,
        )
        return
    async with opened(servers) as database:
        records = MongoRecords(database["records"], InventoryRecord)
        certificates = MongoRecords(database["certificates"], Certificate)
        service = ServiceUnderTest("retention", clock=clock)
        holds = MongoHolds(outbox_of(service, database["holds"]), database, NoCases(), clock)
        dispositions = MongoDispositions(outbox_of(service, database["dispositions"]), clock)
        await records.prepare(MongoInventory.INDEXES)
        await certificates.prepare(MongoCertificates.INDEXES)
        for each in (holds, dispositions):
            await each.prepare()
            await each.prepare()
        yield Stores(
            records,
            MongoInventory(records),
            holds,
            dispositions,
            certificates,
            MongoCertificates(certificates),
            clock,
        )


def record(record_id: str, **known: object) -> InventoryRecord:
    return InventoryRecord(record_id=record_id, **known)


def receipt(holder: ev.Holder) -> Receipt:
    return Receipt(
        holder=holder,
        event_id="e",
        sha256="0" * 64,
        documents=1,
        fields=0,
        objects=0,
        bytes=5,
        keys=0,
        manner="m",
        destroyed_at=START,
        recoverable_until=START,
    )


def hold(hold_id: str = "h1", **scope: object) -> Hold:
    return Hold(
        hold_id=hold_id,
        name="suit",
        kind="litigation",
        authority="26-1",
        placed_by="cole",
        placed_at=START,
        **scope,
    )


# ---------------------------------------------------------------- records


async def test_a_record_comes_back_as_it_was_written(stores: Stores) -> None:
    full = record(
        "r1",
        service_code="POTHOLE",
        municipality="hialeah",
        department="parks",
        status="fixed",
        received_at=START,
        closed_at=START,
        outcomes=("hearing", "litigation"),
        outcomes_closed_on={"hearing": date(2026, 3, 1)},
        known_holders=("intake", "geo"),
        items=(94, 141),
        decided_by=141,
        trigger="completed",
        trigger_on=date(2026, 3, 2),
        eligible_on=date(2029, 10, 1),
        stage="eligible",
        holds=("h1",),
        held_by=(Held(hold_id="h1", kind="audit", authority="a", placed_at=START),),
        receipts=(receipt("geo"),),
    )
    await stores.put(full)
    assert await stores.inventory.get("r1") == full.model_copy(update={"version": 1})
    assert await stores.inventory.get("r2") is None


async def test_what_is_due_is_active_and_has_had_its_day(stores: Stores) -> None:
    day = date(2026, 3, 2)
    await stores.put(
        record("today", eligible_on=day),
        record("before", eligible_on=date(2001, 1, 1)),
        record("tomorrow", eligible_on=day + timedelta(days=1)),
        record("eligible", eligible_on=day, stage="eligible"),
        record("open"),
    )
    assert sorted(await stores.inventory.due(day, 10)) == ["before", "today"]
    assert len(await stores.inventory.due(day, 1)) == 1


async def test_pages_follow_each_other_by_day_and_id_without_gap_or_repeat(
    stores: Stores,
) -> None:
    days = [date(1999, 12, 31), date(2020, 10, 1), date(2020, 10, 1), date(2020, 10, 2)]
    days += [date(2024, 2, 29), date(2025, 10, 1), date(2025, 10, 1), date(2026, 3, 2)]
    known = [
        record(f"r{number}", eligible_on=day, stage="eligible", holds=("h",) * (number % 2))
        for number, day in enumerate(days)
    ]
    await stores.put(*known, record("a", eligible_on=days[0]), record("b", stage="eligible"))
    for size in (1, 3, 8, 20):
        found = await _pages(stores, size, clear=False)
        assert found == [f"r{number}" for number in range(8)]
    assert await _pages(stores, 2, clear=True) == ["r0", "r2", "r4", "r6"]
    early = await stores.inventory.page("eligible", date(2020, 10, 1), None, 10)
    assert [each.record_id for each in early] == ["r0", "r1", "r2"]
    assert list(await stores.inventory.page("eligible", date(1990, 1, 1), None, 10)) == []
    active = await stores.inventory.page("active", date.max, None, 10)
    assert [each.record_id for each in active] == ["a"]


async def _pages(stores: Stores, size: int, *, clear: bool) -> list[str]:
    found: list[str] = []
    after = None
    while page := await stores.inventory.page("eligible", date.max, after, size, clear=clear):
        found += [each.record_id for each in page]
        last = page[-1]
        assert last.eligible_on is not None
        after = (last.eligible_on, last.record_id)
    return found


SCOPES: Sequence[tuple[dict[str, object], set[str]]] = (
    ({"record_ids": ("r1", "r4", "r9")}, {"r1"}),
    ({"query": HoldQuery(service_codes=("POTHOLE",))}, {"r1", "r2"}),
    ({"query": HoldQuery(municipality="hialeah")}, {"r1", "r3"}),
    ({"query": HoldQuery(municipality="City_of HIALEAH")}, {"r1", "r3"}),
    ({"query": HoldQuery(municipality="Hialeah Gardens")}, set()),
    ({"query": HoldQuery(department="parks", service_codes=("POTHOLE", "X"))}, {"r2"}),
    ({"query": HoldQuery(since=START)}, {"r2", "r3"}),
    ({"query": HoldQuery(until=START)}, {"r1"}),
    ({"query": HoldQuery(since=START, until=START + timedelta(hours=1))}, {"r2"}),
    ({"query": HoldQuery(service_codes=("X",)), "record_ids": ("r1",)}, {"r1", "r3"}),
)


@pytest.mark.parametrize(("scope", "fits"), SCOPES)
async def test_a_hold_finds_what_it_would_match(
    scope: dict[str, object], fits: set[str], stores: Stores
) -> None:
    place = {"service_code": "POTHOLE", "municipality": "hialeah"}
    known = [
        record("r1", **place, received_at=START - timedelta(seconds=1)),
        record("r2", service_code="POTHOLE", department="parks", received_at=START),
        record("r3", service_code="X", municipality="hialeah", received_at=START + timedelta(1)),
        record("r4", **place, received_at=START, department="parks", stage="ordered"),
        record("r5", **place, received_at=START, department="parks", fence=7),
        record("r6"),
    ]
    await stores.put(*known)
    one = Hold.model_validate(hold().model_dump() | scope | {"fence": 7})
    assert set(await stores.inventory.matching(one, 10)) == fits
    assert {each.record_id for each in known[:3] if one.matches(each)} == fits
    too_late = {"r4"} if one.matches(known[3]) else set()
    assert set(await stores.inventory.too_late(one, 10)) == too_late


async def test_what_records_have_is_known_by_its_values(stores: Stores) -> None:
    await stores.put(
        record("r1", service_code="POTHOLE", municipality="Miami", received_at=START),
        record("r2", service_code="POTHOLE", municipality="unincorporated", department="parks"),
        record("r3"),
    )
    inventory = stores.inventory
    assert sorted(await inventory.values("service_code")) == ["POTHOLE"]
    assert sorted(await inventory.values("municipality")) == ["Miami", "unincorporated"]
    assert sorted(await inventory.values("department")) == ["parks"]


async def test_records_are_found_by_hold_order_and_rules(stores: Stores) -> None:
    await stores.put(
        record("r1", holds=("h1", "h2"), schedule_version="2", behind=True),
        record("r2", holds=("h2",), schedule_version="1", stage="eligible"),
        record("r3", holds=("h1",), schedule_version="1", stage="ordered", order_id="o1"),
        record("r4", schedule_version="3", stage="destroyed", order_id="o1", answered=4),
        record("r5", order_id="o2", stage="certified", receipts=(receipt("geo"),)),
        record("r6", order_id="o3", stage="certified", receipts=(receipt("geo"), receipt("audit"))),
        record("r7", order_id="o2", stage="in_review"),
    )
    inventory = stores.inventory
    assert list(await inventory.holding("h1", 10)) == ["r1"]
    assert sorted(await inventory.holding("h2", 10)) == ["r1", "r2"]
    assert await inventory.held(["h1", "h2", "h9"]) == {"h1": 1, "h2": 2}
    assert await inventory.held([]) == {}
    assert list(await inventory.behind(10)) == ["r1"]
    assert list(await inventory.outdated("2", 10)) == ["r2"]
    assert sorted(await inventory.outdated("4", 10)) == ["r1", "r2"]
    assert sorted(each.record_id for each in await inventory.of_order("o1")) == ["r3", "r4"]
    assert [each.record_id for each in await inventory.of_order("o2")] == ["r5"]
    assert await inventory.waiting("o1", for_audit=False)
    assert not await inventory.waiting("o2", for_audit=False)
    assert await inventory.waiting("o2", for_audit=True)
    assert not await inventory.waiting("o3", for_audit=True)
    assert await inventory.count() == {
        "active": 1,
        "eligible": 1,
        "in_review": 1,
        "ordered": 1,
        "destroyed": 1,
        "certified": 2,
    }


# ---------------------------------------------------------------- holds


async def test_holds_that_may_be_released_come_longest_first_and_page_by_page(
    stores: Stores,
) -> None:
    long_ago = START - timedelta(days=400)
    times = {
        "h3": long_ago + timedelta(hours=1),
        "h2": long_ago,
        "h1": long_ago,
        "h4": START + timedelta(days=9_000),
        "h5": None,
    }
    for hold_id, at in times.items():
        placed = hold(hold_id, record_ids=("r1",), state="in_force", earliest_release_at=at)
        await stores.holds.add(placed, ())
    first = await stores.holds.releasable(2)
    assert [each.hold_id for each in first] == ["h1", "h2"]
    rest = await stores.holds.releasable(2, first[-1])
    assert [each.hold_id for each in rest] == ["h3"]
    assert not await stores.holds.releasable(2, rest[-1])


async def test_a_hold_is_kept_once_and_replaced_only_in_its_version(stores: Stores) -> None:
    first = hold(query=HoldQuery(service_codes=("X",), since=START))
    assert await stores.holds.add(first, ()) == first
    assert await stores.holds.add(hold(record_ids=("other",)), ()) == first
    assert await stores.holds.replace(first.model_copy(update={"fence": 3}))
    assert not await stores.holds.replace(first.model_copy(update={"fence": 4}))
    found = await stores.holds.get("h1")
    assert found == first.model_copy(update={"fence": 3, "version": 2})
    assert await stores.holds.get("h2") is None


async def test_the_fence_only_rises(stores: Stores) -> None:
    assert [await stores.holds.raise_fence(("case", "c1")) for _ in range(3)] == [1, 2, 3]


async def test_whoever_orders_after_others_raised_the_fence_reads_nothing_anew(
    servers: Stack,
) -> None:
    class Counted(NoCases):
        reads = 0

        async def standing(self) -> Mapping[str, ProvisionalHold]:
            self.reads += 1
            return await super().standing()

        async def standing_of(self, case_ids: Set[str]) -> Mapping[str, ProvisionalHold]:
            self.reads += 1
            return await super().standing_of(case_ids)

    async with opened(servers) as database:
        service, cases = ServiceUnderTest("retention"), Counted()
        store = outbox_of(service, database["holds"])
        holds = MongoHolds(store, database, cases, service.clock)
        await holds.prepare()
        values = [await holds.raise_fence(("case", "c1")) for _ in range(5)]

        async def known() -> bool:
            return cases.reads > 0

        await until(known, "what stands is read soon")
        # The raises came together, or nearly.
        await asyncio.sleep(4 * MongoHolds.SOON_SECONDS)
        reads = cases.reads
        assert reads < len(values)
        assert (await holds.standing_now()).fence == values[-1]
        assert cases.reads == reads


async def test_the_fence_names_who_raised_it_last(servers: Stack) -> None:
    async with opened(servers) as database:
        service = ServiceUnderTest("retention")
        store = outbox_of(service, database["holds"])
        holds = MongoHolds(store, database, NoCases(), service.clock)
        await holds.prepare()
        raised: list[Raiser] = [("case", f"c{number}") for number in range(RECENT // 2)]
        await asyncio.gather(*(holds.raise_fence(each) for each in raised))
        fence = await holds.fence_now()
        assert (fence.value, fence.named) == (len(raised), len(raised))
        assert fence.raised_since(Fence(0)) == frozenset(raised)
        # What a version of before raises is named by nobody.
        await database["fence"].update_one({}, {"$inc": {"value": 1}})
        assert (await holds.fence_now()).raised_since(fence) is None
        for number in range(RECENT + 1):
            await holds.raise_fence(("hold", f"h{number}"))
        fence = await holds.fence_now()
        assert [name for _, name in fence.recent] == [f"h{each}" for each in range(1, RECENT + 1)]


async def test_a_hold_that_raised_the_fence_is_read_by_itself(servers: Stack) -> None:
    class Counted(MongoHolds):
        reads = 0

        async def all_holds(self) -> Sequence[Hold]:
            self.reads += 1
            return await super().all_holds()

    async with opened(servers) as database:
        service = ServiceUnderTest("retention")
        store = outbox_of(service, database["holds"])
        holds = Counted(store, database, NoCases(), service.clock)
        await holds.prepare()
        await holds.standing_now()
        for number in range(3):
            await holds.add(hold(f"h{number}", record_ids=("r1",)), ())
            await holds.raise_fence(("hold", f"h{number}"))
        one = await holds.get("h0")
        assert one is not None
        await holds.replace(one.model_copy(update={"state": "releasing"}))
        await holds.raise_fence(("hold", "h0"))
        found = await holds.standing_now()
        assert {each.hold_id for each in found.by_record["r1"]} == {"h1", "h2"}
        assert (found.released, holds.reads) == (frozenset({"h0"}), 1)


async def test_what_stands_is_known_with_the_value_of_the_fence(stores: Stores) -> None:
    holds = stores.holds
    await holds.add(hold("h1", record_ids=("r1",)), ())
    await holds.raise_fence(("hold", "h1"))
    found = await holds.standing_now()
    assert (found.fence, set(found.by_record), found.released) == (1, {"r1"}, frozenset())
    await holds.add(hold("h2", query=HoldQuery(department="parks")), ())
    await holds.raise_fence(("hold", "h2"))
    assert [each.hold_id for each in (await holds.standing(2)).by_query] == ["h2"]
    one = await holds.get("h1")
    assert one is not None
    assert await holds.replace(one.model_copy(update={"state": "releasing"}))
    await holds.raise_fence(("hold", "h1"))
    found = await holds.standing(3)
    assert found.fence == 3
    assert found.released == frozenset({"h1"})
    assert not found.by_record
    await holds.raise_fence(("hold", "h2"))
    stores.clock.advance(timedelta(seconds=2))
    assert (await holds.standing(0)).fence == 4


async def test_cases_with_a_standing_hold_that_knows_of_no_suit_are_found(stores: Stores) -> None:
    changes: dict[str, dict[str, object]] = {
        "h0": {"case_id": "c0"},
        "h1": {"case_id": "c1", "suit_at": START},
        "h2": {"case_id": "c2", "state": "released"},
        "h3": {"case_id": "c3", "state": "in_force"},
        "h4": {"case_id": "c3", "suit_at": START},
        "h5": {},
    }
    for hold_id, update in changes.items():
        one = hold(hold_id, record_ids=("r1",))
        await stores.holds.add(Hold.model_validate(one.model_dump() | update), ())
    asked = ["c0", "c1", "c2", "c3", "c4"]
    assert sorted(await stores.holds.without_suit(asked)) == ["c0", "c3"]
    assert await stores.holds.without_suit(["c1"]) == []
    assert await stores.holds.without_suit([]) == []


async def test_holds_are_listed_and_the_unfinished_found(stores: Stores) -> None:
    states: tuple[dict[str, object], ...] = (
        {"state": "placing"},
        {"state": "in_force"},
        {"state": "in_force", "settle_at": START},
        {"state": "releasing"},
        {"state": "released"},
    )
    for number, update in enumerate(states):
        one = hold(f"h{number}", record_ids=("r1",))
        await stores.holds.add(Hold.model_validate(one.model_dump() | update), ())
    assert sorted(await stores.holds.unfinished()) == ["h0", "h2", "h3"]
    standing = await stores.holds.page(None, 2, standing=True)
    assert [each.hold_id for each in standing] == ["h0", "h1"]
    rest = await stores.holds.page("h1", 10, standing=True)
    assert [each.hold_id for each in rest] == ["h2"]
    assert len(await stores.holds.page(None, 10, standing=False)) == 5


# ---------------------------------------------------------------- dispositions and certificates


def disposition(disposition_id: str, **update: object) -> Disposition:
    known = {
        "disposition_id": disposition_id,
        "as_of": date(2026, 3, 2),
        "custodian": "carla",
        "proposed_at": START,
        "candidates": ("r1", "r2"),
        "records": (Proposed(record_id="r1", version=3, item=94, eligible_on=date(2026, 1, 1)),),
        "left_out": (LeftOut(record_id="r2", reason="held"),),
        **update,
    }
    return Disposition.model_validate(known)


async def test_a_set_is_replaced_only_in_its_version(stores: Stores) -> None:
    one = disposition("d1")
    await stores.dispositions.add(one)
    assert await stores.dispositions.get("d1") == one
    after = one.model_copy(update={"status": "proposed"})
    assert await stores.dispositions.replace(after)
    assert not await stores.dispositions.replace(after)
    assert await stores.dispositions.get("d1") == after.model_copy(update={"version": 2})
    assert await stores.dispositions.get("d2") is None


async def test_sets_are_found_by_status_and_listed_the_newest_first(stores: Stores) -> None:
    for number, status in enumerate(("gathering", "ordered", "closed")):
        await stores.dispositions.add(disposition(f"d{number}", status=status))
    found = await stores.dispositions.with_status(("gathering", "ordered"), 10)
    assert sorted(found) == ["d0", "d1"]
    page = await stores.dispositions.page(None, 2)
    assert [each.disposition_id for each in page] == ["d2", "d1"]
    rest = await stores.dispositions.page("d1", 2)
    assert [each.disposition_id for each in rest] == ["d0"]


async def test_certificates_are_found_by_their_day(stores: Stores) -> None:
    for number, day in enumerate((date(2025, 9, 30), date(2025, 10, 1), date(2026, 9, 30))):
        content = Content(
            certificate_id=f"c{number}",
            order_id="o",
            schedule_number="GS1-SL",
            item_number="94",
            series_title="COMPLAINTS",
            inclusive_dates=(date(2015, 1, 1), day),
            volume_records=1,
            volume_files=0,
            volume_bytes=10,
            manner="m",
            disposed_on=day,
            recoverable_until=START,
            custodian="carla",
            proposed_at=START,
            records_officer="raul",
            approved_at=START,
            set_hash="0" * 64,
            record_ids=("r1",),
            receipts=(),
            certified_at=START,
        )
        one = Certificate(record_id=f"c{number}", version=1, content=content, sha256="f" * 64)
        assert not await stores.certificate_records.commit([Write(0, one, (), START)])
        assert await stores.certificates.get(f"c{number}") == one
    found = await stores.certificates.disposed(date(2025, 10, 1), date(2026, 9, 30))
    assert sorted(each.record_id for each in found) == ["c1", "c2"]
    assert await stores.certificates.get("c9") is None
