"""Open cases that are switched off and on in the database, so that approvals with and without them
can take turns many times in one run."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from deploy.local.stack import Stack
from direct311.retention.cases.domain import CaseFile
from direct311.retention.holds.adapters import MongoHolds
from direct311.retention.preservation.adapters import MongoPreservingCases
from direct311.runtime.messaging.state import RecordState
from direct311.runtime.process import AggregateStore
from direct311.runtime.storage import database as mongo
from direct311.runtime.storage.database import Database, MongoRecords
from tests.support.memory import InMemoryPublisher
from tests.support.service_under_test import ServiceUnderTest


class Switched:
    """Cases of a stack, which stop destruction or do not. A switch raises the fence without a
    name, so whoever orders next reads everything anew."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._case_ids: Sequence[str] = ()

    def these(self, case_ids: Sequence[str]) -> None:
        """From now on, these are meant; they are on."""
        self._case_ids = case_ids

    async def switch(self, *, on: bool) -> None:
        """Let all of them stop destruction, or none."""
        state = "in_force" if on else "ended"
        await self._database["cases"].update_many(
            {"_id": {"$in": list(self._case_ids)}}, {"$set": {"provisional.state": state}}
        )
        await self._database["fence"].update_one({"_id": "holds"}, {"$inc": {"value": 1}})

    def holds(self) -> MongoHolds:
        """The holds as a process of retention reads them."""
        service = ServiceUnderTest("retention")
        records = MongoRecords(self._database["holds"], RecordState, writer="bench")
        relay = service.relay_of(records, InMemoryPublisher())
        store = AggregateStore(records, relay, service.emitter)
        cases = MongoPreservingCases(MongoRecords(self._database["cases"], CaseFile))
        return MongoHolds(store, self._database, cases, service.clock)


@asynccontextmanager
async def switched(stack: Stack) -> AsyncIterator[Switched]:
    """With retention's own rights in its database."""
    lines = (stack.root / "env" / "retention.env").read_text().splitlines()
    settings = dict(line.removeprefix("RETENTION_").split("=", 1) for line in lines if "=" in line)
    database = mongo.connect(settings["DATABASE_URL"], settings["DATABASE_NAME"])
    yield Switched(database)
    mongo.disconnect(database)
