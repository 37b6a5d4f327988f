"""A vault's account of its key fetches, over HTTP."""

from collections.abc import Sequence
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from direct311.audit.monitoring.adapters.fetches import OwnFetches, fetches_of
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import install
from direct311.runtime.http.health import Readiness
from direct311.runtime.http.key_routes import key_fetches_router
from direct311.runtime.peers import HttpClient, Peer
from direct311.runtime.telemetry import Metrics
from direct311.runtime.vault.vault import KeyFetch
from direct311.schemas import isoformat
from tests.support.keys import InMemoryKeys
from tests.unit.audit.events import OTHER, RECORD, START


@pytest.fixture
def keys() -> InMemoryKeys:
    keys = InMemoryKeys()
    keys.fetches += [
        KeyFetch(RECORD, OTHER, START + timedelta(seconds=second)) for second in range(3)
    ]
    return keys


class Running:
    async def running(self) -> Sequence[str]:
        return ["intake/1", "intake/2"]


def client(
    keys: InMemoryKeys, role: str, sub: str = "svc:audit", via: str | None = None
) -> TestClient:
    async def caller(_: Request) -> Caller:
        return Caller(sub, (role,), via=via)

    app = FastAPI()
    install(app, Readiness(), Metrics())
    app.include_router(key_fetches_router(keys, Running(), caller))
    return TestClient(app)


def test_audit_reads_the_fetches_since_an_instant(keys: InMemoryKeys) -> None:
    answer = client(keys, "service").get(
        "/internal/key-fetches", params={"after": isoformat(START)}
    )
    assert answer.status_code == 200
    body = answer.json()
    assert body["complete"] is True
    assert body["producers"] == ["intake/1", "intake/2"]
    assert [each["event_id"] for each in body["fetches"]] == [OTHER, OTHER]
    assert set(body["fetches"][0]) == {"record_id", "event_id", "at"}


@pytest.mark.parametrize("role", ["auditor", "agent", "admin"])
def test_nobody_else_does(keys: InMemoryKeys, role: str) -> None:
    answer = client(keys, role).get("/internal/key-fetches", params={"after": isoformat(START)})
    assert answer.status_code == 403


OTHER_SERVICES = ("intake", "media", "geo", "routing", "retention", "configuration", "Audit")


@pytest.mark.parametrize("sub", [*(f"svc:{each}" for each in OTHER_SERVICES), "svc-audit", "audit"])
def test_no_other_service_does(keys: InMemoryKeys, sub: str) -> None:
    asking = client(keys, "service", sub)
    answer = asking.get("/internal/key-fetches", params={"after": isoformat(START)})
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:direct311:problem:caller")


def test_nor_does_audit_for_somebody_else(keys: InMemoryKeys) -> None:
    asking = client(keys, "service", via="svc:geo")
    answer = asking.get("/internal/key-fetches", params={"after": isoformat(START)})
    assert answer.status_code == 403


def test_an_instant_without_a_zone_is_refused_by_name(keys: InMemoryKeys) -> None:
    answer = client(keys, "service").get(
        "/internal/key-fetches", params={"after": "2026-03-02T14:00:00"}
    )
    assert (answer.status_code, answer.json()["field"]) == (422, "after")


class NoConfirmation(InMemoryKeys):
    """Keys like the log's own: their fetches may be confirmed, which changes nothing here."""

    async def confirm(self, fetches: Sequence[KeyFetch]) -> None:
        return None


class AToken:
    async def get(self) -> str:
        return "token"

    async def exchanged(self, authorization: str) -> str:
        raise AssertionError("nobody is behind this call")


def _peer(service: str) -> Peer:
    """Answers with one fetch under an event that is named after the service."""

    def answer(request: httpx.Request) -> httpx.Response:
        fetch = {"record_id": RECORD, "event_id": request.url.host, "at": isoformat(START)}
        return httpx.Response(200, json={"fetches": [fetch], "complete": True, "producers": []})

    return Peer(f"http://{service}", HttpClient(transport=httpx.MockTransport(answer)), AToken())


@pytest.mark.anyio
async def test_every_service_with_a_vault_is_asked_and_the_logs_own_keys_come_last(
    keys: InMemoryKeys,
) -> None:
    own_keys = NoConfirmation()
    own_keys.fetches += keys.fetches
    own = OwnFetches(own_keys, Running())
    found = fetches_of(("intake", "retention", "audit"), _peer, own)
    assert [each.service for each in found] == ["intake", "retention", "audit"]
    pages = [await each.after(START - timedelta(seconds=1)) for each in found]
    assert [page.fetches[0].service for page in pages] == ["intake", "retention", "audit"]
    assert [page.fetches[0].event_id for page in pages] == ["intake", "retention", OTHER]
