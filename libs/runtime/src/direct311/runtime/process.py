"""One process: what it contains, how it starts, how it stops."""

import asyncio
import gc
import math
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from importlib.metadata import version
from types import FrameType
from typing import Generic, TypeVar

import structlog
import uvicorn
from fastapi import FastAPI
from faststream.kafka import KafkaBroker
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from direct311.redaction import redact_announced, redact_reference
from direct311.runtime.access.disclosures import Disclosures
from direct311.runtime.access.exemptions import Exemptions, load_exemptions
from direct311.runtime.access.fresh_sign_in import LOOKED, Approvals
from direct311.runtime.access.identity import Authenticator, Issuer, Tokens
from direct311.runtime.access.in_force import InForce
from direct311.runtime.access.kept_disclosures import MongoKeptDisclosures
from direct311.runtime.access.ledger import Ledger
from direct311.runtime.access.links import Links
from direct311.runtime.access.producers import MongoProducers
from direct311.runtime.access.provider_keys import MongoSeenKeys, Watching
from direct311.runtime.access.refusals import RefusalLimits
from direct311.runtime.access.rules import AccessPolicy, load_access_policy
from direct311.runtime.access.services import Services
from direct311.runtime.access.sign_ins import SignIns
from direct311.runtime.busy_file import BusyFile
from direct311.runtime.clock import Clock, Ids, SystemClock, TimeOrderedIds
from direct311.runtime.giving_way import GivingWay, YieldingPeer
from direct311.runtime.http.api import Application
from direct311.runtime.http.guard import FULLY_RECEIVED, RequestGuard
from direct311.runtime.http.health import Readiness
from direct311.runtime.loops import Loop, Step
from direct311.runtime.messaging import broker as kafka
from direct311.runtime.messaging.broker import (
    PROMPT,
    Consumer,
    KafkaPublisher,
    Pace,
    Process,
    Received,
    Tell,
)
from direct311.runtime.messaging.records import Emitter, EventProcessor, Handler
from direct311.runtime.messaging.relay import Relay
from direct311.runtime.messaging.signature_checks import SignatureChecks
from direct311.runtime.messaging.signing import Principals, Signer
from direct311.runtime.messaging.state import RecordState
from direct311.runtime.peers import HttpClient, Peer
from direct311.runtime.settings import ServiceSettings
from direct311.runtime.storage import database as mongo
from direct311.runtime.storage.database import (
    Collection,
    Database,
    MongoLease,
    MongoPresence,
    MongoRecords,
)
from direct311.runtime.telemetry import Metrics, Tracing, configure_logging
from direct311.runtime.vault.keys import KeyProviderError, KeyServiceError
from direct311.schemas import Event
from direct311.schemas.model import Model

_log = structlog.get_logger(__name__)
S = TypeVar("S", bound=RecordState)
SWITCH_SECONDS = 0.0005
BEAT_SECONDS = 15.0
COLLECT_AFTER = 20_000
"""In objects. The default of 700 would mean a collection every few requests."""


@dataclass
class Resources:
    """What `__main__` opens and `create_app` receives."""

    service: str
    instance: str
    settings: ServiceSettings
    clock: Clock
    ids: Ids
    metrics: Metrics
    tracing: Tracing
    database: Database
    broker: KafkaBroker
    publisher: KafkaPublisher
    signer: Signer
    principals: Principals
    http: HttpClient
    issuer: Issuer
    services: Services
    links: Links
    authenticator: Authenticator
    ledger: Ledger
    sign_ins: SignIns
    producers: MongoProducers
    in_force: InForce
    busy_file: BusyFile
    readiness: Readiness = field(default_factory=Readiness)
    consumers: list[Consumer] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)

    @classmethod
    def open(cls, service: str, settings: ServiceSettings) -> "Resources":
        """Make the clients; they connect later.

        :raises ServicesError: the principals file or a setting would accept tokens made for others.
        """
        configure_logging(service, settings.log_level)
        services = Services.from_file(settings.principals_file, service).with_settings(
            settings.client_id, settings.audience, settings.link_audience
        )
        ids = TimeOrderedIds()
        instance = f"{service}-{socket.gethostname()}-{ids.new()[-12:]}"
        http = HttpClient()
        issuer = Issuer(settings.issuer_url, http)
        broker = kafka.make_broker(settings, instance)
        clock, metrics, publisher = SystemClock(), Metrics(), KafkaPublisher(broker)
        signer = Signer.from_file(settings.signing_key_file)
        database = mongo.connect(settings.database_url.get_secret_value(), settings.database_name)
        ledger = Ledger(
            service=service,
            instance=instance,
            version=version(f"direct311-{service}"),
            publisher=publisher,
            signer=signer,
            clock=clock,
            ids=ids,
            metrics=metrics,
            mask=_redacted,
            mask_reference=_redacted_reference,
            limits=RefusalLimits(kinds_of_an_address=settings.refusals_of_an_address),
        )
        sign_ins = SignIns(ledger, clock)
        links = Links.from_file(settings.principals_file, settings.link_audience, clock)
        return cls(
            service=service,
            instance=instance,
            settings=settings,
            clock=clock,
            ids=ids,
            metrics=metrics,
            tracing=Tracing(service, version(f"direct311-{service}"), settings.traces_file),
            database=database,
            broker=broker,
            publisher=publisher,
            signer=signer,
            principals=Principals.from_file(settings.principals_file),
            http=http,
            issuer=issuer,
            services=services,
            links=links,
            authenticator=Authenticator(issuer, settings.issuer_url, services, sign_ins, links),
            ledger=ledger,
            sign_ins=sign_ins,
            producers=MongoProducers(database["producers"], clock),
            in_force=InForce(database["in_force"], ledger, clock),
            busy_file=BusyFile(settings.busy_file),
        )

    @cached_property
    def giving_way(self) -> GivingWay:
        """The turns of this process's long work beside the gateway."""
        sooner = self.busy_file.sooner()
        # A gateway of an earlier version touches only the first one.
        return GivingWay(lambda: sooner.fresh or self.busy_file.fresh)

    def access_policy(self) -> AccessPolicy:
        """The access rules: the county's own, approved by two people, or the ones that come with
        the software. Records that they are in force.

        :raises DataFileError, NotApprovedError: the file is invalid or not approved.
        """
        policy = load_access_policy(self.settings.access_file, self.settings.approvers_file)
        self.in_force.expect("access rules", policy.hash, policy.approved_by)
        return policy

    def exemptions(self) -> Exemptions:
        """What may be withheld, and by which law: the county's own file, approved by two people,
        or the one that comes with the software. Records that it is in force.

        :raises DataFileError, NotApprovedError: the file is invalid or not approved.
        """
        settings = self.settings
        found = load_exemptions(
            settings.exemptions_file, settings.approvers_file, local=settings.is_local
        )
        self.in_force.expect("exemptions", found.hash, found.approved_by)
        return found

    def disclosures(self) -> tuple[Disclosures, Step]:
        """What this owner of sealed data keeps about disclosure cases, fed by consumers of its own:
        while the identity provider does not answer, grants wait and their ends do not. Also the
        step that prepares the database. A loop notes which keys the provider publishes.

        :raises ApprovalError: the principals file names a service as the client for approvals.
        """
        kept = MongoKeptDisclosures(
            self.database["disclosures"], self.database["disclosure_searches"]
        )
        approvals = Approvals.from_file(self.settings.principals_file, self.settings.issuer_url)
        seen = MongoSeenKeys(self.database["provider_keys"])
        found = Disclosures(kept, self.principals, approvals, self.issuer, seen, self.clock)
        watching = Watching(self.issuer, seen, self.clock)
        self.loops.append(Loop("provider keys", LOOKED, watching.look, None, self.clock))
        group = f"{self.service}.disclosures"
        self.consumer(("disclosure",), found.take, group=group)
        ends = f"{self.service}.grant-ends"
        self.consumer(("disclosure",), found.take_ends, group=ends, named_by=group)
        return found, kept.prepare

    def lease(self, name: str, length: timedelta = timedelta(seconds=5)) -> MongoLease:
        """A lease for this service, held by one process at a time."""
        return MongoLease(self.database["leases"], name, self.instance, length)

    def peer(self, name: str, url: str, *, gives_way: bool = False) -> Peer:
        """A client of another service, which answers at `url`. `gives_way`: what it is asked for is
        much and not urgent, so it waits while the gateway on this machine is busy.

        :raises ServicesError: the principals file does not list it.
        """
        settings, to = self.settings, self.services.at(name)
        secret = settings.client_secret.get_secret_value()
        tokens = Tokens(self.issuer, self.http, settings.client_id, secret, to)
        if gives_way:
            return YieldingPeer(url, self.http, tokens, self.giving_way)
        return Peer(url, self.http, tokens)

    def aggregate_store(
        self, collection: Collection, model: type[S], extra: "Extra[S]" = None
    ) -> "AggregateStore[S]":
        """The records of one collection with their relay."""
        name, writer = collection.name, self.instance
        records: MongoRecords[S] = MongoRecords(collection, model, extra, writer=writer)
        relay = Relay(
            records,
            self.publisher,
            self.lease(f"relay-{name}"),
            MongoPresence(self.database["relays"], name, writer, timedelta(seconds=5)),
            self.clock,
            self.metrics,
        )
        return AggregateStore(records, relay, Emitter(self.service, self.clock, self.signer))

    def processor(
        self,
        aggregates: "AggregateStore[S]",
        initial: Callable[[str], S],
        handlers: Mapping[type[Model], Handler[S]],
    ) -> EventProcessor[S]:
        """The processor that applies events to a store's records."""
        return EventProcessor(
            aggregates.records,
            initial,
            handlers,
            aggregates.emitter,
            aggregates.relay,
            self.clock,
            mongo.is_transient,
        )

    def consumer(
        self,
        topics: Iterable[str],
        process: Process,
        *,
        group: str | None = None,
        named_by: str | None = None,
        foreign: Iterable[str] = (),
        pace: Pace = PROMPT,
        gives_way: Callable[[], bool] = lambda: False,
        ahead: bool = False,
        signatures: SignatureChecks | None = None,
        tell: Tell = kafka.untold,
    ) -> Consumer:
        """A member of a consumer group, checked by readiness. `named_by`: another group of this
        service, which writes the dead letters for what cannot be read. `foreign`: topics that
        others than our services write to. `gives_way`: whether the process has something more
        urgent to do. `ahead`, `signatures`: see `Consumer`. `tell`: what the sender of a message
        that becomes a dead letter is told. Every consumer also gives way to the gateway on the same
        machine."""
        consumer = Consumer(
            self.broker,
            service=self.service,
            topics=topics,
            process=process,
            principals=self.principals,
            is_transient=mongo.is_transient,
            metrics=self.metrics,
            tracing=self.tracing,
            group=group,
            named_by=named_by,
            foreign=foreign,
            pace=pace,
            gives_way=lambda: gives_way() or self.busy_file.fresh,
            ahead=ahead,
            signatures=signatures,
            tell=tell,
        )
        self.consumers.append(consumer)

        async def progress() -> str | None:
            if consumer.stopped_because:
                return consumer.stopped_because
            since = consumer.busy_since
            stuck = since is not None and time.monotonic() - since > 60
            return "a batch has been in hand for over a minute" if stuck else None

        async def flood() -> str | None:
            return consumer.flooded

        self.readiness.add(f"consumer {group or self.service}", progress)
        # A sender of junk must not stop the process's work: readiness only reports it.
        self.readiness.add(f"messages {group or self.service}", flood, required=False)
        return consumer


def _redacted(text: str) -> str:
    # Cases are named after people, and legal instruments after their issuers: these names stay.
    return redact_announced(text).text


def _redacted_reference(text: str) -> str:
    return redact_reference(text).text


Extra = Callable[[S], dict[str, object]] | None


@dataclass(frozen=True)
class AggregateStore(Generic[S]):
    """A collection of records, its relay and the emitter of its events."""

    records: MongoRecords[S]
    relay: Relay
    emitter: Emitter


def processing(processor: EventProcessor[S]) -> Process:
    """The part of a consumer that applies each event to its record."""

    async def process(
        batch: Sequence[Received],
    ) -> Sequence[tuple[Event[Model], Exception]]:
        return await processor.apply([item.event for item in batch])

    return process


@asynccontextmanager
async def running(
    resources: Resources,
    *,
    relays: Sequence[Relay] = (),
    loops: Sequence[Loop] = (),
    prepare: Sequence[Step] = (),
    broker_required: bool = True,
) -> AsyncIterator[None]:
    """Everything between start and stop of a process; use as the application's lifespan.

    Starts: database (indexes), then broker and consumers, then relays and loops. Stops in an order
    that loses nothing: consumers, loops, relays, producer, database. A process that can do its main
    work while the broker is down says so with `broker_required=False`.
    """
    readiness = resources.readiness
    _basic_checks(resources, relays, broker_required)
    for step in prepare:
        await _patiently(step, "database")
    await _patiently(lambda: kafka.start(resources.broker), "broker")
    for relay in relays:
        relay.start()
    loops = [*loops, *resources.loops, _bookkeeping(resources)]
    tasks = [asyncio.create_task(loop.run(), name=loop.name) for loop in loops]
    _log.info("process.started", instance=resources.instance)
    try:
        yield
    finally:
        readiness.draining = True
        _log.info("process.draining")
        for consumer in resources.consumers:
            consumer.leave()
        await asyncio.gather(*(_within(20, each.settled()) for each in resources.consumers))
        await asyncio.gather(*(_within(20, each.stop()) for each in resources.broker.subscribers))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(_within(3, loop.give_back()) for loop in loops))
        await _within(3, resources.ledger.flush(ending=True))
        await _within(3, resources.sign_ins.flush(ending=True))
        for relay in relays:
            await relay.stop()
        # While the broker is down, the producer waits for what it cannot send.
        await _within(5, resources.broker.stop())
        await resources.http.close()
        mongo.disconnect(resources.database)
        resources.tracing.shutdown()
        _log.info("process.stopped")


def _bookkeeping(resources: Resources) -> Loop:
    """What every process records besides accesses: that it runs, the numbers of failed events, how
    often refusals were repeated, sign-ins, and what is in force."""
    resources.in_force.expect("principals", resources.principals.hash)
    beaten = -math.inf

    async def step() -> None:
        nonlocal beaten
        if time.monotonic() - beaten > BEAT_SECONDS:
            await resources.producers.beat(resources.ledger.producer)
            beaten = time.monotonic()
        await resources.ledger.fill()
        await resources.ledger.flush()
        await resources.in_force.announce()
        await resources.sign_ins.flush()

    return Loop("bookkeeping", timedelta(seconds=1), step, None, resources.clock)


async def _within(seconds: float, step: Awaitable[object]) -> None:
    """Do a shutdown step, if it can be done in time."""
    try:
        await asyncio.wait_for(step, seconds)
    except (Exception, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        # A client whose server is down may also cancel itself.
        _log.warning("process.not_stopped", error=type(error).__name__)


async def _patiently(step: Callable[[], Awaitable[object]], what: str) -> None:
    """Do it, and retry for a minute while the server is not up yet."""
    deadline = time.monotonic() + 60
    while True:
        try:
            await step()
            return
        except KeyProviderError as error:
            # Waiting fixes no key. The message is our own and contains no input.
            _log.error("process.wrong_key", reason=str(error))
            raise
        except Exception as error:
            reason = str(error) if isinstance(error, KeyServiceError) else None
            _log.warning("process.waiting", part=what, error=type(error).__name__, reason=reason)
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.5)


def _basic_checks(resources: Resources, relays: Sequence[Relay], broker_required: bool) -> None:
    async def database() -> str | None:
        await mongo.ping(resources.database)
        return None

    async def broker() -> str | None:
        await kafka.ping(resources.broker)
        return None

    async def outbox() -> str | None:
        oldest = 0.0
        now = resources.clock.now()
        for relay in relays:
            since = await relay.oldest()
            if since is not None:
                oldest = max(oldest, (now - since).total_seconds())
        resources.metrics.outbox_age.set(oldest)
        return "the outbox has waited for over a minute" if oldest > 60 else None

    resources.readiness.add("database", database)
    resources.readiness.add("broker", broker, required=broker_required)
    resources.readiness.add("outbox", outbox, required=broker_required)


def serve(app: FastAPI, settings: ServiceSettings) -> None:
    """Serve until SIGTERM or SIGINT; requests in progress are answered first."""
    # The database driver works in threads. At the default of 5 ms each of its calls waits for a
    # busy loop several times over; measured, that was most of a batch's time.
    sys.setswitchinterval(SWITCH_SECONDS)
    # Everything loaded by now stays, so the collector can skip it and run less often.
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 50)
    if isinstance(app, Application):
        app.prepare()
    server = _Server(
        uvicorn.Config(
            RequestGuard(
                app,
                hosts=settings.hosts,
                proxies=settings.proxies,
                https=settings.public_url.startswith("https://"),
            ),
            host=settings.host,
            port=settings.port,
            loop="uvloop",
            http=BoundedHeads,
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=10,
            timeout_keep_alive=30,
            limit_concurrency=settings.most_connections,
            ws="none",
        )
    )
    server.run()
    if not server.started:
        sys.exit(3)


class BoundedHeads(HttpToolsProtocol):
    """Disconnects slow clients, and refuses a request whose URL and headers exceed 64 KB. The
    parser would accept any size, keep it in memory, and wait forever.

    A head must be complete within this many seconds of its first byte, or of the connection's
    start; the client must read our answer as fast. `direct311.runtime.http.guard` watches how
    bodies arrive.
    """

    LARGEST_HEAD = 64 * 1024
    HEAD_SECONDS = 15.0
    UNREAD_SECONDS = 30.0

    _head: int | None = 0
    """The bytes of an incomplete head; `None` while a body is being read."""
    _completed = False
    _head_timer: asyncio.TimerHandle | None = None
    _unread_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        _cancel(self._head_timer)
        _cancel(self._unread_timer)
        self._head_timer = self._unread_timer = None
        super().connection_lost(exc)

    def on_headers_complete(self) -> None:
        self._head = None
        _cancel(self._head_timer)
        self._head_timer = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._head = 0
        self._completed = True
        # A call begins once its head is there, and checks this when the loop gets to it.
        self.scope["extensions"] = {FULLY_RECEIVED: {}}
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        self._completed = False
        super().data_received(data)
        # Nearly all of a piece that ended a message belonged to that message.
        if self._head is not None and not self._completed and not self.transport.is_closing():
            self._head += len(data)
            if self._head > self.LARGEST_HEAD:
                self.send_400_response("The request's head is too large.")
            elif self._head_timer is None:
                # Most heads arrive whole and need no timer.
                self._await_head()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._unread_timer is None:
            self._unread_timer = self.loop.call_later(self.UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        _cancel(self._unread_timer)
        self._unread_timer = None
        super().resume_writing()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.HEAD_SECONDS, self._head_is_late)

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._head is not None and not self.transport.is_closing():
            self.transport.close()


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


class _Server(uvicorn.Server):
    """Stops at once if told to stop while it still waits for the other servers to start."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if not self.started:
            # No request is in progress yet.
            sys.stdout.flush()
            os._exit(0)
