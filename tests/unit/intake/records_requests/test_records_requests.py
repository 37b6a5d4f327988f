"""Somebody asks for public records at the gateway: without a name, sealed elsewhere, limited by
address."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from direct311.intake.clients.api.failed_keys import FailedKeys
from direct311.intake.clients.handlers.reads import ReadLimits, SharedNames
from direct311.intake.language import LANGUAGES
from direct311.intake.records_requests.adapters.notices import load_notices
from direct311.intake.records_requests.api import LARGEST_REQUEST, records_requests_router
from direct311.intake.records_requests.domain import (
    CaseReceipt,
    RecordsRequest,
    RecordsRequestNotices,
    notice_problems,
)
from direct311.intake.records_requests.handlers import AddressLimit, AskForRecords, FollowCase
from direct311.runtime.access.sign_ins import Sources
from direct311.runtime.datafile import DataFileError
from tests.support.intake import IntakeUnderTest
from tests.support.quotas import InMemoryCounts
from tests.support.records_requests import RECEIVED, InMemoryCaseDesk

KEY = "5f0de0c6-b1a2-4d11-9a4b-01a22f710c3e"
WORDS = "Everything about Canary Street."
CONTACT = {"name": "Canary Contact", "email": "canary@contact.example"}
PATH = "/v1/records-requests"
STATUS = f"{PATH}/status"


async def _salt(_: str, offered: bytes) -> bytes:
    return offered


class Gateway(IntakeUnderTest):
    """The gateway with its two calls. Ten requests an hour and three wrong tokens a minute come
    from one address."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = InMemoryCaseDesk()
        self.counts = InMemoryCounts()
        self.notices = load_notices().content
        self.limit = AddressLimit(
            ReadLimits(self.counts, self.clock, worth=1, seconds=3600), self._names(), 10
        )

    def _names(self) -> SharedNames:
        return SharedNames(Sources(self.clock), self.clock, b"s" * 32, _salt)

    def client(self, address: str = "192.0.2.1") -> TestClient:
        failed = FailedKeys(ReadLimits(self.counts, self.clock, worth=1), self._names(), 3)
        router = records_requests_router(
            AskForRecords(self.desk, self.limit), FollowCase(self.desk), self.notices, failed
        )
        client = self.serve(router)
        client._transport.client = (address, 50000)
        return client


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def http(gateway: Gateway) -> Iterator[TestClient]:
    with gateway.client() as client:
        yield client


# ---------------------------------------------------------------- asking


def test_nobody_has_to_say_who_they_are_or_why_they_ask(gateway: Gateway, http: TestClient) -> None:
    answer = http.post(PATH, json={"request": WORDS})
    assert answer.status_code == 201, answer.text
    (sent,) = gateway.desk.requests.values()
    assert (sent.text, sent.contact) == (WORDS, {})
    said = answer.json()
    assert set(said) == {"case_id", "received_at", "token", "acknowledgement", "language"}
    assert said["case_id"] in said["acknowledgement"]
    assert answer.headers["Cache-Control"] == "no-store"
    # It is kept nowhere here, and shown by nothing.
    assert not gateway.records.documents
    assert "Canary" not in answer.text + repr(sent)


def test_what_a_requester_leaves_is_passed_on(gateway: Gateway, http: TestClient) -> None:
    answer = http.post(PATH, json={"request": WORDS, "contact": CONTACT})
    assert answer.status_code == 201
    (sent,) = gateway.desk.requests.values()
    assert sent.contact == CONTACT
    assert "anary" not in answer.text


@pytest.mark.parametrize(("header", "language"), [("es-MX", "es"), ("ht", "ht"), ("de", "en")])
def test_the_acknowledgement_is_in_the_readers_language(
    gateway: Gateway, http: TestClient, header: str, language: str
) -> None:
    answer = http.post(PATH, json={"request": WORDS}, headers={"Accept-Language": header})
    assert answer.json()["language"] == answer.headers["Content-Language"] == language
    words = gateway.notices.acknowledgement(language, answer.json()["case_id"])  # type: ignore[arg-type]
    assert answer.json()["acknowledgement"] == words


def test_a_repeat_is_answered_like_the_first_call(gateway: Gateway, http: TestClient) -> None:
    headers = {"Idempotency-Key": KEY}
    first = http.post(PATH, json={"request": WORDS}, headers=headers)
    again = http.post(PATH, json={"request": WORDS}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["case_id"] == again.json()["case_id"]
    other = http.post(PATH, json={"request": "Other."}, headers=headers)
    assert (other.status_code, other.json()["field"]) == (409, "Idempotency-Key")
    assert len(gateway.desk.requests) == 1


@pytest.mark.parametrize("key", ["1", "my-request", "2026-12-01", "0" * 32, "a" * 200])
def test_a_key_that_can_be_guessed_is_refused(gateway: Gateway, http: TestClient, key: str) -> None:
    answer = http.post(PATH, json={"request": WORDS}, headers={"Idempotency-Key": key})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
    assert not gateway.desk.requests


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"request": ""},
        {"request": "x" * 20_001},
        {"request": WORDS, "reason": "Canary reason"},
        {"request": WORDS, "contact": {"name": "Canary", "passport": "Canary"}},
        {"request": WORDS, "contact": {"email": "x" * 321}},
    ],
)
def test_what_is_malformed_is_refused_without_repeating_it(
    gateway: Gateway, http: TestClient, body: object
) -> None:
    answer = http.post(PATH, json=body)
    assert answer.status_code == 422
    assert "anary" not in answer.text
    assert not gateway.desk.requests


def test_a_body_has_a_limit(gateway: Gateway, http: TestClient) -> None:
    answer = http.post(PATH, json={"request": "x" * LARGEST_REQUEST})
    assert answer.status_code == 413
    assert not gateway.desk.requests


def test_while_the_case_desk_is_away_nothing_is_kept_and_the_answer_says_so(
    gateway: Gateway, http: TestClient
) -> None:
    gateway.desk.away = True
    for _ in range(11):
        answer = http.post(PATH, json={"request": WORDS})
        assert answer.status_code == 503
        assert answer.json()["type"].endswith(":case_desk_unavailable")
        assert answer.headers["Retry-After"] == "5"
    assert not gateway.desk.requests
    # The address has lost no room by it.
    gateway.desk.away = False
    assert http.post(PATH, json={"request": WORDS}).status_code == 201


# ---------------------------------------------------------------- the limit of an address


def test_one_address_sends_so_many_an_hour_and_takes_nothing_of_another(gateway: Gateway) -> None:
    gateway.clock.at = gateway.clock.at.replace(minute=10, second=0)
    with gateway.client() as one, gateway.client("198.51.100.7") as two:
        codes = [one.post(PATH, json={"request": WORDS}).status_code for _ in range(12)]
        assert codes == [201] * 10 + [429] * 2
        refused = one.post(PATH, json={"request": WORDS})
        assert refused.headers["Retry-After"] == str(50 * 60)
        assert two.post(PATH, json={"request": WORDS}).status_code == 201
        gateway.clock.at += timedelta(minutes=50)
        assert one.post(PATH, json={"request": WORDS}).status_code == 201
    assert len(gateway.desk.requests) == 12


@pytest.mark.anyio
async def test_copies_of_the_gateway_count_together(gateway: Gateway) -> None:
    other = Gateway()
    other.clock, other.counts = gateway.clock, gateway.counts
    other.limit = AddressLimit(
        ReadLimits(gateway.counts, gateway.clock, worth=1, seconds=3600), gateway._names(), 10
    )
    names = gateway._names()
    for copy in (gateway, other):
        copy.limit._names = names
    for _ in range(6):
        gateway.limit.take("192.0.2.1")
    for _ in range(4):
        other.limit.take("192.0.2.1")
    for _ in range(2):
        await gateway.limit.settle()
        await other.limit.settle()
    with other.client() as http:
        assert http.post(PATH, json={"request": WORDS}).status_code == 429


# ---------------------------------------------------------------- the state


def test_the_token_opens_the_state(http: TestClient) -> None:
    sent = http.post(PATH, json={"request": WORDS, "contact": CONTACT}).json()
    headers = {"Authorization": f"Bearer {sent['token']}", "Accept-Language": "es"}
    answer = http.get(STATUS, headers=headers)
    assert answer.json() == {
        "case_id": sent["case_id"],
        "state": "acknowledged",
        "state_text": "Su solicitud fue recibida y confirmada.",
        "received_at": "2026-03-02T17:00:00Z",
        "age_days": 0,
        "days_without_act": 0,
        "last_step": "received",
        "last_step_text": "Se recibió la solicitud",
        "last_step_at": "2026-03-02T17:00:00Z",
    }
    assert answer.headers["Cache-Control"] == "no-store"


def test_without_a_token_and_in_a_url_it_opens_nothing(http: TestClient) -> None:
    token = http.post(PATH, json={"request": WORDS}).json()["token"]
    for url, headers in (
        (STATUS, {}),
        (f"{STATUS}?token={token}", {}),
        (STATUS, {"Authorization": f"Basic {token}"}),
        (STATUS, {"Authorization": "Bearer  "}),
    ):
        assert http.get(url, headers=headers).status_code == 401
    assert http.get(f"{STATUS}/{token}").status_code == 404


def test_wrong_tokens_get_one_answer_and_are_limited(gateway: Gateway, http: TestClient) -> None:
    sent = http.post(PATH, json={"request": WORDS}).json()
    wrong = ["wrong", sent["case_id"], "x" * 5000]
    answers = [http.get(STATUS, headers={"Authorization": f"Bearer {each}"}) for each in wrong]
    assert {each.status_code for each in answers} == {404}
    assert len({each.text for each in answers}) == 1
    refused = http.get(STATUS, headers={"Authorization": "Bearer wrong"})
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) <= 60
    # Whoever has a good token is not shut out by others at the same address.
    good = {"Authorization": f"Bearer {sent['token']}"}
    assert http.get(STATUS, headers=good).status_code == 200


def test_a_state_that_has_no_words_yet_is_shown_by_its_name(gateway: Gateway) -> None:
    assert gateway.notices.state("ht", "appealed") == "appealed"
    assert gateway.notices.step("en", "asked_back") == "asked_back"


# ---------------------------------------------------------------- the texts


def test_each_language_says_what_a_requester_must_know(gateway: Gateway) -> None:
    for language in LANGUAGES:
        words = gateway.notices.acknowledgement(language, "case-7")
        assert "case-7" in words
        assert "$" not in words
        assert words.count("\n") == 3
    english = gateway.notices.acknowledgement("en", "case-7")
    for said in (
        "need not say who you are or why you ask",
        "itself a public record",
        "only the token leads you to the answer",
        "The law sets no number of days",
    ):
        assert said in english


@pytest.mark.parametrize(
    ("language", "group", "name", "text"),
    [
        ("es", "states", "scoping", ""),
        ("ht", "steps", "closed", " "),
        ("en", "acknowledgement", "", "$name"),
        ("en", "acknowledgement", "", "No number."),
    ],
)
def test_a_file_of_texts_that_lacks_one_is_refused(
    gateway: Gateway, language: str, group: str, name: str, text: str
) -> None:
    whole = gateway.notices.model_dump(mode="json")
    words = whole["texts"][language]
    if name:
        words[group][name] = text
    else:
        words[group] = text
    found = list(notice_problems(RecordsRequestNotices.model_validate(whole)))
    field = f"{group}.{name}" if name else group
    assert [each[:2] for each in found] == [(language, field)]


def test_a_file_without_a_language_is_refused(gateway: Gateway) -> None:
    whole = gateway.notices.model_dump(mode="json")
    del whole["texts"]["ht"]
    found = list(notice_problems(RecordsRequestNotices.model_validate(whole)))
    assert found == [("ht", "texts", "is missing")]


def test_neither_words_nor_token_are_in_a_representation() -> None:
    assert "Canary" not in repr(RecordsRequest(KEY, WORDS, CONTACT))
    assert KEY not in repr(RecordsRequest(KEY, WORDS, CONTACT))
    assert "secret" not in repr(CaseReceipt("case", RECEIVED, "secret-token", False))


def test_a_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileError):
        load_notices(tmp_path / "none.yaml")


# ---------------------------------------------------------------- lost answers


def test_a_lost_answer_is_asked_for_again_under_the_same_key(
    gateway: Gateway, http: TestClient
) -> None:
    """Whoever sent no key has one case all the same, and its token."""
    gateway.desk.lost = 1
    answer = http.post(PATH, json={"request": WORDS})
    assert answer.status_code == 200
    assert len(gateway.desk.requests) == 1
    token = {"Authorization": f"Bearer {answer.json()['token']}"}
    assert http.get(STATUS, headers=token).status_code == 200


def test_an_address_opens_no_more_cases_by_losing_answers(
    gateway: Gateway, http: TestClient
) -> None:
    gateway.desk.lost = 100
    codes = [http.post(PATH, json={"request": WORDS}).status_code for _ in range(12)]
    assert codes == [503] * 10 + [429] * 2
    assert len(gateway.desk.requests) == 10
