"""What intake may rely on when it hands over a legal process: retention's call, and the fake of
it."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace

import httpx
import pytest
from fastapi import FastAPI

from direct311.intake.legal_requests.adapters.retention import RetentionLegalDesk
from direct311.intake.legal_requests.domain import LegalRequest
from direct311.intake.legal_requests.ports import LegalDesk
from direct311.intake.records_requests.ports import DeskAwayError
from direct311.retention.legal_process.api import gateway_router
from direct311.retention.legal_process.handlers.submissions import LegalSubmissions
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import caller_of, install
from direct311.runtime.http.health import Readiness
from direct311.runtime.peers import HttpClient, Peer
from direct311.runtime.telemetry import Metrics
from tests.contract.test_case_desk_calls import OwnTokens
from tests.support.legal_requests import InMemoryLegalDesk
from tests.unit.retention.cases.fakes import CaseDeskUnderTest, InMemoryCases
from tests.unit.retention.legal_process.fakes import HASH, LARS, WARRANT, LegalOffice

pytestmark = pytest.mark.anyio

SENT = LegalRequest(
    key="0f4e" * 16,
    instrument="warrant",
    text="Who reported the fire on Canary Street. 🐶",
    officer={"name": "Canary Officer", "badge": "4711", "agency": "Canary Police"},
    document=base64.b64encode(WARRANT).decode(),
)


@dataclass
class Desk:
    calls: LegalDesk
    cases: Callable[[], int]
    away: Callable[[bool], None]


class Retention(CaseDeskUnderTest):
    """The desk for law enforcement behind HTTP."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = OwnTokens()
        self.app = FastAPI()
        install(self.app, Readiness(), Metrics(), self.ledger)
        submissions = LegalSubmissions(LegalOffice(self).desk, self.desk, InMemoryCases(self.files))
        self.app.include_router(gateway_router(submissions, caller_of(self.authenticator)))

    def client(self) -> RetentionLegalDesk:
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        http = HttpClient(transport=transport)
        return RetentionLegalDesk(Peer("http://retention.test", http, self.tokens))

    def be_away(self, away: bool) -> None:
        self.tokens.service = "svc-media" if away else "svc-intake"


async def over_http() -> Desk:
    retention = Retention()
    return Desk(retention.client(), lambda: len(list(retention.files.states())), retention.be_away)


async def in_memory() -> Desk:
    desk = InMemoryLegalDesk()

    def away(is_away: bool) -> None:
        desk.away = is_away

    return Desk(desk, lambda: len(desk.requests), away)


@pytest.fixture(params=[in_memory, over_http])
async def desk(request: pytest.FixtureRequest) -> Desk:
    found: Desk = await request.param()
    return found


async def test_a_repeat_opens_no_second_case(desk: Desk) -> None:
    first, second = [await desk.calls.submit(SENT) for _ in range(2)]
    assert (first.number, first.received_at) == (second.number, second.received_at)
    assert (first.repeated, second.repeated, desk.cases()) == (False, True, 1)


async def test_the_key_of_another_request_is_refused(desk: Desk) -> None:
    await desk.calls.submit(SENT)
    for other in (replace(SENT, text="Other."), replace(SENT, document="AAAA")):
        with pytest.raises(RefusedError) as refused:
            await desk.calls.submit(other)
        assert refused.value.code == "idempotency_key"
    assert desk.cases() == 1


async def test_while_the_desk_is_away_no_case_is_opened(desk: Desk) -> None:
    desk.away(True)
    with pytest.raises(DeskAwayError) as away:
        await desk.calls.submit(SENT)
    assert (away.value.code, away.value.unsure, desk.cases()) == (
        "case_desk_unavailable",
        False,
        0,
    )
    desk.away(False)
    assert not (await desk.calls.submit(SENT)).repeated


async def test_the_liaison_reads_what_the_officer_sent() -> None:
    retention = Retention()
    sent = await retention.client().submit(SENT)
    read = await retention.desk.read_case(LARS, sent.number)
    assert read.request == SENT.text
    assert read.contact is not None
    assert read.contact.model_dump(exclude_none=True) == SENT.officer
    assert await retention.desk.read_document(LARS, sent.number, HASH) == WARRANT


@pytest.mark.parametrize("caller", ["service:svc-media", "liaison:lars", "agent:ana"])
async def test_nobody_but_intake_may_pass_them_on(caller: str) -> None:
    retention = Retention()
    transport = httpx.ASGITransport(app=retention.app, raise_app_exceptions=False)
    body = {
        "key": SENT.key,
        "instrument": SENT.instrument,
        "request": SENT.text,
        "officer": SENT.officer,
        "document": SENT.document,
    }
    async with httpx.AsyncClient(transport=transport, base_url="http://retention.test") as http:
        headers = {"Authorization": f"Bearer {caller}"}
        answer = await http.post("/internal/legal-requests", json=body, headers=headers)
        assert answer.status_code == 403
        assert "Canary" not in answer.text
    assert not list(retention.files.states())


async def test_an_answer_that_cannot_be_read_is_no_answer() -> None:
    retention = Retention()
    retention.app = FastAPI()

    @retention.app.post("/internal/legal-requests")
    async def other() -> dict[str, str]:
        return {"case_id": "Canary"}

    with pytest.raises(RefusedError) as refused:
        await retention.client().submit(SENT)
    assert refused.value.code == "case_desk_unavailable"
    assert "Canary" not in f"{refused.value.detail}{refused.value.__context__!r}"
