"""The gateway passes a one-time code on, and keeps nothing of what it opens."""

from hashlib import sha256

import pytest
from starlette.testclient import TestClient

from direct311.intake.clients.api.failed_keys import FailedKeys
from direct311.intake.clients.handlers.reads import ReadLimits, SharedNames
from direct311.intake.deliveries.api import deliveries_router
from direct311.intake.deliveries.handlers import Deliveries
from direct311.runtime.access.sign_ins import Sources
from direct311.runtime.http.api import _counted
from tests.support.deliveries import InMemoryDeliveryDesk
from tests.support.intake import IntakeUnderTest
from tests.support.quotas import InMemoryCounts

PATH = "/v1/deliveries"
BYTES = b"age-encryption.org/v1 canary"


async def _salt(_: str, offered: bytes) -> bytes:
    return offered


class Gateway(IntakeUnderTest):
    """The gateway with its two calls, and a desk with one delivery."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = InMemoryDeliveryDesk({"good": BYTES})
        limits = ReadLimits(InMemoryCounts(), self.clock, worth=1)
        names = SharedNames(Sources(self.clock), self.clock, b"s" * 32, _salt)
        failed = FailedKeys(limits, names, 3)
        self.client: TestClient = self.serve(deliveries_router(Deliveries(self.desk), failed))


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


def test_a_code_opens_the_file_once_and_nothing_caches_it(gateway: Gateway) -> None:
    answer = gateway.client.post(f"{PATH}/download", json={"code": "good"})
    assert (answer.status_code, answer.content) == (200, BYTES)
    digest = sha256(BYTES).hexdigest()
    assert answer.headers["X-Delivery-SHA256"] == digest
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{digest}.age"'
    assert answer.headers["Cache-Control"] == "no-store"
    again = gateway.client.post(f"{PATH}/download", json={"code": "good"})
    assert (again.status_code, again.json()["type"]) == (404, "urn:direct311:problem:unknown_code")


def test_a_receipt_needs_the_code_that_opened_it(gateway: Gateway) -> None:
    said = {"code": "good", "receipt": "SPD-1"}
    assert gateway.client.post(f"{PATH}/receipt", json=said).status_code == 404
    gateway.client.post(f"{PATH}/download", json={"code": "good"})
    for _ in range(2):
        answer = gateway.client.post(f"{PATH}/receipt", json=said)
        assert (answer.status_code, answer.json()) == (200, {"received": True})
    other = gateway.client.post(f"{PATH}/receipt", json={**said, "receipt": "SPD-2"})
    assert other.status_code == 409


def test_who_guesses_has_to_wait_and_what_was_guessed_is_repeated_nowhere(
    gateway: Gateway,
) -> None:
    answers = [
        gateway.client.post(f"{PATH}/download", json={"code": f"canary-{number}"})
        for number in range(5)
    ]
    assert {each.status_code for each in answers} == {404, 429}
    assert "Retry-After" in answers[-1].headers
    assert not any("canary" in each.text for each in answers)


def test_a_desk_that_is_away_is_said_to_be(gateway: Gateway) -> None:
    gateway.desk.away = True
    answer = gateway.client.post(f"{PATH}/download", json={"code": "good"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


@pytest.mark.policy("P18")
@pytest.mark.parametrize(
    "route", [f"{PATH}/download", f"{PATH}/receipt", "/internal/deliveries/download"]
)
def test_metrics_count_a_delivery_as_any_call_about_a_case(route: str) -> None:
    assert _counted(route) == "/v1/cases"
