"""Open cases are found the same way in memory and in the database."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from uuid_utils import compat

from deploy.local.stack import Stack
from direct311.retention.approvals.adapters import MongoOpenCases
from direct311.retention.approvals.ports import OpenCases
from direct311.retention.cases.domain import CaseFile, CaseKind
from direct311.retention.holds.domain import ProvisionalHold
from direct311.runtime.messaging.records import Records, Write
from direct311.runtime.storage import database as mongo
from direct311.runtime.storage.database import MongoRecords
from tests.support.memory import InMemoryRecords
from tests.unit.retention.approvals.fakes import InMemoryOpenCases

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

AT = datetime(2026, 3, 2, 17, tzinfo=UTC)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["memory", "servers"])
async def found(
    request: pytest.FixtureRequest,
) -> AsyncIterator[tuple[Records[CaseFile], OpenCases]]:
    if request.param == "memory":
        memory: InMemoryRecords[CaseFile] = InMemoryRecords()
        yield memory, InMemoryOpenCases(memory)
        return
    servers: Stack = request.getfixturevalue("servers")
    lines = (servers.root / "env" / "retention.env").read_text().splitlines()
    settings = dict(line.removeprefix("RETENTION_").split("=", 1) for line in lines if "=" in line)
    database = mongo.connect(settings["DATABASE_URL"], settings["DATABASE_NAME"])
    records: MongoRecords[CaseFile] = MongoRecords(database[f"cases-{compat.uuid7()}"], CaseFile)
    await records.prepare(MongoOpenCases.INDEXES)
    yield records, MongoOpenCases(records)
    await records.collection.drop()
    mongo.disconnect(database)


def case(kind: CaseKind) -> CaseFile:
    return CaseFile(record_id=str(compat.uuid7())).opened(
        kind=kind,
        received_at=AT,
        opened_by="lars",
        exempt_until=None,
        sealed={"case_request": b"sealed"},
        provisional=ProvisionalHold(placed_at=AT),
    )


async def test_open_cases_of_both_kinds_oldest_first(
    found: tuple[Records[CaseFile], OpenCases],
) -> None:
    records, cases = found
    public, police, closed, ordered = (
        case("public_records"),
        case("law_enforcement"),
        case("public_records").ended("withdrawn", AT),
        case("public_records").destruction_ordered("o-1"),
    )
    stranger = CaseFile(record_id=str(compat.uuid7()))
    states = [public, police, closed, ordered, stranger]
    await records.commit([Write(0, each.written(1), (), AT) for each in states])
    open_ones = await cases.open_cases(10)
    assert [each.record_id for each in open_ones] == [public.record_id, police.record_id]
    assert [(each.kind, each.state, each.received_at) for each in open_ones] == [
        ("public_records", "received", AT),
        ("law_enforcement", "received", AT),
    ]
    assert [each.record_id for each in await cases.open_cases(1)] == [public.record_id]
