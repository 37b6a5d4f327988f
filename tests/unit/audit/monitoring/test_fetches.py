"""A vault's account of its key fetches, over HTTP."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import install
from direct311.runtime.http.health import Readiness
from direct311.runtime.http.key_routes import key_fetches_router
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
