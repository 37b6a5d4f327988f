"""Who has seen a request, asked at the gateway: by the link, in words, and in three languages."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import httpx
import pytest
import yaml

from direct311.intake.language import LANGUAGES
from direct311.intake.reporter.adapters.audit import AuditLog
from direct311.intake.reporter.adapters.code_words import load_code_words
from direct311.intake.reporter.api.accesses import accesses_router
from direct311.intake.reporter.handlers.accesses import WhoSaw
from direct311.intake.reporter.ports import SeenAccess, SeenAccesses
from direct311.runtime.access.rules import load_access_policy
from direct311.runtime.datafile import DataFileError, packaged
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.http.api import caller_of
from direct311.runtime.http.problem_codes import status_of
from direct311.runtime.peers import HttpClient, Peer
from direct311.schemas import events as ev
from tests.support.links import bearer
from tests.support.runtime import NOW
from tests.support.service_under_test import ServiceUnderTest

pytestmark = pytest.mark.anyio

WORDS = load_code_words().content
BY_AN_AGENT = SeenAccess(
    at=NOW,
    purpose="respond",
    sentence="Information is used to respond to the service request.",
    roles=("agent",),
    department=None,
    action="view",
    outcome="success",
    fields=("first_name", "phone"),
    count=1,
)


class InMemoryAccesses:
    """`AccessLog`, with the entries that a test gives it."""

    def __init__(self) -> None:
        self.accesses: Sequence[SeenAccess] = (BY_AN_AGENT,)
        self.asked: list[tuple[str, int, str | None]] = []
        self.refuses: RefusedError | None = None

    async def seen(self, link: str, *, limit: int, cursor: str | None) -> SeenAccesses:
        self.asked.append((link, limit, cursor))
        if self.refuses is not None:
            raise self.refuses
        return SeenAccesses(self.accesses, "7.abc", timedelta(seconds=60))


class Asked:
    """The call, over a log in memory."""

    def __init__(self) -> None:
        service = ServiceUnderTest()
        self.log, self.access_log = InMemoryAccesses(), service.access_log
        self.link_signer = service.link_signer
        residents = caller_of(service.authenticator, residents=True)
        self.http = service.serve(accesses_router(WhoSaw(self.log), WORDS, residents))

    def link(self, record_id: str = "r-1") -> str:
        return self.link_signer.issue(record_id).token

    def ask(self, token: str, language: str = "en", **query: str) -> httpx.Response:
        headers = {**bearer(token), "Accept-Language": language}
        answer: httpx.Response = self.http.get(
            "/v1/requests/r-1/accesses", headers=headers, params=query
        )
        return answer


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.mark.policy("P13")
async def test_a_resident_reads_who_saw_what_when_and_why(asked: Asked) -> None:
    answer = asked.ask(asked.link())
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.json() == {
        "service_request_id": "r-1",
        "accesses": [
            {
                "at": NOW.isoformat().replace("+00:00", "Z"),
                "who": "An agent of the 311 Contact Center",
                "what": "Looked at it.",
                "why": "To respond to the service request.",
                "fields": [
                    {"field": "first_name", "name": "First name"},
                    {"field": "phone", "name": "Telephone number"},
                ],
                "roles": ["agent"],
                "department": None,
                "action": "view",
                "outcome": "success",
                "purpose": "respond",
                "count": 1,
            }
        ],
        "next": "7.abc",
        "delay": {
            "seconds": 60,
            "text": "A new access usually appears here within a few seconds. If one has not "
            "arrived after 60 seconds, the county's operators are alerted; it is listed as soon "
            "as it arrives.",
        },
    }


@pytest.mark.parametrize(
    ("language", "answered", "who"),
    [
        ("es-MX, en;q=0.5", "es", "Un agente del Centro de Contacto 311"),
        ("ht", "ht", "Yon ajan Sant Kontak 311 la"),
        ("fr", "en", "An agent of the 311 Contact Center"),
    ],
)
async def test_the_words_are_in_the_readers_language(
    asked: Asked, language: str, answered: str, who: str
) -> None:
    answer = asked.ask(asked.link(), language)
    assert answer.json()["accesses"][0]["who"] == who
    assert "60" in answer.json()["delay"]["text"]
    assert (answer.headers["content-language"], answer.headers["vary"]) == (
        answered,
        "Accept-Language",
    )


async def test_a_department_a_refusal_and_an_unknown_code_have_words_too(asked: Asked) -> None:
    asked.log.accesses = (
        SeenAccess(NOW, "", "", ("inspector",), "parks", "view", "denied", ("phone",), 79),
        SeenAccess(NOW, "tides", "In the rules' words.", ("diver",), "reefs", "dive", "wet", (), 1),
        SeenAccess(NOW, "tides", "", (), None, "view", "success", ("scales",), 1),
    )
    refused, unknown, nobody = asked.ask(asked.link()).json()["accesses"]
    assert (refused["who"], refused["what"], refused["why"], refused["count"]) == (
        "A code inspector of a county department, Parks, Recreation and Open Spaces",
        "Looked at it: refused.",
        "No valid purpose was given.",
        79,
    )
    assert (unknown["who"], unknown["what"], unknown["why"]) == (
        "diver, reefs",
        "wet",
        "In the rules' words.",
    )
    assert (nobody["who"], nobody["why"]) == (
        "Somebody who is not known",
        "No valid purpose was given.",
    )
    assert nobody["fields"] == [{"field": "scales", "name": "scales"}]


async def test_the_log_gets_the_link_and_the_page_that_is_asked_for(asked: Asked) -> None:
    link = asked.link()
    asked.ask(link)
    asked.ask(link, limit="7", cursor="7.abc")
    assert asked.log.asked == [(link, 50, None), (link, 7, "7.abc")]
    assert asked.ask(link, limit="0").status_code == 422
    assert asked.ask(link, limit="101").status_code == 422
    assert len(asked.log.asked) == 2


async def test_others_are_refused_before_the_log_is_asked(asked: Asked) -> None:
    for token in (asked.link("r-2"), "agent:olga", "auditor:ada"):
        refused = asked.ask(token)
        assert refused.status_code == 403
        assert refused.json()["type"] == "urn:direct311:problem:signed_link"
    assert asked.http.get("/v1/requests/r-1/accesses").status_code == 401
    assert asked.log.asked == []
    assert {event.outcome for event in asked.access_log.events()} == {"denied"}


async def test_without_the_log_the_answer_is_503_and_says_when_to_try_again(asked: Asked) -> None:
    asked.log.refuses = RefusedError("audit_unavailable", "Not now.", retry_after=5)
    answer = asked.ask(asked.link())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:direct311:problem:audit_unavailable"


# ---------------------------------------------------------------- audit's answers


class _Tokens:
    def __init__(self, fails: bool = False) -> None:
        self._fails = fails

    async def get(self) -> str:
        if self._fails:
            raise TransientError("the provider gives no token")
        return "intakes-own"

    async def exchanged(self, authorization: str) -> str:
        raise AssertionError("no token of a person is exchanged for a resident")


def _audit(answer: httpx.Response | None, calls: list[httpx.Request] | None = None) -> AuditLog:
    def reply(request: httpx.Request) -> httpx.Response:
        if calls is not None:
            calls.append(request)
        if answer is None:
            raise httpx.ConnectError("away")
        return answer

    http = HttpClient(transport=httpx.MockTransport(reply))
    return AuditLog(Peer("http://audit/", http, _Tokens()))


def _problem(status: int, code: str, **headers: str) -> httpx.Response:
    body = {"type": f"urn:direct311:problem:{code}", "detail": "…"}
    return httpx.Response(status, json=body, headers=headers)


async def test_audit_is_asked_with_intakes_own_token_and_the_link_in_the_body() -> None:
    access = {
        "at": "2026-03-02T14:00:00Z",
        "purpose": "respond",
        "sentence": "S",
        "roles": ["agent"],
        "department": None,
        "action": "view",
        "outcome": "success",
        "fields": ["phone"],
        "count": 1,
    }
    answer = {"record_id": "r-1", "accesses": [access], "next": None, "late_by_seconds": 90}
    calls: list[httpx.Request] = []
    page = await _audit(httpx.Response(200, json=answer), calls).seen(
        "the-link", limit=50, cursor=None
    )
    (call,) = calls
    assert (call.method, call.url.path) == ("POST", "/internal/subject/accesses")
    assert call.headers["authorization"] == "Bearer intakes-own"
    assert json.loads(call.content) == {"link": "the-link", "limit": 50, "cursor": None}
    assert (page.next, page.late_by) == (None, timedelta(seconds=90))
    assert [(each.roles, each.fields) for each in page.accesses] == [(("agent",), ("phone",))]


@pytest.mark.parametrize(
    ("answer", "code", "status", "wait"),
    [
        (None, "audit_unavailable", 503, 5),
        (httpx.Response(200, text="no JSON"), "audit_unavailable", 503, 5),
        (httpx.Response(200, json=["no", "answer"]), "audit_unavailable", 503, 5),
        (_problem(500, "internal"), "audit_unavailable", 503, 5),
        (
            _problem(503, "index_rebuilding", **{"Retry-After": "30"}),
            "audit_unavailable",
            503,
            30,
        ),
        (_problem(401, "unauthenticated"), "audit_unavailable", 503, 5),
        (_problem(403, "caller"), "audit_unavailable", 503, 5),
        (_problem(429, "refused:rate", **{"Retry-After": "600"}), "too_often", 429, 600),
        (_problem(403, "signed_link"), "signed_link", 403, None),
    ],
)
async def test_what_audit_says_becomes_an_answer_to_the_reader(
    answer: httpx.Response | None, code: str, status: int, wait: int | None
) -> None:
    with pytest.raises(RefusedError) as caught:
        await _audit(answer).seen("the-link", limit=50, cursor=None)
    found = caught.value
    assert (found.code, status_of(found), found.retry_after) == (code, status, wait)
    assert "the-link" not in found.detail


@pytest.mark.parametrize(("status", "code"), [(422, "cursor"), (400, "cursor_mismatch")])
async def test_a_cursor_of_another_question_is_the_readers_mistake(status: int, code: str) -> None:
    with pytest.raises(RefusedError) as caught:
        await _audit(_problem(status, code)).seen("the-link", limit=50, cursor="x")
    assert (caught.value.code, caught.value.field) == ("cursor", "cursor")


async def test_without_a_token_of_the_provider_the_log_is_not_there() -> None:
    log = AuditLog(Peer("http://audit", HttpClient(), _Tokens(fails=True)))
    with pytest.raises(RefusedError) as caught:
        await log.seen("the-link", limit=50, cursor=None)
    assert caught.value.code == "audit_unavailable"


# ---------------------------------------------------------------- the words


def test_every_code_of_the_rules_has_words() -> None:
    rules = load_access_policy().rules
    assert {each.purpose for each in rules.purposes} <= WORDS.purposes.keys()
    assert {each.field for each in rules.fields} <= WORDS.fields.keys()
    assert {each.role for each in rules.roles} <= WORDS.roles.keys()
    assert set(ev.AccessAction.__args__) == WORDS.actions.keys()  # type: ignore[attr-defined]
    assert set(ev.AccessOutcome.__args__) == WORDS.outcomes.keys()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("delay", {"en": "Soon.", "es": "$seconds", "ht": "$seconds"}), "delay: en"),
        (("roles", {"agent": {"en": "An agent", "es": "Un agente"}}), "agent.ht: is missing"),
        (("fields", {"phone": {"en": "$x", "es": "x", "ht": "x"}}), "phone.en"),
    ],
)
def test_words_that_lack_something_are_refused_at_start(
    tmp_path: Any, change: tuple[str, Any], said: str
) -> None:
    tree = yaml.safe_load(packaged("direct311.intake", "code_words.yaml").read_bytes())
    tree[change[0]] = change[1]
    file = tmp_path / "code_words.yaml"
    file.write_text(yaml.safe_dump(tree))
    with pytest.raises(DataFileError) as caught:
        load_code_words(file)
    assert said in str(caught.value)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_shows_a_place_that_was_not_filled(language: Any) -> None:
    said = [WORDS.late_by(60, language), WORDS.what("view", "denied", language)]
    assert not any("$" in each for each in said)
