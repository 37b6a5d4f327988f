"""Intake's calls of front ends, residents and agents over memory, as they are seen from outside."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Header
from httpx import Response
from starlette.testclient import TestClient

from direct311.intake.catalogue.adapters import load_catalogues, load_emergencies
from direct311.intake.clients.domain.clients import Client
from direct311.intake.open311.api.georeport import GeoReport
from direct311.intake.reporter.adapters.code_words import load_code_words
from direct311.intake.reporter.api.app import codes_router, reporter_router
from direct311.intake.reporter.api.subject import link_router, subject_router
from direct311.intake.request import ServiceRequest
from direct311.intake.settings import IntakeSettings
from direct311.intake.submission.api.app import app_router
from direct311.intake.submission.handlers.accept import Accept
from direct311.intake.submission.handlers.agreement import Agreement
from direct311.intake.submission.handlers.key_pool import KeyPool
from direct311.intake.submission.handlers.submit import Submit
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import caller_of, install
from direct311.runtime.http.health import Readiness
from direct311.runtime.telemetry import Metrics
from tests.support.memory import IdleRelay
from tests.support.quotas import callers
from tests.support.reporters import CATALOGUE, POLICIES, ReporterIntake
from tests.support.runtime import NOW


def client(client_id: str, *, keyless: bool = False) -> Client:
    flags: tuple[Literal["retries_without_key"], ...] = ("retries_without_key",) if keyless else ()
    return Client(client_id=client_id, name="A", environment="test", created_at=NOW, flags=flags)


CLIENTS = {
    each.client_id: each
    for each in (client("app"), client("other"), client("legacy", keyless=True))
}
"""By their keys."""
CATALOGUES = load_catalogues()
CODE_WORDS = load_code_words().content
EMERGENCIES = load_emergencies().content


class _NoneRecent:
    def first(self, fingerprint: str, since: Any) -> str | None:
        return None

    def note(self, fingerprint: str, record_id: str, at: Any) -> None: ...


class _Admitting:
    """The client whose key it is, however often it calls."""

    async def __call__(self, key: str, *_: Any, **__: Any) -> Client:
        return CLIENTS[key]

    def check(self, key: str, *_: Any, **__: Any) -> None:
        if key not in CLIENTS:
            raise RefusedError("api_key", "api_key is not known", field="api_key")


class Gateway:
    """The calls, and behind them intake over memory."""

    def __init__(self) -> None:
        self.intake = intake = ReporterIntake()
        self.clock = intake.clock
        self.submissions = intake.submissions
        submit = Submit(
            submissions=self.submissions,
            recent=_NoneRecent(),
            uploads=intake.media,
            brought=intake.upload,
            emergencies=EMERGENCIES,
            protections=intake.registry,
            indexes=intake.indexes,
            home=None,  # type: ignore[arg-type]
            keys=KeyPool(intake.vault, self.submissions.keep, intake.ids),
            emitter=intake.emitter,
            relay=IdleRelay(),
            clock=intake.clock,
            content_key=intake.indexes.content_key,
        )
        self.agreement = agreement = Agreement(POLICIES, intake.clock)
        self.accept = accept = Accept(
            catalogue=CATALOGUE,
            agreement=agreement,
            submit=submit,
            links=intake.link_signer,
            clock=intake.clock,
            most_files=5,
        )
        report = GeoReport(
            settings=IntakeSettings.model_construct(
                public_url="http://county.example",
                environment="local",
                most_files=5,
                largest_file=1000,
                files_in_hand=10_000,
            ),
            catalogues=CATALOGUES,
            agreement=agreement,
            admission=_Admitting(),  # type: ignore[arg-type]
            failed_keys=None,  # type: ignore[arg-type]
            callers=callers(intake.clock, most=1_000_000),
            accept=accept,
            requests=None,  # type: ignore[arg-type]
            updates=None,  # type: ignore[arg-type]
            add_comment=intake.add_comment,
            clock=intake.clock,
        )

        async def client_of(x_api_key: Annotated[str, Header()]) -> Client:
            return CLIENTS[x_api_key]

        authenticator = intake.authenticator
        residents = caller_of(authenticator, residents=True)
        app = FastAPI()
        install(app, Readiness(), Metrics(), intake.ledger)
        app.router.routes.extend(report.routes())
        for router in (
            app_router(
                accept=accept,
                upload=intake.upload,
                counts=_NoCounts(),  # type: ignore[arg-type]
                largest_file=1000,
                most_files=5,
                client_of=client_of,
            ),
            codes_router(intake.one_time, True, client_of),
            reporter_router(intake.reporter, CATALOGUES, CODE_WORDS, residents),
            subject_router(intake.subject, residents),
            link_router(intake.subject, caller_of(authenticator)),
        ):
            app.include_router(router)
        self._app = app
        self.come_from("192.0.2.1")

    def come_from(self, address: str) -> None:
        """The address from which the calls come from now on."""
        self.http = TestClient(self._app, raise_server_exceptions=False, client=(address, 1))

    def json(
        self,
        order: Mapping[str, object],
        key: str | None = None,
        *,
        by: str = "app",
        language: str = "en",
    ) -> Response:
        """A submission in JSON."""
        headers = {"X-Api-Key": by, "Accept-Language": language}
        headers |= {"Idempotency-Key": key} if key else {}
        answer: Response = self.http.post("/v1/requests", json=order, headers=headers)
        return answer

    def form(
        self,
        fields: Mapping[str, str],
        key: str | None = None,
        *,
        by: str = "app",
        form: str = "json",
        call: str = "requests",
    ) -> Response:
        """A form of GeoReport v2 that asks for everything."""
        sent = {"jurisdiction_id": "miamidade", "api_key": by, "extensions": "true", **fields}
        headers = {"Idempotency-Key": key} if key else {}
        answer: Response = self.http.post(f"/open311/v2/{call}.{form}", data=sent, headers=headers)
        return answer

    def resident(
        self, method: str, path: str, link: str, body: object = None, key: str | None = None
    ) -> Response:
        """A call with a link, or with a staff token."""
        headers = {"Authorization": f"Bearer {link}"} | ({"Idempotency-Key": key} if key else {})
        answer: Response = self.http.request(method, path, json=body, headers=headers)
        return answer

    def states(self) -> list[ServiceRequest]:
        """All requests that are stored, the oldest first."""
        return [write.state for write in self.intake.records.documents.values()]


class _NoCounts:
    def add(self, client_id: str, facts: object) -> None: ...
