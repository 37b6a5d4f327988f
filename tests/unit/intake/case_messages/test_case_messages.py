"""A requester writes to the county and reads, by the token alone."""

from collections.abc import Iterator

import httpx
import pytest
from starlette.testclient import TestClient

from direct311.intake.case_messages.adapters import RetentionMessages
from direct311.intake.case_messages.api import LARGEST_MESSAGE, case_messages_router
from direct311.intake.case_messages.domain import CaseMessage, OwnMessage
from direct311.intake.case_messages.handlers import ReadMessages, WriteToTheCounty
from direct311.intake.clients.api.failed_keys import FailedKeys
from direct311.intake.clients.handlers.reads import ReadLimits, SharedNames
from direct311.intake.records_requests.adapters.notices import load_notices
from direct311.intake.records_requests.handlers import AddressLimit
from direct311.intake.records_requests.ports import DeskAwayError
from direct311.runtime.access.sign_ins import Sources
from direct311.runtime.errors import RefusedError
from direct311.runtime.peers import HttpClient, Peer
from tests.support.case_messages import AT, TOKEN, InMemoryMessageDesk
from tests.support.intake import IntakeUnderTest
from tests.support.quotas import InMemoryCounts

PATH = "/v1/records-requests/messages"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
KEY = "5f0de0c6-b1a2-4d11-9a4b-01a22f710c3e"
WORDS = "I mean the bridge over Canary Canal."


async def _salt(_: str, offered: bytes) -> bytes:
    return offered


class Gateway(IntakeUnderTest):
    """The gateway with its calls for messages. Ten messages an hour and three wrong tokens a minute
    come from one address."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = InMemoryMessageDesk()
        self.notices = load_notices().content
        counts = InMemoryCounts()
        names = SharedNames(Sources(self.clock), self.clock, b"s" * 32, _salt)
        hourly = ReadLimits(counts, self.clock, worth=1, seconds=3600)
        self.limit = AddressLimit(hourly, names, 10, of="messages")
        self.router = case_messages_router(
            WriteToTheCounty(self.desk, self.limit),
            ReadMessages(self.desk),
            self.notices,
            FailedKeys(ReadLimits(counts, self.clock, worth=1), names, 3),
        )


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def http(gateway: Gateway) -> Iterator[TestClient]:
    with gateway.serve(gateway.router) as client:
        yield client


def test_a_requester_answers_a_question_and_nothing_is_kept_here(
    gateway: Gateway, http: TestClient
) -> None:
    gateway.desk.asks("Which bridge?")
    answer = http.post(PATH, json={"text": WORDS}, headers={**HEADERS, "Accept-Language": "es"})
    assert answer.status_code == 201, answer.text
    assert answer.json()["text"] == gateway.notices.message_received("es")
    assert "anary" not in answer.text
    assert not gateway.records.documents
    read = http.get(PATH, headers={**HEADERS, "Accept-Language": "ht"})
    assert read.headers["Cache-Control"] == "no-store"
    assert read.headers["Content-Language"] == "ht"
    assert [
        (each["sender"], each["sender_text"], each["asks"], each["text"])
        for each in read.json()["messages"]
    ] == [("county", "Konte a", True, "Which bridge?"), ("requester", "Ou menm", False, WORDS)]


def test_a_repeat_is_written_once(gateway: Gateway, http: TestClient) -> None:
    headers = {**HEADERS, "Idempotency-Key": KEY}
    answers = [http.post(PATH, json={"text": WORDS}, headers=headers) for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 200]
    assert len({each.json()["message_id"] for each in answers}) == 1
    other = http.post(PATH, json={"text": "Other."}, headers=headers)
    assert (other.status_code, other.json()["field"]) == (409, "Idempotency-Key")
    guessed = http.post(PATH, json={"text": WORDS}, headers={**HEADERS, "Idempotency-Key": "1"})
    assert guessed.status_code == 422
    assert len(gateway.desk.written) == 1


def test_a_lost_answer_is_asked_for_again_under_the_same_key(
    gateway: Gateway, http: TestClient
) -> None:
    gateway.desk.lost = 1
    answer = http.post(PATH, json={"text": WORDS}, headers=HEADERS)
    # The second call of the gateway found the message that the first one had written.
    assert answer.status_code == 200
    assert len(gateway.desk.written) == 1


def test_only_a_call_that_surely_was_not_received_gives_the_room_back(
    gateway: Gateway, http: TestClient
) -> None:
    gateway.desk.away = True
    for _ in range(11):
        assert http.post(PATH, json={"text": WORDS}, headers=HEADERS).status_code == 503
    gateway.desk.away = False
    gateway.desk.lost = 20
    codes = [http.post(PATH, json={"text": WORDS}, headers=HEADERS).status_code for _ in range(11)]
    assert codes == [503] * 10 + [429]


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": "x" * 5_001}, {"text": "x", "a": 1}])
def test_what_is_malformed_is_refused(gateway: Gateway, http: TestClient, body: object) -> None:
    assert http.post(PATH, json=body, headers=HEADERS).status_code == 422
    assert not gateway.desk.written


def test_a_body_has_a_limit(http: TestClient) -> None:
    answer = http.post(PATH, json={"text": "x" * LARGEST_MESSAGE}, headers=HEADERS)
    assert answer.status_code == 413


def test_without_a_token_and_with_wrong_ones_nothing_is_written_or_shown(
    gateway: Gateway, http: TestClient
) -> None:
    for headers in ({}, {"Authorization": f"Basic {TOKEN}"}, {"Authorization": "Bearer  "}):
        assert http.get(PATH, headers=headers).status_code == 401
        assert http.post(PATH, json={"text": WORDS}, headers=headers).status_code == 401
    wrong = [{"Authorization": f"Bearer {each}"} for each in ("wrong", "x" * 5_000)]
    answers = [http.get(PATH, headers=each) for each in wrong]
    answers.append(http.post(PATH, json={"text": WORDS}, headers=wrong[0]))
    assert {each.status_code for each in answers} == {404}
    assert http.get(PATH, headers=wrong[0]).status_code == 429
    assert http.get(PATH, headers=HEADERS).status_code == 200
    assert not gateway.desk.written


def test_neither_text_nor_key_is_in_a_representation() -> None:
    shown = repr(OwnMessage(KEY, WORDS)) + repr(CaseMessage("m", "county", AT, False, WORDS))
    assert "Canary" not in shown
    assert KEY not in shown


# ---------------------------------------------------------------- retention over HTTP


class _Tokens:
    async def get(self) -> str:
        return "service-token"

    async def exchanged(self, authorization: str) -> str:
        raise AssertionError(authorization)


def _desk(answer: httpx.Response | httpx.HTTPError) -> RetentionMessages:
    def handle(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, httpx.Response):
            return answer
        raise answer

    http = HttpClient(transport=httpx.MockTransport(handle))
    return RetentionMessages(Peer("http://retention.invalid", http, _Tokens()))


def _problem(status: int, code: str, **headers: str) -> httpx.Response:
    return httpx.Response(
        status, json={"type": f"urn:direct311:problem:{code}", "status": status}, headers=headers
    )


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "code", "unsure"),
    [
        (httpx.ConnectError("Canary"), "case_desk_unavailable", False),
        (httpx.ConnectTimeout("Canary"), "case_desk_unavailable", False),
        (httpx.ReadTimeout("Canary"), "case_desk_unavailable", True),
        (httpx.RemoteProtocolError("Canary"), "case_desk_unavailable", True),
        (httpx.Response(201, json={"text": "Canary"}), "case_desk_unavailable", True),
        (httpx.Response(502, text="Canary"), "case_desk_unavailable", True),
        (_problem(503, "audit_unavailable"), "case_desk_unavailable", True),
        (_problem(403, "caller"), "case_desk_unavailable", False),
        (_problem(404, "unknown_case"), "unknown_case", None),
        (_problem(409, "full"), "full", None),
        (_problem(409, "idempotency_key"), "idempotency_key", None),
        (_problem(429, "rate"), "too_often", None),
    ],
)
async def test_what_retention_answers_is_said_in_our_own_words(
    answer: httpx.Response | httpx.HTTPError, code: str, unsure: bool | None
) -> None:
    with pytest.raises(RefusedError) as refused:
        await _desk(answer).write(TOKEN, OwnMessage(KEY, WORDS))
    assert refused.value.code == code
    assert "anary" not in refused.value.detail
    if unsure is not None:
        assert isinstance(refused.value, DeskAwayError)
        assert refused.value.unsure is unsure


@pytest.mark.anyio
async def test_messages_are_read_from_retention() -> None:
    message = {
        "message_id": "m-1",
        "sender": "county",
        "at": "2026-03-03T14:00:00Z",
        "asks": True,
        "text": "Which bridge?",
    }
    found = await _desk(
        httpx.Response(200, json={"case_id": "case-1", "messages": [message]})
    ).read(TOKEN)
    assert found.messages == (CaseMessage("m-1", "county", AT, True, "Which bridge?"),)
