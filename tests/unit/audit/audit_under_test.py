"""The auditors' side of the audit service in memory: a log, its keys, a broker and intake."""

from collections.abc import AsyncIterator

from direct311.audit.entry import Filter
from direct311.audit.questions.adapters.rules_file import load_breach_rules
from direct311.audit.questions.handlers.audited_query import AuditedQuery, QueryContext
from direct311.audit.questions.handlers.breach import Breach
from direct311.audit.questions.handlers.count import Counting
from direct311.audit.questions.handlers.export import Exporting
from direct311.audit.questions.handlers.read import Reading
from direct311.runtime.access.rules import Caller
from direct311.runtime.messaging.records import Entry
from direct311.schemas import Encoded
from direct311.verifier.checkpoint import Trust
from tests.support.access_log import InMemoryAccessLog
from tests.unit.audit.events import producers
from tests.unit.audit.fakes import (
    InMemoryBodyKeys,
    InMemoryLog,
    InMemoryPeople,
)
from tests.unit.audit.log_contract import LOG_KEYS, LOG_SIGNER, audit_service, in_memory

AUDITOR = Caller("ada", ("auditor",))
ASKING = QueryContext(AUDITOR, "GET /v1/entries", "Letter 12")
COUNSEL = QueryContext(Caller("cora", ("counsel",)), "GET /v1/entries", "Letter 12")
TRUST = Trust((LOG_SIGNER.key,))


class KeysFetchedFirst(InMemoryAccessLog):
    """Remembers how many keys had been fetched before each event."""

    def __init__(self, keys: InMemoryBodyKeys) -> None:
        super().__init__()
        self.fetched_before: list[int] = []
        self._keys = keys

    async def publish_one(self, entry: Entry, seconds: float) -> None:
        fetched = len(self._keys.fetches)
        await super().publish_one(entry, seconds)
        self.fetched_before.append(fetched)


class AuditUnderTest:
    def __init__(self) -> None:
        log, self.keys = InMemoryLog(), InMemoryBodyKeys()
        self.stores = in_memory(log, self.keys)
        clock = self.stores.clock
        self.access_log = KeysFetchedFirst(self.keys)
        service = audit_service(clock, self.access_log)
        self.people, self.vault = InMemoryPeople(), service.vault
        self.exemptions, self.secrecy = self.stores.exemptions, self.stores.secrecy
        self.audited = AuditedQuery(
            entries=log,
            keys=self.stores.keyring,
            vault=self.vault,
            policy=service.policy,
            cases=self.secrecy,
            clock=clock,
        )
        self.reading = Reading(
            audited=self.audited,
            log=self.stores.followed,
            entries=log,
            files=self.stores.files,
            people=self.people,
            published=self.stores.published,
            log_keys=LOG_KEYS,
            producers=producers(),
            clock=clock,
        )
        self.counting = Counting(self.audited, self.stores.followed, self.people)
        self.exporting = Exporting(self.audited, self.stores.followed, self.people)
        self.breach = Breach(
            self.audited, self.stores.followed, self.people, load_breach_rules().content
        )

    async def log(self, *messages: Encoded) -> list[str]:
        ids = await self.stores.arrive(messages)
        await self.stores.sequence()
        return ids

    async def bundle(self, query: Filter, context: QueryContext = ASKING) -> bytes:
        return await whole(await self.reading.bundle(context, query))


async def whole(stream: AsyncIterator[bytes]) -> bytes:
    """All of a stream."""
    return b"".join([piece async for piece in stream])
