"""The auditors' side of the audit service in memory: a log, its keys, a broker and intake."""

from collections.abc import AsyncIterator

from direct311.audit.entry import Filter
from direct311.audit.questions.adapters.rules_file import load_breach_rules
from direct311.audit.questions.handlers.audited_query import AuditedQuery, QueryContext
from direct311.audit.questions.handlers.breach import Breach
from direct311.audit.questions.handlers.count import Counting
from direct311.audit.questions.handlers.export import Exporting
from direct311.audit.questions.handlers.read import Reading
from direct311.runtime.access.ledger import Ledger
from direct311.runtime.access.rules import AccessPolicy, Caller, load_access_policy
from direct311.runtime.clock import Clock
from direct311.runtime.messaging.records import Entry
from direct311.runtime.messaging.signing import Signer
from direct311.runtime.telemetry import Metrics
from direct311.runtime.vault.vault import Vault
from direct311.schemas import Encoded, decode
from direct311.schemas import events as ev
from direct311.verifier.checkpoint import Trust
from tests.support.keys import InMemoryKeys
from tests.unit.audit.events import private_key, producers
from tests.unit.audit.fakes import (
    InMemoryBodyKeys,
    InMemoryLog,
    InMemoryPeople,
)
from tests.unit.audit.log_contract import LOG_KEYS, LOG_SIGNER, PROVIDER, TimeOrdered, in_memory

AUDITOR = Caller("ada", ("auditor",))
ASKING = QueryContext(AUDITOR, "GET /v1/entries", "Letter 12")
COUNSEL = QueryContext(Caller("cora", ("counsel",)), "GET /v1/entries", "Letter 12")
TRUST = Trust((LOG_SIGNER.key,))


class Broker:
    """Takes access events, or is down. Remembers which keys had been fetched before each."""

    def __init__(self, keys: InMemoryBodyKeys) -> None:
        self.sent: list[Entry] = []
        self.down = False
        self.fetched_before: list[int] = []
        self._keys = keys

    async def publish_one(self, entry: Entry, seconds: float) -> None:
        if self.down:
            raise TimeoutError
        self.fetched_before.append(len(self._keys.fetches))
        self.sent.append(entry)

    @property
    def events(self) -> list[ev.PiiAccessed]:
        found = []
        for entry in self.sent:
            data = decode(entry.message.headers, entry.message.body).data
            assert isinstance(data, ev.PiiAccessed)
            found.append(data)
        return found


def vault_of(broker: Broker, clock: Clock, policy: AccessPolicy | None = None) -> Vault:
    """Audit's vault, which writes down through this broker; under the packaged rules unless given
    others."""
    ledger = Ledger(
        service="audit",
        instance="audit-1",
        version="0.1.0",
        publisher=broker,
        signer=Signer("audit-1", private_key("audit")),
        clock=clock,
        ids=TimeOrdered(),
        metrics=Metrics(),
        mask=lambda text: text,
    )
    return Vault(InMemoryKeys(), PROVIDER, ledger, policy or load_access_policy(), clock)


class World:
    def __init__(self) -> None:
        log, self.keys = InMemoryLog(), InMemoryBodyKeys()
        self.stores = in_memory(log, self.keys)
        self.broker = Broker(self.keys)
        self.people = InMemoryPeople()
        policy = load_access_policy()
        clock = self.stores.clock
        self.vault = vault_of(self.broker, clock)
        self.audited = AuditedQuery(
            entries=log,
            keys=self.stores.keyring,
            vault=self.vault,
            policy=policy,
            clock=clock,
        )
        self.reading = Reading(
            audited=self.audited,
            log=log,
            entries=log,
            files=self.stores.files,
            people=self.people,
            published=self.stores.published,
            log_keys=LOG_KEYS,
            producers=producers(),
            clock=clock,
        )
        self.counting = Counting(self.audited, log, self.people)
        self.exporting = Exporting(self.audited, log, self.people)
        self.breach = Breach(self.audited, log, self.people, load_breach_rules().content)

    async def log(self, *messages: Encoded) -> list[str]:
        ids = await self.stores.arrive(messages)
        await self.stores.sequence()
        return ids

    async def bundle(self, query: Filter, context: QueryContext = ASKING) -> bytes:
        return await whole(await self.reading.bundle(context, query))


async def whole(stream: AsyncIterator[bytes]) -> bytes:
    """All of a stream."""
    return b"".join([piece async for piece in stream])
