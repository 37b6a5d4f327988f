"""One service without servers: the parts that most tests of use cases set up.

A test module derives from `ServiceUnderTest`, or makes one, and states only what is special to it.
"""

from collections.abc import Callable, Mapping
from functools import cache, cached_property

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import APIRouter, FastAPI
from starlette.testclient import TestClient

from direct311.runtime.access.ledger import Ledger
from direct311.runtime.access.links import Links, LinkSigner
from direct311.runtime.access.rules import AccessPolicy, load_access_policy
from direct311.runtime.clock import Ids, TimeOrderedIds
from direct311.runtime.http.api import install
from direct311.runtime.http.health import Readiness
from direct311.runtime.messaging.records import (
    Emitter,
    EventProcessor,
    Handler,
    Outbox,
    Records,
    Relaying,
    is_transient,
)
from direct311.runtime.messaging.relay import Publisher, Relay
from direct311.runtime.messaging.signing import Signer
from direct311.runtime.telemetry import Metrics
from direct311.runtime.vault.keys import FileKeyProvider, KeyProvider
from direct311.runtime.vault.vault import Vault
from direct311.schemas.model import Model
from tests.support.access_log import InMemoryAccessLog
from tests.support.keys import InMemoryKeys
from tests.support.links import FakeAuthenticator, signed_links
from tests.support.memory import IdleRelay, InMemoryLease, InMemoryPresence, S
from tests.support.runtime import SetClock


def unmasked(text: str) -> str:
    """A mask that hides nothing."""
    return text


@cache
def packaged_policy() -> AccessPolicy:
    """The packaged rules. They are immutable, so all tests share them."""
    return load_access_policy()


class ServiceUnderTest:
    """A service's clock, ids, keys, vault, access log, links, event processors and HTTP client.

    A part that costs time is made when a test first asks for it, and only once. Arguments replace
    parts; those that are not given are the same for every service.
    """

    def __init__(
        self,
        name: str = "intake",
        *,
        clock: SetClock | None = None,
        ids: Ids | None = None,
        signer: Signer | None = None,
        access_log: InMemoryAccessLog | None = None,
        mask: Callable[[str], str] = unmasked,
        keys: InMemoryKeys | None = None,
        provider: KeyProvider | None = None,
        policy: AccessPolicy | None = None,
    ) -> None:
        self.name = name
        self.clock = clock or SetClock()
        self.ids = ids or TimeOrderedIds()
        self.access_log = access_log or InMemoryAccessLog()
        self.keys = keys or InMemoryKeys()
        self.provider = provider or FileKeyProvider("kek-1", {"kek-1": bytes(32)})
        self._signer = signer
        self._mask = mask
        self._policy = policy

    # --- personal information

    @cached_property
    def policy(self) -> AccessPolicy:
        """The packaged rules, unless others were given."""
        return self._policy or packaged_policy()

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(
            service=self.name,
            instance=f"{self.name}-1",
            version="1",
            publisher=self.access_log,
            signer=self.event_signer,
            clock=self.clock,
            ids=self.ids,
            metrics=Metrics(),
            mask=self._mask,
        )

    @cached_property
    def vault(self) -> Vault:
        return Vault(self.keys, self.provider, self.ledger, self.policy, self.clock)

    # --- events

    @cached_property
    def event_signer(self) -> Signer:
        return self._signer or Signer(f"{self.name}-1", Ed25519PrivateKey.generate())

    @cached_property
    def emitter(self) -> Emitter:
        return Emitter(self.name, self.clock, self.event_signer)

    def processor_of(
        self,
        records: Records[S],
        kind: type[S],
        handlers: Mapping[type[Model], Handler[S]] | None = None,
        relay: Relaying | None = None,
        transient: Callable[[BaseException], bool] = is_transient,
    ) -> EventProcessor[S]:
        """The processor of these records. Without a `relay`, each outbox keeps all its events.
        `transient`: which errors may pass."""
        return EventProcessor(
            records,
            lambda record_id: kind(record_id=record_id),
            handlers or {},
            self.emitter,
            relay or IdleRelay(),
            self.clock,
            transient,
        )

    def relay_of(
        self, outbox: Outbox, publisher: Publisher, presence: InMemoryPresence | None = None
    ) -> Relay:
        """The relay of a process that holds the lease."""
        present = presence or InMemoryPresence()
        return Relay(outbox, publisher, InMemoryLease(), present, self.clock, Metrics())

    # --- calls

    @cached_property
    def _links(self) -> tuple[Links, LinkSigner]:
        return signed_links(self.clock)

    @property
    def links(self) -> Links:
        """Checks residents' links."""
        return self._links[0]

    @property
    def link_signer(self) -> LinkSigner:
        """Issues residents' links."""
        return self._links[1]

    @cached_property
    def authenticator(self) -> FakeAuthenticator:
        """Accepts residents' links, and staff as `role:name`."""
        return FakeAuthenticator(self.links)

    def serve(self, *routers: APIRouter) -> TestClient:
        """Somebody who calls an application with these routers."""
        app = FastAPI()
        install(app, Readiness(), Metrics(), self.ledger)
        for router in routers:
            app.include_router(router)
        return TestClient(app, raise_server_exceptions=False)
