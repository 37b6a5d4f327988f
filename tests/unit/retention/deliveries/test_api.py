"""The desk's calls about deliveries: who may, and what is said only once."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from direct311.retention.deliveries.api import gateway_router, router
from direct311.runtime.http.api import caller_of, install
from direct311.runtime.http.health import Readiness
from direct311.runtime.telemetry import Metrics
from tests.unit.retention.deliveries.fakes import DeliveringDesk

pytestmark = pytest.mark.anyio

PACKAGERS = ("liaison", "counsel", "records_officer", "emergency")


class Served(DeliveringDesk):
    """The desk over HTTP."""

    def __init__(self) -> None:
        super().__init__()
        app = FastAPI()
        install(app, Readiness(), Metrics(), self.ledger)
        caller = caller_of(self.authenticator)
        app.include_router(router(self.encrypting, self.codes, ("liaison",), PACKAGERS, caller))
        app.include_router(gateway_router(self.downloads, self.receipts, caller))
        self.app = app

    async def ask(self, method: str, path: str, token: str, body: Any = None) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://desk.test") as client:
            headers = {"Authorization": f"Bearer {token}"}
            return await client.request(method, path, json=body, headers=headers)


@pytest.fixture
def served() -> Served:
    return Served()


async def test_the_passphrase_and_the_code_are_said_once(served: Served) -> None:
    case_id = await served.under_warrant()
    sha256 = await served.released(case_id)
    path = f"/v1/cases/{case_id}/packages/{sha256}/delivery"
    made = await served.ask("PUT", path, "liaison:lars", {"passphrase": True})
    assert made.status_code == 200, made.text
    assert made.headers["Cache-Control"] == "no-store"
    passphrase = made.json()["passphrase"]
    seen = await served.ask("GET", path, "counsel:cole")
    assert passphrase not in seen.text
    assert "passphrase" not in seen.json()
    told = await served.ask("POST", f"{path}/code", "liaison:lars", {})
    assert told.headers["Cache-Control"] == "no-store"
    assert told.json()["number"] == "+1 305 555 0142"
    got = await served.ask(
        "POST", "/internal/deliveries/download", "service:svc-intake", {"code": told.json()["code"]}
    )
    assert got.headers["X-Delivery-SHA256"] == seen.json()["sha256"]
    assert (await served.ask("GET", path, "counsel:cole")).json()["downloaded"] is True


@pytest.mark.parametrize(
    "body",
    [{}, {"key": "age1x", "passphrase": True}, {"passphrase": False}, {"passphrase": 1}, {"x": 1}],
)
async def test_an_order_says_a_key_or_a_passphrase(served: Served, body: dict[str, Any]) -> None:
    case_id = await served.under_warrant()
    sha256 = await served.package_of(case_id)
    path = f"/v1/cases/{case_id}/packages/{sha256}/delivery"
    answer = await served.ask("PUT", path, "liaison:lars", body)
    assert answer.status_code == 422


async def test_nobody_but_the_desk_encrypts_and_nobody_but_the_gateway_downloads(
    served: Served,
) -> None:
    case_id = await served.under_warrant()
    sha256 = await served.released(case_id)
    path = f"/v1/cases/{case_id}/packages/{sha256}/delivery"
    for token in ("counsel:cole", "records_officer:olga", "custodian:carla", "auditor:ines"):
        for method, where, body in (
            ("PUT", path, {"passphrase": True}),
            ("POST", f"{path}/code", {}),
            ("POST", "/internal/deliveries/download", {"code": "x"}),
            ("POST", "/internal/deliveries/receipt", {"code": "x", "receipt": "R"}),
        ):
            answer = await served.ask(method, where, token, body)
            assert answer.status_code == 403, (token, where)
    assert (await served.ask("GET", path, "custodian:carla")).status_code == 403
    media = await served.ask(
        "POST", "/internal/deliveries/download", "service:svc-media", {"code": "x"}
    )
    assert media.status_code == 403
