"""Sign-ins and failed ones become events; nothing of a token or an address is in them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from fastapi import APIRouter, Depends, FastAPI
from starlette.testclient import TestClient

from direct311.runtime.access.identity import Authenticator, Issuer
from direct311.runtime.access.ledger import Access, AuditUnavailableError, Ledger
from direct311.runtime.access.rules import Caller, Decision
from direct311.runtime.access.sign_ins import MOST_SOURCES, SignIns, Sources
from direct311.runtime.http.api import caller_of, install, require
from direct311.runtime.http.health import Readiness
from direct311.runtime.telemetry import Metrics
from direct311.schemas import events as ev
from tests.support.identity import services_of
from tests.support.runtime import SetClock

pytestmark = pytest.mark.anyio
ANA = Caller("ana", ("agent",), token_id="t-1", address="abc")


class Written(Ledger):
    """Keeps what it is told; may be down."""

    def __init__(self) -> None:
        self.written: list[tuple[Access, Decision, str]] = []
        self.down = False

    async def write(
        self,
        access: Access,
        decision: Decision,
        outcome: ev.AccessOutcome,
        *,
        reason: str | None = None,
        cause: str | None = None,
    ) -> str:
        if self.down:
            raise AuditUnavailableError
        self.written.append((access, decision, outcome))
        return "event"

    async def refuse(self, access: Access, decision: Decision) -> int | None:
        await self.write(access, decision, "denied")
        return None


async def test_the_first_use_of_a_token_is_a_sign_in() -> None:
    ledger, clock = Written(), SetClock()
    sign_ins = SignIns(ledger, clock)
    for caller in (ANA, ANA, replace(ANA, token_id="t-2"), ANA):
        sign_ins.came(caller)
    sign_ins.came(Caller("svc:media", ("service",), token_id="t-3", authentication="service"))
    at = clock.at
    clock.at += timedelta(seconds=2)
    await sign_ins.flush()
    await sign_ins.flush()
    assert [(a.action, a.caller.token_id, a.occurred_at, o) for a, _, o in ledger.written] == [
        ("sign_in", "t-1", at, "success"),
        ("sign_in", "t-2", at, "success"),
    ]


async def test_failures_are_counted_by_minute_and_source() -> None:
    ledger, clock = Written(), SetClock()
    sign_ins = SignIns(ledger, clock)
    for source in ("a", "a", "b", "a"):
        sign_ins.failed(source)
    await sign_ins.flush()
    assert ledger.written == []
    clock.at += timedelta(minutes=1)
    sign_ins.failed("a")
    await sign_ins.flush()
    assert sorted(
        (access.caller.address or "", access.result_count, outcome)
        for access, _, outcome in ledger.written
    ) == [("a", 3, "denied"), ("b", 1, "denied")]


async def test_a_flood_from_everywhere_stays_small() -> None:
    ledger, clock = Written(), SetClock()
    sign_ins = SignIns(ledger, clock)
    for number in range(MOST_SOURCES + 500):
        sign_ins.failed(f"source-{number}")
    clock.at += timedelta(minutes=2)
    await sign_ins.flush()
    assert len(ledger.written) == MOST_SOURCES + 1
    assert sum(access.result_count or 0 for access, _, _ in ledger.written) == MOST_SOURCES + 500


async def test_what_cannot_be_written_now_is_written_later() -> None:
    ledger, clock = Written(), SetClock()
    sign_ins = SignIns(ledger, clock)
    sign_ins.came(ANA)
    sign_ins.failed("a")
    clock.at += timedelta(minutes=2)
    ledger.down = True
    with pytest.raises(AuditUnavailableError):
        await sign_ins.flush()
    ledger.down = False
    await sign_ins.flush()
    assert [access.result_count for access, _, _ in ledger.written] == [1, 1]


async def test_a_source_has_one_name_for_a_day_and_no_other_way_back() -> None:
    clock = SetClock()
    sources = Sources(clock)
    first = sources.name("203.0.113.9")
    assert first is not None
    assert first == sources.name("203.0.113.9") != sources.name("203.0.113.10")
    assert first != Sources(clock).name("203.0.113.9")
    clock.at += timedelta(days=1)
    assert sources.name("203.0.113.9") != first
    assert sources.name(None) is None


class NoKeys(Issuer):
    def __init__(self) -> None:
        pass


def application(ledger: Ledger, caller: Caller | None) -> TestClient:
    sign_ins = SignIns(ledger, SetClock())

    class Known(Authenticator):
        async def _caller(self, authorization: str | None, on_behalf_of: str | None) -> Caller:
            return caller or await super()._caller(authorization, on_behalf_of)

    app, router = FastAPI(), APIRouter()
    who = Depends(
        caller_of(Known(NoKeys(), "https://issuer.test", services_of("intake"), sign_ins))
    )

    @router.get("/secrets/{name}")
    async def secrets(name: str, found: Caller = who) -> Mapping[str, str]:
        require(found, "auditor")
        return {}

    app.include_router(router)
    install(app, Readiness(), Metrics(), ledger)
    return TestClient(app)


def test_a_refusal_by_role_is_an_event_that_names_the_route_and_not_the_path() -> None:
    ledger = Written()
    answer = application(ledger, ANA).get("/secrets/maria-lopez")
    assert answer.status_code == 403
    ((access, decision, outcome),) = ledger.written
    assert (access.operation, outcome) == ("GET /secrets/{name}", "denied")
    assert (decision.rule_id, access.caller.sub) == ("refused:role", "ana")
    # Where the call came from, under a name of the day.
    assert access.caller.address not in (None, "testclient")


def test_a_refusal_that_cannot_be_written_is_a_503() -> None:
    ledger = Written()
    ledger.down = True
    answer = application(ledger, ANA).get("/secrets/maria-lopez")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_a_call_without_a_token_is_refused_before_anything_is_written() -> None:
    ledger = Written()
    assert application(ledger, None).get("/secrets/maria-lopez").status_code == 401
    assert ledger.written == []
