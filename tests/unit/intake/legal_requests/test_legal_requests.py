"""An officer sends a legal process at the gateway: sealed elsewhere, limited, and answered with a
number that shows nothing."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from starlette.testclient import TestClient

from direct311.intake.clients.handlers.reads import ReadLimits, SharedNames
from direct311.intake.language import LANGUAGES
from direct311.intake.legal_requests.adapters.form import load_form
from direct311.intake.legal_requests.api import (
    LARGEST_DOCUMENT,
    LARGEST_FORM,
    MOST_OF_AN_ADDRESS,
    legal_requests_router,
)
from direct311.intake.legal_requests.domain import (
    LegalForm,
    LegalReceipt,
    LegalRequest,
    form_problems,
)
from direct311.intake.legal_requests.handlers import SendLegalRequest
from direct311.intake.records_requests.handlers import AddressLimit
from direct311.runtime.access.sign_ins import Sources
from direct311.schemas import replaced
from tests.support.intake import IntakeUnderTest
from tests.support.legal_requests import InMemoryLegalDesk
from tests.support.quotas import InMemoryCounts

pytestmark = pytest.mark.policy("P18")

KEY = "5f0de0c6-b1a2-4d11-9a4b-01a22f710c3e"
PATH = "/v1/legal-requests"
FORM: dict[str, Any] = {
    "agency": "Canary Police Department",
    "instrument": "warrant",
    "request": "Who reported the fire on Canary Street.",
    "officer": {"name": "Canary Officer", "badge": "4711", "email": "canary@agency.example"},
    "document": base64.b64encode(b"%PDF canary warrant").decode(),
}


async def _salt(_: str, offered: bytes) -> bytes:
    return offered


class Gateway(IntakeUnderTest):
    """The gateway with the form. Ten an hour come from one address."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = InMemoryLegalDesk()
        self.counts = InMemoryCounts()
        self.form = load_form().content
        names = SharedNames(Sources(self.clock), self.clock, b"s" * 32, _salt)
        limits = ReadLimits(self.counts, self.clock, worth=1, seconds=3600)
        self.limit = AddressLimit(limits, names, 10)

    def client(self) -> TestClient:
        send = SendLegalRequest(self.desk, self.form, self.limit)
        client = self.serve(legal_requests_router(send, self.form))
        client._transport.client = ("192.0.2.1", 50000)
        return client


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def http(gateway: Gateway) -> Iterator[TestClient]:
    with gateway.client() as client:
        yield client


def test_the_answer_is_a_receipt_number_and_nothing_of_it_is_kept(
    gateway: Gateway, http: TestClient
) -> None:
    answer = http.post(PATH, json=FORM)
    assert answer.status_code == 201, answer.text
    (sent,) = gateway.desk.requests.values()
    assert (sent.instrument, sent.text, sent.document) == (
        "warrant",
        FORM["request"],
        FORM["document"],
    )
    assert sent.officer == FORM["officer"] | {"agency": FORM["agency"]}
    said = answer.json()
    assert set(said) == {"receipt", "received_at", "notice", "language"}
    assert said["receipt"] in said["notice"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert not gateway.records.documents
    assert "anary" not in answer.text + repr(sent)


def test_the_form_and_its_answer_are_in_the_readers_language(
    gateway: Gateway, http: TestClient
) -> None:
    for language in LANGUAGES:
        headers = {"Accept-Language": language}
        form = http.get(f"{PATH}/form", headers=headers).json()
        assert form["language"] == language
        assert {*form["instruments"]} == {*gateway.form.instruments}
        assert "911" in form["emergency"]
        answer = http.post(PATH, json=FORM, headers=headers)
        assert answer.headers["Content-Language"] == language
        assert answer.json()["notice"] == gateway.form.received(language, answer.json()["receipt"])


def test_a_repeat_and_a_lost_answer_open_one_case(gateway: Gateway, http: TestClient) -> None:
    headers = {"Idempotency-Key": KEY}
    first = http.post(PATH, json=FORM, headers=headers)
    again = http.post(PATH, json=FORM, headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["receipt"] == again.json()["receipt"]
    other = http.post(PATH, json=FORM | {"request": "Other."}, headers=headers)
    assert (other.status_code, other.json()["field"]) == (409, "Idempotency-Key")
    gateway.desk.lost = 1
    assert http.post(PATH, json=FORM).status_code == 200
    assert len(gateway.desk.requests) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"agency": ""},
        {"instrument": "exigent_request"},
        {"instrument": "Canary"},
        {"request": "x" * 20_001},
        {"document": ""},
        {"document": "canary!!"},
        {"document": "AAAAA"},
        {"officer": {"badge": "Canary"}},
        {"phone_to_call": "Canary"},
        {"document": None},
    ],
)
def test_what_is_malformed_is_refused_without_repeating_it(
    gateway: Gateway, http: TestClient, change: dict[str, Any]
) -> None:
    answer = http.post(PATH, json=FORM | change)
    assert answer.status_code == 422
    assert "anary" not in answer.text
    assert not gateway.desk.requests


def test_a_file_has_a_limit(gateway: Gateway, http: TestClient) -> None:
    largest = base64.b64encode(bytes(LARGEST_DOCUMENT)).decode()
    assert http.post(PATH, json=FORM | {"document": largest}).status_code == 201
    longer = base64.b64encode(bytes(LARGEST_DOCUMENT + 4)).decode()
    assert http.post(PATH, json=FORM | {"document": longer}).status_code == 422
    assert http.post(PATH, json=FORM | {"document": "A" * LARGEST_FORM}).status_code == 413
    assert len(gateway.desk.requests) == 1


def test_an_address_sends_so_many_and_requests_for_records_count_too(
    gateway: Gateway, http: TestClient
) -> None:
    gateway.clock.at = gateway.clock.at.replace(minute=10, second=0)
    gateway.limit.take("192.0.2.1")
    codes = [http.post(PATH, json=FORM).status_code for _ in range(11)]
    assert codes == [201] * 9 + [429] * 2
    # What is counted in the database does not say which of the two it was.
    anyio.run(gateway.limit.settle)
    assert "legal" not in repr(vars(gateway.counts))


def test_while_the_case_desk_is_away_the_address_loses_no_room(
    gateway: Gateway, http: TestClient
) -> None:
    gateway.desk.away = True
    for _ in range(11):
        answer = http.post(PATH, json=FORM)
        assert answer.status_code == 503
        assert answer.json()["type"].endswith(":case_desk_unavailable")
    gateway.desk.away = False
    assert http.post(PATH, json=FORM).status_code == 201


@pytest.mark.anyio
async def test_few_forms_are_received_at_the_same_time(gateway: Gateway) -> None:
    arrived, go = anyio.Event(), anyio.Event()
    codes: list[int] = []
    submit = gateway.desk.submit

    async def slow(request: LegalRequest) -> LegalReceipt:
        found = await submit(request)
        if len(gateway.desk.requests) == MOST_OF_AN_ADDRESS:
            arrived.set()
        await go.wait()
        return found

    gateway.desk.submit = slow  # type: ignore[method-assign]
    transport = httpx.ASGITransport(gateway.client().app, client=("192.0.2.1", 50000))
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://gateway") as http,
        anyio.create_task_group() as tasks,
    ):

        async def send() -> None:
            codes.append((await http.post(PATH, json=FORM)).status_code)

        for _ in range(MOST_OF_AN_ADDRESS):
            tasks.start_soon(send)
        await arrived.wait()
        refused = await http.post(PATH, json=FORM)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "5")
        assert (await http.get(f"{PATH}/form")).status_code == 200
        go.set()
    assert codes == [201] * MOST_OF_AN_ADDRESS


def test_a_file_of_words_is_checked() -> None:
    form = load_form().content
    english = form.texts["en"]
    for changes, field in (
        ({"received": "no place"}, "received"),
        ({"about": " "}, "about"),
        ({"instruments": {"warrant": "x"}}, "instruments"),
    ):
        texts = {**form.texts, "es": replaced(english, **changes)}
        assert ("es", field) in [
            each[:2] for each in form_problems(LegalForm(**{**dict(form), "texts": texts}))
        ]
    assert not list(form_problems(form))


def test_the_county_may_have_its_own_words(tmp_path: Path) -> None:
    file = tmp_path / "legal_requests.yaml"
    file.write_text("form: x\n")
    with pytest.raises(Exception, match="texts"):
        load_form(file)
