"""Wires intake: each capability builds itself, and this combines them into one service."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version

from fastapi import APIRouter, FastAPI

from direct311.intake import sealing as sealed
from direct311.intake.breach_notices import wiring as breach_notice_wiring
from direct311.intake.calls import wiring as call_wiring
from direct311.intake.case_messages import wiring as case_messages_wiring
from direct311.intake.catalogue import wiring as catalogue_wiring
from direct311.intake.catalogue.wiring import CatalogueData
from direct311.intake.clients import wiring as client_wiring
from direct311.intake.clients.api.api_key import client_of
from direct311.intake.clients.api.app_counts import app_counts_router
from direct311.intake.clients.api.clients import clients_router
from direct311.intake.clients.api.cross_origin import CrossOrigin
from direct311.intake.clients.wiring import Clients
from direct311.intake.deliveries import wiring as delivery_wiring
from direct311.intake.deliveries.api import deliveries_router
from direct311.intake.deliveries.handlers import Deliveries
from direct311.intake.leaks import wiring as leaks_wiring
from direct311.intake.leaks.api import leaks_router
from direct311.intake.legal_requests import wiring as legal_request_wiring
from direct311.intake.lifecycle import wiring as lifecycle_wiring
from direct311.intake.lifecycle.adapters import MongoRequests
from direct311.intake.lifecycle.wiring import TOPICS, Lifecycle
from direct311.intake.loops import leased
from direct311.intake.open311 import wiring as open311_wiring
from direct311.intake.open311.adapters.public_view import PublicView
from direct311.intake.open311.api.feeds import feeds_router
from direct311.intake.open311.api.georeport import Gateway
from direct311.intake.open311.api.read_limits import ReadLimited
from direct311.intake.open311.api.unserved import unserved_routes
from direct311.intake.open311.wiring import Open311
from direct311.intake.protection import wiring as protection_wiring
from direct311.intake.protection.api import protections_router
from direct311.intake.protection.wiring import Protection
from direct311.intake.records_packages import wiring as records_package_wiring
from direct311.intake.records_packages.api import records_packages_router
from direct311.intake.records_packages.handlers import FetchRecords
from direct311.intake.records_requests import wiring as records_request_wiring
from direct311.intake.records_requests.api import estimates_router, records_requests_router
from direct311.intake.records_requests.wiring import RecordsRequests
from direct311.intake.reporter import wiring as reporter_wiring
from direct311.intake.reporter.api.accesses import accesses_router
from direct311.intake.reporter.api.app import codes_router, reporter_router
from direct311.intake.reporter.api.subject import link_router, subject_router
from direct311.intake.reporter.wiring import Reporters
from direct311.intake.request import ServiceRequest
from direct311.intake.review import wiring as review_wiring
from direct311.intake.review.api import rendering_router, review_router
from direct311.intake.review.wiring import Reviewing
from direct311.intake.sealing import Sealing
from direct311.intake.searches import wiring as search_wiring
from direct311.intake.searches.adapters import MongoCandidates
from direct311.intake.searches.api import searches_router
from direct311.intake.searches.handlers import SearchForCase
from direct311.intake.settings import IntakeSettings
from direct311.intake.staff import wiring as staff_wiring
from direct311.intake.staff.api.records import internal_router, staff_router
from direct311.intake.staff.wiring import Staff
from direct311.intake.submission import wiring as submission_wiring
from direct311.intake.submission.api.app import app_router
from direct311.intake.submission.api.policy import policy_router
from direct311.intake.submission.wiring import Stores, Submissions
from direct311.intake.uploads import wiring as upload_wiring
from direct311.intake.uploads.wiring import Files
from direct311.intake.work import wiring as work_wiring
from direct311.intake.work_notes import wiring as work_note_wiring
from direct311.intake.work_notes.api import work_notes_router
from direct311.intake.work_notes.handlers import SealWorkNote
from direct311.runtime.disposition import Destroyer
from direct311.runtime.http.api import LARGEST_BODY, FastPath, caller_of, install
from direct311.runtime.http.key_routes import key_fetches_router, keys_router
from direct311.runtime.loops import Loop, Step
from direct311.runtime.process import Resources, processing, running
from direct311.runtime.storage.database import disconnect_directly


@dataclass(frozen=True, slots=True)
class Intake:
    """All capabilities of the service, built."""

    settings: IntakeSettings
    resources: Resources
    sealing: Sealing
    catalogue: CatalogueData
    clients: Clients
    lifecycle: Lifecycle
    protection: Protection
    stores: Stores
    files: Files
    submissions: Submissions
    reporters: Reporters
    open311: Open311
    staff: Staff
    seal_work_note: SealWorkNote
    records_requests: RecordsRequests
    search_for_case: SearchForCase
    fetch_records: FetchRecords
    deliveries: Deliveries
    reviewing: Reviewing
    destroyer: Destroyer[ServiceRequest]
    prepare_disclosures: Step


def create_app(settings: IntakeSettings, resources: Resources) -> FastAPI:
    """The whole service; nothing runs until the application starts."""
    intake = build(settings, resources)
    submit = intake.submissions.submit
    resources.consumer(
        TOPICS, processing(intake.lifecycle.processor), gives_way=lambda: submit.busy
    )
    loops = loops_of(intake)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with run(intake, loops):
            yield
            with contextlib.suppress(Exception):
                await intake.clients.quotas.close()
        await disconnect_directly(intake.stores.direct)

    app = Gateway(
        title="Direct311 intake",
        version=version("direct311-intake"),
        summary="The gateway: Open311 GeoReport v2, and the reporter's sealed contact data",
        lifespan=lifespan,
    )
    mount(app, intake)
    return app


def build(settings: IntakeSettings, resources: Resources) -> Intake:
    """Every capability, after the ones it needs."""
    sealing = sealed.wire(settings, resources)
    catalogue = catalogue_wiring.wire(settings)
    clients = client_wiring.wire(settings, resources, sealing)
    protections = protection_wiring.wire_registry(resources)
    lifecycle = lifecycle_wiring.wire(resources, sealing, protections, open311_wiring.found_by)
    protection = protection_wiring.wire(settings, resources, sealing, protections, lifecycle)
    stores = submission_wiring.wire_stores(settings, sealing, lifecycle)
    files = upload_wiring.wire(settings, resources, stores.submissions)
    reporters = reporter_wiring.wire(
        settings,
        resources,
        sealing,
        catalogue,
        lifecycle,
        protections,
        protection.address_index,
        files.brought,
    )
    submissions = submission_wiring.wire(
        settings,
        resources,
        sealing,
        catalogue,
        lifecycle,
        protections,
        protection.address_index,
        stores,
        files,
        reporters.links,
    )
    open311 = open311_wiring.wire(
        settings, resources, catalogue, clients, lifecycle, submissions, reporters
    )
    disclosures, prepare_disclosures = resources.disclosures()
    staff = staff_wiring.wire(
        settings, resources, sealing, catalogue.english, lifecycle, disclosures
    )
    seal_work_note = work_note_wiring.wire(resources, sealing, lifecycle)
    public = PublicView(open311.requests, catalogue.english)
    reviewing = review_wiring.wire(
        settings, resources, sealing, lifecycle, protections, disclosures, public
    )
    destroyer = lifecycle_wiring.wire_destroyer(
        settings, resources, sealing, lifecycle, reporters.codes.forget, reviewing.forget
    )
    return Intake(
        settings=settings,
        resources=resources,
        sealing=sealing,
        catalogue=catalogue,
        clients=clients,
        lifecycle=lifecycle,
        protection=protection,
        stores=stores,
        files=files,
        submissions=submissions,
        reporters=reporters,
        open311=open311,
        staff=staff,
        seal_work_note=seal_work_note,
        records_requests=records_request_wiring.wire(settings, resources, clients),
        search_for_case=search_wiring.wire(
            settings, resources, sealing, lifecycle, staff.contact, disclosures
        ),
        fetch_records=records_package_wiring.wire(settings, resources),
        deliveries=delivery_wiring.wire(settings, resources),
        reviewing=reviewing,
        destroyer=destroyer,
        prepare_disclosures=prepare_disclosures,
    )


def loops_of(intake: Intake) -> list[Loop]:
    """What runs at intervals."""
    settings, resources, clock = intake.settings, intake.resources, intake.resources.clock
    clients, protection, recent = intake.clients, intake.protection, intake.submissions.recent
    hour, five, second = timedelta(hours=1), timedelta(seconds=5), timedelta(seconds=1)

    async def forget_what_is_over() -> None:
        now = clock.now()
        await intake.files.tickets.forget(now - timedelta(days=1))
        await intake.reporters.codes.forget_old(now - timedelta(days=1))
        await intake.staff.ended_sessions.forget(now)
        await intake.reviewing.forget.sweep()

    async def forget_unused_keys() -> None:
        collection = intake.lifecycle.aggregates.records.collection
        await intake.sealing.keys.forget_unused(clock.now() - timedelta(days=1), collection)

    found = [
        Loop("registry", settings.registry_every, protection.refresh, None, clock),
        Loop("callers", second, clients.settle, None, clock),
        Loop("records requests", second, intake.records_requests.limit.settle, None, clock),
        Loop("recent", timedelta(seconds=10), recent.refresh, None, clock),
        leased(resources, "counts", hour, clients.forget_counts),
        leased(resources, "recheck", five, protection.recheck.all),
        leased(resources, "homes", five, protection.read_homes.step),
        leased(resources, "endings", second, protection.protect.end_what_is_due),
        leased(resources, "destroy", second, intake.destroyer.step),
        leased(resources, "keys", hour, forget_unused_keys),
        leased(resources, "over", hour, forget_what_is_over),
        Loop("app counts", five, clients.app_counts.write, None, clock),
        *intake.sealing.rotation.loops(resources),
    ]
    if intake.reporters.mail is not None:
        found.append(leased(resources, "mail", second, intake.reporters.mail.step))
    return found


def run(intake: Intake, loops: list[Loop]) -> contextlib.AbstractAsyncContextManager[None]:
    """Everything that must be ready before a call is accepted, and the loops that run alongside."""
    aggregates, sealing = intake.lifecycle.aggregates, intake.sealing
    indexes = (
        *MongoRequests.INDEXES,
        *open311_wiring.INDEXES,
        *MongoCandidates.INDEXES,
        *work_wiring.INDEXES,
    )
    return running(
        intake.resources,
        relays=[aggregates.relay],
        loops=loops,
        prepare=[
            lambda: aggregates.records.prepare(indexes),
            sealing.keys.prepare,
            intake.files.tickets.prepare,
            intake.reporters.codes.prepare,
            intake.staff.ended_sessions.prepare,
            intake.prepare_disclosures,
            intake.clients.app_counts.prepare,
            sealing.rotation.checks.check,
            intake.protection.index_checks.check,
            intake.protection.refresh,
            intake.submissions.recent.refresh,
            intake.clients.take_first,
        ],
        # Requests are accepted and stored while the broker is down.
        broker_required=False,
    )


def mount(app: FastAPI, intake: Intake) -> None:
    """The routes, and the middleware in front of them."""
    resources, clients = intake.resources, intake.clients
    served = intake.open311.georeport.routes()
    app.router.routes.extend([*served, *unserved_routes(served)])
    # The last one is outermost, so that the answers of the others are measured too.
    app.add_middleware(FastPath, routes=served)
    app.add_middleware(ReadLimited, callers=intake.open311.callers)
    own_origin = intake.settings.public_url.rstrip("/")
    app.add_middleware(CrossOrigin, clients=clients.clients, own_origin=own_origin)
    resources.readiness.add("submissions", intake.stores.submissions.refused)
    install(app, resources.readiness, resources.metrics, resources.ledger)
    app.router.routes.extend(intake.staff.pages.routes())
    for router in routers_of(intake):
        app.include_router(router, max_body_size=LARGEST_BODY)


def routers_of(intake: Intake) -> list[APIRouter]:
    """The JSON APIs, in the order in which the document lists them."""
    settings, resources, clock = intake.settings, intake.resources, intake.resources.clock
    catalogue, clients, staff = intake.catalogue, intake.clients, intake.staff
    reporters, agreement = intake.reporters, intake.submissions.agreement
    who = caller_of(resources.authenticator)
    residents = caller_of(resources.authenticator, residents=True)
    client = client_of(clients.admission, clients.failed_keys)
    app_submissions = app_router(
        accept=intake.submissions.accept,
        upload=intake.files.brought,
        counts=clients.app_counts,
        largest_file=settings.largest_file,
        most_files=settings.most_files,
        client_of=client,
    )
    requests = intake.open311.requests
    return [
        staff_router(
            staff.contact, staff.release, intake.lifecycle.requests, catalogue.english, who
        ),
        link_router(reporters.subject, who),
        subject_router(reporters.subject, residents),
        app_submissions,
        codes_router(reporters.one_time, reporters.mail is not None, client),
        reporter_router(reporters.reporter, catalogue.by_language, reporters.words, residents),
        accesses_router(reporters.who_saw, reporters.words, residents),
        app_counts_router(clients.app_counts, who, clock),
        records_requests_router(
            intake.records_requests.ask,
            intake.records_requests.follow,
            intake.records_requests.notices,
            clients.failed_keys,
        ),
        estimates_router(
            intake.records_requests.estimate,
            intake.records_requests.statements,
            intake.records_requests.notices,
            clients.failed_keys,
        ),
        case_messages_wiring.wire(settings, intake.resources, clients, intake.records_requests),
        records_packages_router(intake.fetch_records, clients.failed_keys),
        deliveries_router(intake.deliveries, clients.failed_keys),
        feeds_router(settings, requests, catalogue.by_language, agreement, clock),
        internal_router(staff.contact, who),
        work_notes_router(intake.seal_work_note, who),
        searches_router(intake.search_for_case, who),
        key_fetches_router(intake.sealing.keys, resources.producers, who),
        keys_router(intake.sealing.rotation, who),
        protections_router(intake.protection.protect, who),
        clients_router(clients.manage, who),
        policy_router(agreement),
        review_router(
            intake.reviewing.review, intake.reviewing.decide, intake.reviewing.propose, who
        ),
        rendering_router(intake.reviewing.render, who),
        leaks_router(leaks_wiring.wire(intake.reviewing.withheld), who),
        breach_notice_wiring.wire(settings, resources, intake.sealing, intake.lifecycle, who),
        legal_request_wiring.wire(settings, resources, intake.records_requests),
        work_wiring.wire(
            resources,
            intake.sealing,
            catalogue.english,
            intake.lifecycle,
            intake.protection.protections,
            who,
        ),
        call_wiring.wire(intake.sealing, intake.submissions, intake.lifecycle, reporters, who),
    ]
