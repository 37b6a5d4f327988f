"""What intake may rely on when a requester asks what a request costs and what was denied of it:
retention's calls, and the fake of them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol
from zoneinfo import ZoneInfo

import httpx
import pytest
from fastapi import FastAPI

from direct311.intake.records_requests.adapters.estimates import RetentionEstimates
from direct311.intake.records_requests.domain import (
    CaseStatements,
    DenialStatement,
    DeniedPart,
    RecordsRequest,
)
from direct311.intake.records_requests.ports import EstimateDesk, StatementDesk
from direct311.retention.case_file.charges import PageCount, Quantities
from direct311.retention.case_file.denials import DeniedItem
from direct311.retention.charges.adapters import load_fees
from direct311.retention.charges.api import requester_router as estimates
from direct311.retention.charges.handlers import Charging
from direct311.retention.denials.api import requester_router as statements
from direct311.retention.denials.handlers import Denying
from direct311.runtime.access.exemptions import load_exemptions
from direct311.runtime.access.fresh_sign_in import Approvals
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import caller_of, install
from direct311.runtime.http.health import Readiness
from direct311.runtime.peers import HttpClient, Peer
from direct311.runtime.telemetry import Metrics
from tests.contract.test_case_desk_calls import OwnTokens, code_of
from tests.support.disclosures import CLIENT, ISSUER, Office
from tests.support.records_requests import RECEIVED, InMemoryCaseDesk
from tests.unit.retention.cases.fakes import CaseDeskUnderTest, InMemoryCases

pytestmark = pytest.mark.anyio

CARLA = Caller("carla", ("custodian",))
OLGA = Caller("olga", ("records_officer",))
GATEWAY = Caller("svc:intake", ("service",))
WORDS = "We do not have it."


class Calls(EstimateDesk, StatementDesk, Protocol):
    """What intake calls."""


@dataclass
class Desk:
    """`estimated`: the desk estimates ten pages; `denied`: it denies what it does not have."""

    calls: Calls
    token: str
    estimated: Callable[[], Awaitable[None]]
    denied: Callable[[], Awaitable[None]]
    away: Callable[[bool], None]


class Retention(CaseDeskUnderTest):
    """The case desk behind HTTP, with one public case."""

    def __init__(self) -> None:
        self.office = Office()
        super().__init__(signer=self.office.signer)
        cases = InMemoryCases(self.files)
        self.charging = Charging(self.work, load_fees(), cases)
        self.denying = Denying(
            self.work,
            load_exemptions(local=True),
            cases,
            Approvals(ISSUER, CLIENT),
            self.office.provider,
            ZoneInfo("America/New_York"),
        )
        self.tokens, self.app = OwnTokens(), FastAPI()
        install(self.app, Readiness(), Metrics(), self.ledger)
        who = caller_of(self.authenticator)
        self.app.include_router(estimates(self.charging, who))
        self.app.include_router(statements(self.denying, who))
        self.case_id = ""

    async def estimated(self) -> None:
        version = self.files.state(self.case_id).version
        pages = (PageCount(kind="one_sided", number=10),)
        asked = Quantities(medium="paper", pages=pages)
        await self.charging.estimate(CARLA, self.case_id, version, asked, None)

    async def denied(self) -> None:
        await self.preservation.identify(CARLA, self.case_id, [], complete=True)
        version = self.files.state(self.case_id).version
        shown = await self.denying.prepare(
            CARLA, self.case_id, version, "part", [DeniedItem(reason="not_held")], WORDS
        )
        token = self.office.provider.id_token("olga", shown.nonce, self.clock.now())
        await self.denying.approve(OLGA, self.case_id, shown.denial.denial_id, 1, token)

    def be_away(self, away: bool) -> None:
        self.tokens.service = "svc-media" if away else "svc-intake"


async def over_http() -> Desk:
    retention = Retention()
    sent = await retention.submissions.submit(GATEWAY, "k" * 32, "words", None)
    retention.case_id = sent.case_id
    transport = httpx.ASGITransport(app=retention.app, raise_app_exceptions=False)
    peer = Peer("http://retention.test", HttpClient(transport=transport), retention.tokens)
    return Desk(
        RetentionEstimates(peer),
        sent.token,
        retention.estimated,
        retention.denied,
        retention.be_away,
    )


async def in_memory() -> Desk:
    desk = InMemoryCaseDesk()
    opened = await desk.open_case(RecordsRequest("k", "words", {}))

    async def estimated() -> None:
        before = desk.estimates.get(opened.case_id)
        desk.estimated(opened.case_id, version=before.version + 1 if before else 1)

    async def denied() -> None:
        said = DenialStatement(
            denial_id="d-1",
            outcome="part",
            items=(DeniedPart(reason="not_held"),),
            statement=WORDS,
            approved_at=RECEIVED,
        )
        desk.denied[opened.case_id] = CaseStatements(case_id=opened.case_id, statements=(said,))

    def away(is_away: bool) -> None:
        desk.away = is_away

    return Desk(desk, opened.token, estimated, denied, away)


@pytest.fixture(params=[in_memory, over_http])
async def desk(request: pytest.FixtureRequest) -> Desk:
    found: Desk = await request.param()
    return found


async def test_the_token_shows_what_the_request_costs(desk: Desk) -> None:
    assert await code_of(desk.calls.estimate(desk.token)) == "no_estimate"
    await desk.estimated()
    found = await desk.calls.estimate(desk.token)
    assert (found.version, found.state, found.medium) == (1, "awaiting_payment", "paper")
    assert (found.total_cents, found.owed_cents, found.accepted_at) == (150, 150, None)
    (line,) = found.lines
    assert (line.code, line.citation, line.units, line.cents) == (
        "one_sided",
        "119.07(4)(a)1",
        10,
        150,
    )


async def test_only_the_newest_estimate_is_accepted(desk: Desk) -> None:
    await desk.estimated()
    first = await desk.calls.accept(desk.token, 1)
    assert first.accepted_at is not None
    assert (await desk.calls.accept(desk.token, 1)).accepted_at == first.accepted_at
    await desk.estimated()
    assert await code_of(desk.calls.accept(desk.token, 1)) == "changed"
    assert (await desk.calls.estimate(desk.token)).accepted_at is None


async def test_the_token_shows_what_was_denied(desk: Desk) -> None:
    assert await code_of(desk.calls.statements(desk.token)) == "no_statement"
    await desk.denied()
    (said,) = (await desk.calls.statements(desk.token)).statements
    assert (said.outcome, said.statement) == ("part", WORDS)
    assert [each.reason for each in said.items] == ["not_held"]


async def test_a_wrong_token_opens_nothing(desk: Desk) -> None:
    await desk.estimated()
    for ask in (desk.calls.estimate, desk.calls.statements):
        assert await code_of(ask("wrong")) == "unknown_case"
    assert await code_of(desk.calls.accept("wrong", 1)) == "unknown_case"


async def test_while_it_does_not_answer_nothing_is_told(desk: Desk) -> None:
    await desk.estimated()
    desk.away(True)
    for ask in (desk.calls.estimate, desk.calls.statements):
        with pytest.raises(RefusedError) as refused:
            await ask(desk.token)
        assert refused.value.code == "case_desk_unavailable"
    desk.away(False)
    assert (await desk.calls.estimate(desk.token)).owed_cents == 150
