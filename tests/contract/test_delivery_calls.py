"""What intake may rely on when it passes a one-time code on: retention's calls, and the fake of
them."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

import httpx
import pytest
from fastapi import FastAPI

from direct311.intake.deliveries.adapters import RetentionDeliveries
from direct311.intake.deliveries.ports import DeliveryDesk
from direct311.retention.deliveries.api import gateway_router
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import caller_of, install
from direct311.runtime.http.health import Readiness
from direct311.runtime.peers import HttpClient, Peer
from direct311.runtime.telemetry import Metrics
from tests.contract.test_released_packages import OwnTokens
from tests.support.deliveries import InMemoryDeliveryDesk
from tests.unit.retention.deliveries.fakes import DeliveringDesk

pytestmark = pytest.mark.anyio


@dataclass
class Desk:
    """`code` opens a file once. `away`: the desk does not answer any more."""

    calls: DeliveryDesk
    code: str
    away: Callable[[], None]


async def over_http() -> Desk:
    desk, tokens = DeliveringDesk(), OwnTokens()
    case_id = await desk.under_warrant()
    code = await desk.told(case_id, await desk.released(case_id))
    app = FastAPI()
    install(app, Readiness(), Metrics(), desk.ledger)
    caller = caller_of(desk.authenticator)
    app.include_router(gateway_router(desk.downloads, desk.receipts, caller))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    peer = Peer("http://retention.test", HttpClient(transport=transport), tokens)

    def away() -> None:
        tokens.service = "svc-media"

    return Desk(RetentionDeliveries(peer), code, away)


async def in_memory() -> Desk:
    fake = InMemoryDeliveryDesk({"code": b"encrypted"})

    def away() -> None:
        fake.away = True

    return Desk(fake, "code", away)


@pytest.fixture(params=[in_memory, over_http])
async def desk(request: pytest.FixtureRequest) -> Desk:
    found: Desk = await request.param()
    return found


async def code_of(call: object) -> str:
    with pytest.raises(RefusedError) as refused:
        await call  # type: ignore[misc]
    return refused.value.code


async def test_a_code_opens_a_file_once_and_then_takes_one_receipt(desk: Desk) -> None:
    assert await code_of(desk.calls.receipt(desk.code, "R-1")) == "unknown_code"
    found = await desk.calls.download(desk.code)
    content = b"".join([piece async for piece in found.content])
    assert (sha256(content).hexdigest(), len(content)) == (found.sha256, found.size)
    assert await code_of(desk.calls.download(desk.code)) == "unknown_code"
    for _ in range(2):
        await desk.calls.receipt(desk.code, "R-1")
    assert await code_of(desk.calls.receipt(desk.code, "R-2")) == "receipted"


async def test_a_wrong_code_and_a_desk_that_is_away_are_told_apart(desk: Desk) -> None:
    assert await code_of(desk.calls.download("WRONG")) == "unknown_code"
    assert await code_of(desk.calls.receipt("WRONG", "R-1")) == "unknown_code"
    desk.away()
    assert await code_of(desk.calls.download(desk.code)) == "case_desk_unavailable"
    assert await code_of(desk.calls.receipt(desk.code, "R-1")) == "case_desk_unavailable"
