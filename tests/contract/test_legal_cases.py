"""Cases for which an instrument should have followed are found the same way in memory and in the
database."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from uuid_utils import compat

from deploy.local.stack import Stack
from direct311.retention.case_file.legal import CallBack, LegalProcess
from direct311.retention.cases.domain import CaseFile
from direct311.retention.holds.domain import ProvisionalHold
from direct311.retention.legal_process.adapters import MongoLegalCases
from direct311.retention.legal_process.ports import LegalCases
from direct311.runtime.messaging.records import Records, Write
from direct311.runtime.storage import database as mongo
from direct311.runtime.storage.database import MongoRecords
from tests.support.memory import InMemoryRecords
from tests.unit.retention.legal_process.fakes import InMemoryLegalCases

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

AT = datetime(2026, 3, 2, 17, tzinfo=UTC)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["memory", "servers"])
async def legal(
    request: pytest.FixtureRequest,
) -> AsyncIterator[tuple[Records[CaseFile], LegalCases]]:
    if request.param == "memory":
        memory: InMemoryRecords[CaseFile] = InMemoryRecords()
        yield memory, InMemoryLegalCases(memory)
        return
    servers: Stack = request.getfixturevalue("servers")
    lines = (servers.root / "env" / "retention.env").read_text().splitlines()
    settings = dict(line.removeprefix("RETENTION_").split("=", 1) for line in lines if "=" in line)
    database = mongo.connect(settings["DATABASE_URL"], settings["DATABASE_NAME"])
    records: MongoRecords[CaseFile] = MongoRecords(database[f"cases-{compat.uuid7()}"], CaseFile)
    await records.prepare(MongoLegalCases.INDEXES)
    yield records, MongoLegalCases(records)
    await records.collection.drop()
    mongo.disconnect(database)


def case(legal: LegalProcess | None) -> CaseFile:
    return CaseFile(record_id=str(compat.uuid7())).opened(
        kind="law_enforcement",
        received_at=AT,
        opened_by="lars",
        exempt_until=AT,
        sealed={"case_request": b"sealed"},
        provisional=ProvisionalHold(placed_at=AT),
        legal=legal,
    )


async def test_only_a_case_whose_time_has_come_and_that_nothing_followed_is_found(
    legal: tuple[Records[CaseFile], LegalCases],
) -> None:
    records, found = legal
    waiting = LegalProcess().opened(AT)
    call = CallBack(
        subject="follow_up",
        instrument="warrant",
        agency="sample_police",
        list_version="1",
        outcome="confirmed",
        called_by="lars",
        called_at=AT,
    )
    files = {
        "overdue": case(waiting),
        "longest": case(LegalProcess().opened(AT - timedelta(days=1))),
        "later": case(LegalProcess().opened(AT + timedelta(seconds=1))),
        "followed": case(waiting.called(call)),
        "none": case(LegalProcess()),
        "older": case(None),
        "destroyed": case(waiting).destruction_ordered("order"),
    }
    writes = [Write(0, each.written(1), (), AT) for each in files.values()]
    assert not await records.commit(writes)
    longest, overdue = files["longest"].record_id, files["overdue"].record_id
    assert list(await found.awaiting_follow_up(AT, 10)) == [longest, overdue]
    assert list(await found.awaiting_follow_up(AT, 1)) == [longest]
    # What was stored is read back whole.
    stored = (await records.load([files["followed"].record_id]))[files["followed"].record_id]
    assert stored.state.legal == files["followed"].legal
