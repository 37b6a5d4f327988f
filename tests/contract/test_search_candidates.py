"""Requests found by what is public of them: the fake and the real database."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from deploy.local.stack import Stack
from direct311.intake.request import UNINCORPORATED, Located, ServiceRequest
from direct311.intake.searches.adapters import MongoCandidates
from direct311.intake.searches.domain import Narrowing
from direct311.intake.searches.ports import Candidates
from direct311.runtime.messaging.records import Records, Write
from direct311.runtime.storage.database import MongoRecords
from tests.support.intake_stores import InMemoryCandidates
from tests.support.memory import InMemoryRecords
from tests.support.runtime import NOW, database_of_its_own

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)
BOX = (-80.4, 25.7, -80.2, 25.9)


@dataclass(frozen=True)
class Stores:
    records: Records[ServiceRequest]
    candidates: Candidates

    async def store(self, record_id: str, **fields: Any) -> None:
        given = {"received_at": NOW, "service_code": "TREE", "place_checked": True, **fields}
        state = ServiceRequest(record_id=record_id, version=1, **given)
        assert not await self.records.commit([Write(0, state, (), NOW)])

    async def ids(self, limit: int = 10, **narrowed: Any) -> list[str]:
        return list(await self.candidates.found(Narrowing(**narrowed), limit))


@pytest.fixture(params=["memory", pytest.param("database", marks=pytest.mark.wire)])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    if request.param == "memory":
        kept: InMemoryRecords[ServiceRequest] = InMemoryRecords()
        yield Stores(kept, InMemoryCandidates(kept))
        return
    servers: Stack = request.getfixturevalue("servers")
    async with database_of_its_own(servers) as database:
        records = MongoRecords(database["requests"], ServiceRequest)
        await records.prepare(MongoCandidates.INDEXES)
        yield Stores(records, MongoCandidates(database["requests"]))


def place(latitude: float | None, longitude: float | None, municipality: str | None) -> Located:
    return Located(
        outcome="resolved", latitude=latitude, longitude=longitude, municipality=municipality
    )


async def test_requests_are_found_in_the_order_of_their_receipt(stores: Stores) -> None:
    await stores.store("r-2", received_at=NOW - HOUR)
    await stores.store("r-1", received_at=NOW)
    await stores.store("r-3", received_at=NOW + HOUR)
    await stores.store("r-4", lifecycle="destroying")
    assert await stores.ids() == ["r-2", "r-1", "r-3"]
    assert await stores.ids(2) == ["r-2", "r-1"]
    assert await stores.ids(received_from=NOW) == ["r-1", "r-3"]
    assert await stores.ids(received_before=NOW) == ["r-2"]
    assert await stores.ids(received_from=NOW - HOUR, received_before=NOW + HOUR) == ["r-2", "r-1"]


async def test_requests_are_found_by_type_and_department(stores: Stores) -> None:
    await stores.store("r-1", department="parks")
    await stores.store("r-2", service_code="DOG", department="parks")
    await stores.store("r-3", service_code="DOG", department="triage_311")
    await stores.store("r-4", service_code="ROAD")
    assert await stores.ids(types=("TREE", "ROAD")) == ["r-1", "r-4"]
    assert await stores.ids(departments=("parks",)) == ["r-1", "r-2"]
    assert await stores.ids(types=("DOG",), departments=("parks", "triage_311")) == ["r-2", "r-3"]
    narrowing = Narrowing(types=("DOG",))
    assert await stores.candidates.among(["r-3", "r-9", "r-1", "r-2"], narrowing) == ["r-3", "r-2"]
    assert await stores.candidates.among([], narrowing) == []


async def test_a_box_finds_public_points_alone_and_the_others_are_counted(stores: Stores) -> None:
    await stores.store("r-1", located=place(25.8, -80.3, "Hialeah"))
    await stores.store("r-2", located=place(25.8, -80.3, "Hialeah"), protected=True)
    await stores.store("r-3", located=place(25.6, -80.3, None))
    await stores.store("r-4", located=place(None, None, None), service_code="DOG")
    await stores.store("r-5", place_checked=False)
    assert await stores.ids(box=BOX) == ["r-1"]
    found = stores.candidates.without_point
    assert await found(Narrowing(box=BOX), 10) == 3
    assert await found(Narrowing(box=BOX), 2) == 2
    assert await found(Narrowing(box=BOX), 10, ["r-1", "r-2", "r-3"]) == 1
    assert await found(Narrowing(box=BOX), 10, []) == 0
    assert await found(Narrowing(box=BOX, types=("DOG",)), 10) == 1
    assert await found(Narrowing(), 10) == 0


async def test_a_municipality_is_the_one_that_the_public_sees(stores: Stores) -> None:
    await stores.store("r-1", located=place(25.8, -80.3, "Hialeah"))
    await stores.store("r-2", located=place(25.8, -80.3, "Hialeah"), protected=True)
    await stores.store("r-3", located=place(25.6, -80.3, None))
    await stores.store("r-4", located=place(25.8, -80.3, "Hialeah"), place_checked=False)
    await stores.store("r-5", located=Located(outcome="outside"))
    assert await stores.ids(municipality="Hialeah") == ["r-1", "r-2"]
    assert await stores.ids(municipality=UNINCORPORATED) == ["r-3"]
    assert await stores.ids(municipality="Nowhere") == []


async def test_the_ciphertexts_of_the_asked_fields_come_alone(stores: Stores) -> None:
    await stores.store("r-1", sealed={"description": b"\x01", "phone": b"\x02"})
    await stores.store("r-2", sealed={"phone": b"\x03"})
    await stores.store("r-3", sealed={"description": b"\x04"}, lifecycle="destroying")
    await stores.store("r-4")
    found = await stores.candidates.sealed(
        ["r-1", "r-2", "r-3", "r-4", "r-5"], ["description", "work_notes"]
    )
    assert {each: dict(values) for each, values in found.items()} == {
        "r-1": {"description": b"\x01"}
    }
