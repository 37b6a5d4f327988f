"""Intake, wired."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.metadata import version

from fastapi import FastAPI
from prometheus_client import Counter

from direct311.intake.catalogue.adapters import load_catalogues, load_emergencies, load_policies
from direct311.intake.clients.adapters.app_counts import MongoAppCounts
from direct311.intake.clients.adapters.first_clients import read_clients
from direct311.intake.clients.adapters.mongo import (
    MongoClients,
    MongoCounts,
    MongoQuotas,
    MongoSalts,
)
from direct311.intake.clients.api.api_key import client_of
from direct311.intake.clients.api.app_counts import app_counts_router
from direct311.intake.clients.api.clients import clients_router
from direct311.intake.clients.api.cross_origin import CrossOrigin
from direct311.intake.clients.api.failed_keys import FailedKeys
from direct311.intake.clients.domain.clients import served_by
from direct311.intake.clients.handlers.admission import Admission
from direct311.intake.clients.handlers.clients import ManageClients
from direct311.intake.clients.handlers.quotas import Quotas
from direct311.intake.clients.handlers.reads import ReadLimits, SharedNames
from direct311.intake.indexes.adapters.keyed import KeyedIndexes
from direct311.intake.indexes.handlers.hits import Hits
from direct311.intake.lifecycle.adapters import MongoRequests
from direct311.intake.lifecycle.handlers import Follow
from direct311.intake.open311.adapters.listing import listed_fields
from direct311.intake.open311.adapters.updates import MongoUpdates, noted_fields
from direct311.intake.open311.api.feeds import feeds_router
from direct311.intake.open311.api.georeport import Gateway, GeoReport
from direct311.intake.open311.api.read_limits import Callers, ReadLimited
from direct311.intake.open311.api.unserved import unserved_routes
from direct311.intake.protection.adapters.geo import GeoAddresses
from direct311.intake.protection.adapters.mongo import IndexChecks, MongoProtections
from direct311.intake.protection.api import protections_router
from direct311.intake.protection.handlers.homes import Homes
from direct311.intake.protection.handlers.protect import Protect
from direct311.intake.protection.handlers.reindex import ReadHomes, Reindex
from direct311.intake.reporter.adapters.codes import MongoCodes
from direct311.intake.reporter.adapters.messages import load_messages
from direct311.intake.reporter.adapters.smtp import SmtpMailer
from direct311.intake.reporter.api.app import codes_router, reporter_router
from direct311.intake.reporter.api.subject import link_router, subject_router
from direct311.intake.reporter.handlers.codes import OneTimeCodes, SentCodes
from direct311.intake.reporter.handlers.comment import AddComment
from direct311.intake.reporter.handlers.mail import Mail
from direct311.intake.reporter.handlers.reporter import Reporter
from direct311.intake.reporter.handlers.subject import Subject
from direct311.intake.request import ServiceRequest
from direct311.intake.settings import IntakeSettings
from direct311.intake.staff.adapters import MongoEndedSessions
from direct311.intake.staff.api.pages import StaffPages
from direct311.intake.staff.api.records import internal_router, staff_router
from direct311.intake.staff.handlers.contact import Contact
from direct311.intake.staff.handlers.release import Release
from direct311.intake.submission.adapters.inserts import GroupedSubmissions
from direct311.intake.submission.adapters.recent import RecentContents
from direct311.intake.submission.api.app import app_router
from direct311.intake.submission.api.policy import policy_router
from direct311.intake.submission.handlers.agreement import Agreement
from direct311.intake.submission.handlers.submit import REPEAT_WINDOW, Submit
from direct311.intake.uploads.adapters.media import MediaUploads
from direct311.intake.uploads.adapters.tickets import MongoUploadTickets
from direct311.intake.uploads.handlers import Upload
from direct311.runtime.api import LARGEST_BODY, Direct, caller_of, install
from direct311.runtime.database import connect_directly, disconnect_directly
from direct311.runtime.disposition import Destroyed, Destroyer
from direct311.runtime.fetches import key_fetches_router
from direct311.runtime.keyservices import key_provider
from direct311.runtime.keystore import MongoKeys
from direct311.runtime.links import LinkSigner
from direct311.runtime.process import Loop, Resources, Step, folding, running
from direct311.runtime.records import hold_handlers
from direct311.runtime.reserve import KeyReserve
from direct311.runtime.rotation import KeyRotation, keys_router
from direct311.runtime.signing import read_private
from direct311.runtime.staff import StaffSignIn
from direct311.runtime.vault import Vault
from direct311.schemas import derived_id

TOPICS = (
    "location.resolved",
    "media.stored",
    "request.routed",
    "request.recalled",
    "request.overdue",
    "work.updated",
    "disposition",
)


def create_app(settings: IntakeSettings, resources: Resources) -> FastAPI:
    """The whole service; nothing runs until the application starts."""
    clock = resources.clock
    catalogues = load_catalogues(settings.catalogue_file)
    catalogue = catalogues["en"]
    policies = load_policies(settings.policies_file).content
    emergencies = load_emergencies(settings.emergencies_file).content
    messages = load_messages(settings.messages_file).content
    indexes = KeyedIndexes.from_file(settings.index_keys_file, clock)
    keys = MongoKeys(resources.database["keys"])
    provider = key_provider(settings, resources.http)
    vault = Vault(
        keys,
        provider,
        resources.ledger,
        resources.access_policy(),
        clock,
    )
    rotation = KeyRotation(keys, provider, vault, resources.database, clock)
    line = resources.outgoing(
        resources.database["requests"],
        ServiceRequest,
        lambda request: listed_fields(request) | noted_fields(request),
    )
    requests = MongoRequests(line.records, clock)
    protections = MongoProtections(resources.database["protections"])
    hits = Hits()
    follow = Follow(protections, indexes.place, clock, hits)
    folder = resources.folder(
        line,
        lambda record_id: ServiceRequest(record_id=record_id),
        {**hold_handlers(), **follow.handlers()},
    )
    addresses = GeoAddresses(resources.peer("geo", settings.geo_url))
    unread = Counter(
        "direct311_homes_unread",
        "Reporters' own addresses indexed as they were typed, since geo did not answer",
        registry=resources.metrics.registry,
    )
    homes = Homes(addresses, indexes, unread.inc)
    direct = connect_directly(settings.database_url.get_secret_value(), settings.database_name)
    submissions = GroupedSubmissions(keys, line.records, direct[line.records.collection.name])
    uploads = MediaUploads(resources.peer("media", settings.media_url), resources.http)
    tickets = MongoUploadTickets(resources.database["upload_tickets"])
    brought = Upload(uploads, tickets, submissions, clock)
    recent = RecentContents(line.records.collection, clock, REPEAT_WINDOW)
    submit = Submit(
        submissions=submissions,
        recent=recent,
        uploads=uploads,
        brought=brought,
        emergencies=emergencies,
        protections=protections,
        indexes=indexes,
        home=homes,
        keys=KeyReserve(vault, submissions.keep, resources.ids),
        emitter=line.emitter,
        relay=line.relay,
        clock=clock,
        content_key=indexes.content_key,
        hits=hits,
    )
    index_checks = IndexChecks(
        resources.database["index_checks"],
        line.records.collection,
        resources.database["protections"],
        indexes,
    )
    reindex = Reindex(
        requests,
        folder,
        vault,
        indexes,
        homes,
        addresses,
        follow.compare,
        index_checks.newest,
    )
    rotation.add("reindex", reindex.batch, reindex.left)
    read_homes = ReadHomes(reindex, requests, addresses, clock)
    contact = Contact(requests, vault, indexes)
    links = LinkSigner(
        *read_private(settings.link_key_file),
        links=resources.links,
        audience=settings.link_audience,
        lifetime=settings.link_lifetime,
        clock=clock,
        ids=resources.ids,
    )
    codes = MongoCodes(resources.database["codes"])
    sent = SentCodes(codes, clock, indexes.content_key)
    subject = Subject(
        folder=folder,
        vault=vault,
        indexes=indexes,
        home=homes,
        protections=protections,
        protect=follow.protect,
        links=links,
        sent=sent,
        clock=clock,
        ids=resources.ids,
        content_key=indexes.content_key,
        notices={each.email_notice.version for each in policies.policies},
        hits=hits,
    )
    ended_sessions = MongoEndedSessions(resources.database["ended_sessions"])
    one_time = OneTimeCodes(
        requests=requests,
        codes=codes,
        sent=sent,
        indexes=indexes,
        vault=vault,
        links=links,
        clock=clock,
    )
    can_mail = settings.smtp_host is not None
    reporter = Reporter(
        folder=folder,
        vault=vault,
        brought=brought,
        catalogue=catalogue,
        policies=policies,
        emergencies=emergencies,
        can_mail=can_mail,
        clock=clock,
        ids=resources.ids,
        content_key=indexes.content_key,
    )
    app_counts = MongoAppCounts(resources.database["app_counts"], clock)

    async def recheck_these(found: Sequence[str], registry_version: int) -> None:
        causes = {each: derived_id(_RECHECK, f"{each}:{registry_version}") for each in found}
        await folder.change_each(causes, follow.recheck)

    async def recheck_with(hashes: Sequence[str]) -> None:
        current = protections.version
        while behind := await requests.unchecked_with(hashes, current, 500):
            await recheck_these(behind, current)

    protect = Protect(
        protections,
        indexes,
        addresses,
        recheck_with,
        vault,
        clock,
        resources.ids,
        2 * settings.registry_every,
        settings.undone_within,
    )
    clients = MongoClients(resources.database["clients"], resources.database["client_uses"], clock)
    known_before = read_clients(settings.clients_file, served_by(settings.environment), clock.now())
    quota_store = MongoQuotas(resources.database["quotas"])
    quotas = Quotas(quota_store, clock)
    own_origin = settings.public_url.rstrip("/")
    admission = Admission(
        clients, quotas, clock, environment=settings.environment, own_origin=own_origin
    )
    counts = MongoCounts(resources.database["reads"])
    reads = ReadLimits(counts, clock, worth=max(1, settings.reads_per_minute // 10))
    names = SharedNames(
        resources.sign_ins.sources,
        clock,
        indexes.content_key,
        MongoSalts(resources.database["salts"]).of,
    )
    resources.consumer(TOPICS, folding(folder), gives_way=lambda: submit.busy)

    async def remove(request: ServiceRequest) -> Destroyed:
        await codes.forget(request.record_id)
        # Everything but the key lies in the document that becomes the tombstone.
        return Destroyed(
            documents=1 if request.fingerprint else 0,
            fields=len(request.sealed),
            bytes=sum(len(value) for value in request.sealed.values()),
        )

    destroyer = Destroyer(
        holder="intake",
        folder=folder,
        destroying=line.records.destroying,
        remove=remove,
        keys=keys,
        clock=clock,
        recoverable_for=settings.recoverable_for,
    )

    async def registry() -> None:
        await protections.refresh()

    async def first_clients() -> None:
        for client in known_before:
            if await clients.add(client):
                # An event of the log, like each later change.
                kind = f"API client {client.client_id}"
                resources.in_force.expect(kind, client.keys[0].key_id)
        await clients.refresh()
        await names.refresh()

    async def settle() -> None:
        await clients.refresh()
        await names.refresh()
        await quotas.settle()
        await reads.settle()
        await clients.settle()

    async def forget_counts() -> None:
        await quota_store.forget(clock.now())
        await counts.forget(clock.now())

    async def recheck() -> None:
        current = protections.version
        while behind := await requests.unchecked(current, 500):
            await recheck_these(behind, current)

    async def forget_what_is_over() -> None:
        now = clock.now()
        await tickets.forget(now - timedelta(days=1))
        await codes.forget_old(now - timedelta(days=1))
        await ended_sessions.forget(now)

    async def forget_unused_keys() -> None:
        await keys.forget_unused(clock.now() - timedelta(days=1), line.records.collection)

    def leased(name: str, every: timedelta, step: Step) -> Loop:
        return Loop(
            name, every, step, resources.lease(name, max(every, timedelta(seconds=5))), clock
        )

    loops = [
        Loop("registry", settings.registry_every, registry, None, clock),
        Loop("callers", timedelta(seconds=1), settle, None, clock),
        Loop("recent", timedelta(seconds=10), recent.refresh, None, clock),
        leased("counts", timedelta(hours=1), forget_counts),
        leased("recheck", timedelta(seconds=5), recheck),
        leased("homes", timedelta(seconds=5), read_homes.step),
        leased("endings", timedelta(seconds=1), protect.end_what_is_due),
        leased("destroy", timedelta(seconds=1), destroyer.step),
        leased("keys", timedelta(hours=1), forget_unused_keys),
        leased("over", timedelta(hours=1), forget_what_is_over),
        Loop("app counts", timedelta(seconds=5), app_counts.write, None, clock),
        *rotation.loops(resources),
    ]

    if can_mail:
        mail = Mail(
            mailer=SmtpMailer(settings),
            codes=codes,
            requests=requests,
            folder=folder,
            vault=vault,
            messages=messages,
            policies=policies,
            sender=settings.mail_from,
            link=settings.request_page,
            key=indexes.content_key,
            clock=clock,
            ids=resources.ids,
            first_pause=settings.mail_retry_after,
        )
        loops.append(leased("mail", timedelta(seconds=1), mail.step))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with running(
            resources,
            relays=[line.relay],
            loops=loops,
            prepare=[
                lambda: line.records.prepare((*MongoRequests.INDEXES, *MongoUpdates.INDEXES)),
                keys.prepare,
                tickets.prepare,
                codes.prepare,
                ended_sessions.prepare,
                app_counts.prepare,
                rotation.checks.check,
                index_checks.check,
                registry,
                recent.refresh,
                first_clients,
            ],
            # Requests are taken and kept while the broker is away.
            broker_required=False,
        ):
            yield
            with contextlib.suppress(Exception):
                await quotas.close()
        await disconnect_directly(direct)

    app = Gateway(
        title="Direct311 intake",
        version=version("direct311-intake"),
        summary="The gateway: Open311 GeoReport v2, and the reporter's sealed contact data",
        lifespan=lifespan,
    )
    who = caller_of(resources.authenticator)
    agreement = Agreement(policies, clock, f"{settings.public_url.rstrip('/')}/v1/policy")
    updates = MongoUpdates(line.records.collection)
    failed_keys = FailedKeys(reads, names, settings.failed_keys_per_minute)
    callers = Callers(reads, names, admission.reader, settings.reads_per_minute)
    georeport = GeoReport(
        settings=settings,
        catalogues=catalogues,
        agreement=agreement,
        admission=admission,
        failed_keys=failed_keys,
        callers=callers,
        submit=submit,
        requests=requests,
        updates=updates,
        add_comment=AddComment(
            folder=folder,
            vault=vault,
            emergencies=emergencies,
            clock=clock,
            ids=resources.ids,
            content_key=indexes.content_key,
        ),
        links=links,
        clock=clock,
    )
    served = georeport.routes()
    app.router.routes.extend([*served, *unserved_routes(served)])
    # The last one stands outermost: what these answer is measured too.
    app.add_middleware(Direct, routes=served)
    app.add_middleware(ReadLimited, callers=callers)
    app.add_middleware(CrossOrigin, clients=clients, own_origin=own_origin)
    resources.readiness.add("submissions", submissions.refused)
    install(app, resources.readiness, resources.metrics, resources.ledger)
    staff = StaffPages(
        StaffSignIn(
            resources.issuer,
            settings.issuer_url,
            resources.http,
            resources.authenticator,
            services=resources.services,
            client_secret=settings.client_secret.get_secret_value(),
            redirect_url=f"{own_origin}/staff/callback",
            clock=clock,
            ended=ended_sessions,
        ),
        requests,
    )
    app.router.routes.extend(staff.routes())
    residents = caller_of(resources.authenticator, residents=True)
    client = client_of(admission, failed_keys)
    release = Release(folder, catalogue, vault, clock, resources.ids)
    for router in (
        staff_router(contact, release, requests, catalogue, who),
        link_router(subject, who),
        subject_router(subject, residents),
        app_router(
            agreement=agreement,
            catalogue=catalogue,
            submit=submit,
            upload=brought,
            links=links,
            counts=app_counts,
            largest_file=settings.largest_file,
            most_files=settings.most_files,
            client_of=client,
            clock=clock,
        ),
        codes_router(one_time, can_mail, client),
        reporter_router(reporter, catalogue, residents),
        app_counts_router(app_counts, who, clock),
        feeds_router(settings, requests, catalogues, agreement, clock),
        internal_router(contact, who),
        key_fetches_router(keys, resources.producers, who),
        keys_router(rotation, who),
        protections_router(protect, who),
        clients_router(ManageClients(clients, vault, clock, resources.ids), who),
        policy_router(agreement),
    ):
        app.include_router(router, max_body_size=LARGEST_BODY)
    return app


_RECHECK = "0b8f2f62-4d0c-5c9b-8a44-9a4d8a8f3a51"
