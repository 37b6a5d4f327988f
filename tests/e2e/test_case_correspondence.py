"""An anonymous requester and a custodian: question, answer, scope, search, closing, reopening."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from uuid_utils import compat

from deploy.local.stack import Stack
from tests.protection.traces import trace
from tests.support.canaries import Canary, Search
from tests.support.county import County, Document

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]

GATEWAY = "/v1/records-requests"
REQUEST = "Everything about the affair of Kestrel-Umlaut Lagoon."
QUESTION = "Do you mean the Thistle-Quaver hearing?"
ANSWER = "Yes, where Philippa Drosselbart spoke."
NAME = "Philippa Drosselbart"
ADDRESS = "7712 Obsidian Parade"
WORD = "wolkenkuckucksheim"
CANARIES = [
    Canary("request", REQUEST, ("Kestrel-Umlaut",)),
    Canary("question", QUESTION, ("Thistle-Quaver",)),
    Canary("answer", ANSWER),
    Canary("person", NAME, ("Drosselbart",)),
    Canary("address", ADDRESS),
    Canary("word", WORD),
]
LONG_AGO = "1950-01-01T05:00:00Z"
"""No record is that old."""
TOPICS = ("disclosure", "act.recorded", "pii.accessed")


class Requester:
    """Somebody without a name, who has the token of a case."""

    def __init__(self, county: County, case_id: str, token: str) -> None:
        self.case_id, self.token = case_id, token
        self._county = county
        self._url = county.known.services["intake"] + GATEWAY

    async def ask(self, method: str, path: str, body: Any = None, **more: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}", **more}
        url = f"{self._url}/{path}"
        return await self._county.http.request(method, url, json=body, headers=headers)


class Custodian:
    """Carla, at her desk, with one case."""

    def __init__(self, county: County, case_id: str) -> None:
        self._county = county
        self.path = f"/v1/cases/{case_id}"

    async def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return await self._county.ask(
            method, "retention", self.path + path, "custodian", "carla", body
        )

    async def done(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.ask(method, path, body)
        assert answer.is_success, answer.text
        return answer.json()

    async def version(self) -> int:
        return int((await self.done("GET", "/grants"))["version"])


async def asked(county: County, at: str | None = None) -> Requester:
    """A request from the gateway, whose bounds stop no other test's destruction."""
    url = (at or county.known.services["intake"]) + GATEWAY
    answer = await county.http.post(url, json={"request": REQUEST})
    assert answer.status_code == 201, answer.text
    requester = Requester(county, answer.json()["case_id"], answer.json()["token"])
    bounds = {"query": {"until": LONG_AGO}}
    await Custodian(county, requester.case_id).done("PUT", "/bounds", bounds)
    return requester


def scope(version: int, **more: Any) -> dict[str, Any]:
    return {
        "version": version,
        "person": {"name": NAME},
        "place": {"address": ADDRESS},
        "words": [WORD],
        "since": "2024-01-01T00:00:00-05:00",
        **more,
    }


@pytest.mark.policy("P13")
async def test_an_anonymous_request_is_clarified_searched_closed_and_opened_again(
    county: County, stack: Stack
) -> None:
    requester = await asked(county)
    custodian = Custodian(county, requester.case_id)

    # A question back, which the requester reads in the own language's words, without a name.
    question = await custodian.done("POST", "/messages", {"text": QUESTION, "asks": True})
    assert question["state"] == "clarifying"
    status = (await requester.ask("GET", "status")).json()
    assert (status["state"], status["last_step"]) == ("clarifying", "message_written")
    read = await requester.ask("GET", "messages", **{"Accept-Language": "es"})
    (shown,) = read.json()["messages"]
    assert (shown["sender_text"], shown["asks"], shown["text"]) == ("El condado", True, QUESTION)
    assert "carla" not in read.text

    # The answer brings it back to its scope; a repeat is one message.
    key = {"Idempotency-Key": str(compat.uuid4())}
    answers = [await requester.ask("POST", "messages", {"text": ANSWER}, **key) for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 200]
    read = await custodian.done("GET", "/messages")
    assert (read["state"], [each["text"] for each in read["messages"]]) == (
        "scoping",
        [QUESTION, ANSWER],
    )
    tasks = await county.get("retention", "/v1/case-tasks", "custodian", "carla")
    mine = [each["task"] for each in tasks["tasks"] if each["case_id"] == requester.case_id]
    assert mine == ["answer_message"]

    # What to look for, a search with zero hits, and the end.
    version = await custodian.version()
    set_ = await custodian.done("PUT", "/scope", scope(version, complete=True))
    assert (set_["state"], set_["criteria"]) == (
        "collecting",
        ["person", "place", "words", "time"],
    )
    assert (await custodian.done("GET", "/scope"))["person"] == {"name": NAME}
    refused = await custodian.ask("POST", "/close", {"outcome": "no_records"})
    assert refused.json()["type"].endswith(":no_search")
    search = {"search_id": str(compat.uuid7()), "where": "email", "shape": ["words"], "hits": 0}
    await custodian.done("POST", "/searches", {**search, "minutes": 12})
    log = await custodian.done("POST", "/searches", {**search, "minutes": 12})
    assert [(each["where"], each["hits"]) for each in log["searches"]] == [("email", 0)]
    note = {"note_id": str(compat.uuid7()), "work": "correspond", "minutes": 5}
    assert (await custodian.done("POST", "/minutes", note))["minutes_in_all"] == 17
    closed = await custodian.done("POST", "/close", {"outcome": "no_records"})
    assert (closed["state"], closed["outcome"]) == ("closed", "no_records")

    # The requester is not satisfied: the closed case takes the message, and is opened again.
    more = await requester.ask("POST", "messages", {"text": "Please look at the annex too."})
    assert more.status_code == 201
    before = await custodian.done("GET", "/preservation")
    assert before["provisional"] is False
    again = await custodian.done("POST", "/reopening", {"reason": "requester_wrote"})
    assert (again["state"], again.get("outcome")) == ("scoping", None)
    after = await custodian.done("GET", "/preservation")
    assert after["provisional"] is True
    status = (await requester.ask("GET", "status")).json()
    assert (status["state"], status["last_step"]) == ("scoping", "reopened")

    timeline = await custodian.done("GET", "/timeline")
    assert [each["step"] for each in timeline["steps"]] == [
        "opened",
        "bounds_set",
        "question_asked",
        "message_received",
        "scope_set",
        "searched",
        "minutes_noted",
        "closed",
        "message_received",
        "reopened",
    ]
    assert (timeline["age_days"], timeline["days_without_act"]) == (0, 0)

    await each_reading_is_an_entry(county, requester.case_id)
    await nothing_lies_in_clear(county, stack)


def body_of(entry: Document) -> dict[str, Any]:
    """What the entry's own signed event says."""
    body = (entry["signed_event"] or {}).get("body")
    return dict(json.loads(body)) if isinstance(body, str) else dict(body or {})


async def each_reading_is_an_entry(county: County, case_id: str) -> None:
    """The requester's own, for the purpose of whoever asks what is held of them, and the desk's."""
    for purpose, agent, action in (
        ("subject_access", f"link:{case_id}", "view"),
        ("subject_access", f"link:{case_id}", "seal"),
        ("county_business", "carla", "view"),
    ):

        def is_it(entry: Document, wanted: Any = (purpose, agent, action)) -> bool:
            body = body_of(entry)
            if "what" not in body:
                return False
            found = (body["why"].get("purpose"), body["agent"]["id"], body["action"])
            return found == wanted and "case_message" in body["what"]["fields"]

        await trace(county, f"record={case_id}", is_it)


async def nothing_lies_in_clear(county: County, stack: Stack) -> None:
    """No text of either side is in a database, a topic or a log."""
    await county.caught_up()
    with county.database() as database:
        stored = [
            repr(list(database[name][collection].find()))
            for name in ("intake", "retention", "audit")
            for collection in database[name].list_collection_names()
        ]
    sent = [
        (each.value or b"") + b"".join(value for _, value in each.headers)
        for each in await county.messages(*TOPICS)
    ]
    assert any(b"scope_set" in each for each in sent)
    for canary in CANARIES:
        for form in (canary.text, *map(str, canary.forms)):
            assert not any(form in each for each in stored)
            assert not any(form.encode() in each for each in sent)
    assert Search(CANARIES).in_folder(stack.place.log)[0] == []


async def test_a_scope_becomes_bounds_where_it_names_nobody(county: County) -> None:
    requester = await asked(county)
    custodian = Custodian(county, requester.case_id)
    personal = scope(await custodian.version(), as_bounds=True)
    refused = await custodian.ask("PUT", "/scope", personal)
    assert refused.json()["type"].endswith(":scope_bounds")
    window = {"since": "1940-01-01T05:00:00Z", "until": LONG_AGO}
    order = {"version": await custodian.version(), **window, "words": [WORD], "as_bounds": True}
    await custodian.done("PUT", "/scope", order)
    seen = await custodian.done("GET", "/preservation")
    assert {name: seen["bounds"]["query"][name] for name in window} == window
    stale = await custodian.ask("PUT", "/scope", {**order, "words": []})
    assert stale.json()["type"].endswith(":changed")


async def test_wrong_tokens_and_other_desks_read_and_write_nothing(county: County) -> None:
    requester = await asked(county)
    custodian = Custodian(county, requester.case_id)
    await custodian.done("POST", "/messages", {"text": QUESTION})
    stranger = Requester(county, requester.case_id, requester.case_id)
    for method, body in (("GET", None), ("POST", {"text": ANSWER})):
        answer = await stranger.ask(method, "messages", body)
        assert answer.status_code == 404
    other = await asked(county)
    assert (await other.ask("GET", "messages")).json()["messages"] == []
    for role, name in (("liaison", "lars"), ("agent", "ana"), ("auditor", "aud")):
        for path in ("messages", "scope", "searches", "timeline"):
            answer = await county.ask("GET", "retention", f"{custodian.path}/{path}", role, name)
            assert answer.status_code in (403, 404)
            assert "Thistle" not in answer.text
    body = {"token": requester.token, "key": "ab12" * 16, "text": ANSWER}
    url = county.known.services["retention"] + "/internal/cases/messages"
    headers = await county.service_headers("svc-media", "retention")
    assert (await county.http.post(url, json=body, headers=headers)).status_code == 403


@pytest.fixture(autouse=True)
async def withdrawn_afterwards(county: County) -> AsyncIterator[None]:
    """An open case would be in the task lists of other tests."""
    yield
    listed = await county.get("retention", "/v1/cases?limit=500", "custodian", "carla")
    for case in listed["cases"]:
        if case["state"] != "closed":
            path = f"/v1/cases/{case['case_id']}/close"
            await county.post("retention", path, {"outcome": "withdrawn"}, "custodian", "carla")
