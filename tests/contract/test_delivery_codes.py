"""The case of a one-time code is found the same way in memory and in the database."""

from collections.abc import AsyncIterator

import pytest
from uuid_utils import compat

from deploy.local.stack import Stack
from direct311.retention.case_file.deliveries import CaseDeliveries, Delivery, DeliveryCode
from direct311.retention.cases.domain import CaseFile
from direct311.retention.deliveries.adapters import MongoCodeCases
from direct311.retention.deliveries.ports import CodeCases
from direct311.runtime.messaging.records import Records, Write
from direct311.runtime.storage import database as mongo
from direct311.runtime.storage.database import MongoRecords
from tests.contract.test_legal_cases import AT, case
from tests.support.memory import InMemoryRecords
from tests.unit.retention.deliveries.fakes import InMemoryCodeCases

pytestmark = [pytest.mark.wire, pytest.mark.anyio]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["memory", "servers"])
async def codes(
    request: pytest.FixtureRequest,
) -> AsyncIterator[tuple[Records[CaseFile], CodeCases]]:
    if request.param == "memory":
        memory: InMemoryRecords[CaseFile] = InMemoryRecords()
        yield memory, InMemoryCodeCases(memory)
        return
    servers: Stack = request.getfixturevalue("servers")
    lines = (servers.root / "env" / "retention.env").read_text().splitlines()
    settings = dict(line.removeprefix("RETENTION_").split("=", 1) for line in lines if "=" in line)
    database = mongo.connect(settings["DATABASE_URL"], settings["DATABASE_NAME"])
    records: MongoRecords[CaseFile] = MongoRecords(database[f"cases-{compat.uuid7()}"], CaseFile)
    await records.prepare(MongoCodeCases.INDEXES)
    yield records, MongoCodeCases(records)
    await records.collection.drop()
    mongo.disconnect(database)


def coded(code_hash: str) -> CaseFile:
    code = DeliveryCode(
        code_hash=code_hash,
        agency="sample_police",
        list_version="1",
        told_by="lars",
        told_at=AT,
        valid_until=AT,
    )
    delivery = Delivery(
        delivery_id=str(compat.uuid7()),
        package="a" * 64,
        sha256="b" * 64,
        size=1,
        encrypted_by="lars",
        encrypted_at=AT,
        codes=(code,),
    )
    return case(None).delivering(CaseDeliveries(list=(delivery,)))


async def test_the_case_of_a_code_is_found_unless_it_is_being_destroyed(
    codes: tuple[Records[CaseFile], CodeCases],
) -> None:
    records, found = codes
    kept, gone = coded("1" * 64), coded("2" * 64).destruction_ordered("order")
    writes = [Write(0, each.written(1), (), AT) for each in (kept, gone, case(None))]
    assert not await records.commit(writes)
    state = await found.of_code("1" * 64)
    assert state is not None
    assert (state.record_id, state.deliveries) == (kept.record_id, kept.deliveries)
    assert await found.of_code("2" * 64) is None
    assert await found.of_code("3" * 64) is None
