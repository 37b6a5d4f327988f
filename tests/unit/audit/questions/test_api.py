"""The auditors' questions over HTTP: what is answered, what a bad question is told."""

import csv
import io
import json
from datetime import timedelta
from typing import Any

import anyio
import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from direct311.audit.monitoring.api import reconciliation_router
from direct311.audit.monitoring.domain.fetches import Fetch
from direct311.audit.monitoring.handlers.reconcile import Reconciler
from direct311.audit.questions.api.breach import breach_router
from direct311.audit.questions.api.counts import counts_router
from direct311.audit.questions.api.entries import api_router
from direct311.audit.questions.api.exports import exports_router
from direct311.audit.questions.api.who_saw import who_saw_router
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import install
from direct311.runtime.http.health import Readiness
from direct311.runtime.telemetry import Metrics
from direct311.verifier.bundle import verify_bundle
from tests.unit.audit.audit_under_test import TRUST, AuditUnderTest
from tests.unit.audit.events import OTHER, RECORD, START, Producer, producers
from tests.unit.audit.fakes import InMemoryAlarms, InMemoryWatch

PHONE = "+13055550142"
SECRET = "zq-maria-0142"
"""What must not come back."""


async def caller_of(request: Request) -> Caller:
    """The caller that the test says it is."""
    return Caller("ada", (request.headers.get("x-test-role", "auditor"),))


class Desk:
    """The audit service's HTTP face before a log of six entries."""

    def __init__(self) -> None:
        audit = self.audit = AuditUnderTest()
        app = FastAPI()
        install(app, Readiness(), Metrics())
        log = audit.stores.followed
        self.watch = InMemoryWatch()
        reconciler = Reconciler(
            [], self.watch, log, audit.stores.entries, InMemoryAlarms(), audit.stores.clock
        )
        for router in (
            api_router(audit.reading, caller_of),
            reconciliation_router(reconciler, audit.stores.clock, caller_of),
            counts_router(audit.counting, caller_of),
            exports_router(audit.exporting, caller_of),
            who_saw_router(audit.exporting, audit.reading, caller_of),
            breach_router(audit.breach, audit.stores.clock, caller_of),
        ):
            app.include_router(router)
        self.client = TestClient(app, raise_server_exceptions=False)
        audit.people.records = {PHONE: [RECORD], "x": []}

        async def fill() -> None:
            await audit.log(
                *(
                    Producer().access(
                        (RECORD, OTHER)[number % 2],
                        actor=f"agent-{number}",
                        session="token-1",
                        reference="=1+1",
                        at=START,
                    )
                    for number in range(6)
                )
            )

        anyio.run(fill)

    def post(self, path: str, body: object, status: int = 200, role: str = "auditor") -> Any:
        answer = self.client.post(path, json=body, headers={"x-test-role": role})
        assert answer.status_code == status, answer.text
        return answer

    def get(self, path: str, status: int = 200) -> Any:
        answer = self.client.get(path)
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_an_entry_shows_every_fact(desk: Desk) -> None:
    page = desk.get("/v1/entries?reference=L-1&session=token-1&limit=1")
    (entry,) = page["entries"]
    assert (entry["session"], entry["instance"], entry["sequence"]) == ("token-1", "intake-1", 1)
    assert (entry["break_glass"], entry["case_state"], entry["withheld"]) == (False, None, False)
    assert page["withheld"] == 0


def test_a_list_of_fetches_without_event_ends_and_says_how_many_there_are(desk: Desk) -> None:
    at = desk.audit.stores.clock.now() - timedelta(hours=1)
    fetches = [
        Fetch(service="intake", record_id=RECORD, event_id=f"event-{n}", at=at)
        for n in range(1_005)
    ]
    anyio.run(desk.watch.keep, fetches)
    state = desk.get("/v1/reconciliation")
    assert (len(state["without_event"]), state["unlogged"]) == (1_000, 1_005)


BACKWARDS = {"since": "2026-03-02T00:00:00Z", "until": "2026-03-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        (f"record={SECRET}%20!", "record"),
        (f"action={SECRET}", "action"),
        (f"break_glass={SECRET}", "break_glass"),
        (f"since={SECRET}", "since"),
        ("limit=0", "limit"),
        (f"{SECRET}=1", ""),
        (f"cursor={SECRET * 9}", "cursor"),
    ],
)
def test_a_malformed_query_is_told_the_field_and_nothing_is_echoed(
    desk: Desk, query: str, field: str
) -> None:
    answer = desk.client.get(f"/v1/entries?reference=L-1&{query}")
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert SECRET not in answer.text


def test_a_cursor_of_another_query_is_400_and_names_it(desk: Desk) -> None:
    cursor = desk.get("/v1/entries?reference=L-1&limit=2")["next"]
    again = desk.get(f"/v1/entries?reference=L-1&limit=2&cursor={cursor}")
    assert [entry["index"] for entry in again["entries"]] == [3, 2]
    for path in (
        f"/v1/entries?reference=L-1&role=agent&cursor={cursor}",
        f"/v1/entries?reference=L-1&cursor={SECRET}",
    ):
        answer = desk.client.get(path)
        assert (answer.status_code, answer.json()["field"]) == (400, "cursor")
        assert SECRET not in answer.text


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/persons/who-saw", {"phone": PHONE, "name": SECRET}, ""),
        ("/v1/persons/who-saw", {}, ""),
        ("/v1/persons/timeline", {"name": SECRET, "unit": "year"}, "unit"),
        ("/v1/counts", {"by": ["actor", "day", "purpose"]}, "by"),
        ("/v1/counts", {"by": [SECRET]}, "by.0"),
        ("/v1/counts", {"filter": {SECRET: 1}}, "filter"),
        ("/v1/comparisons", {"by": ["actor"], "before": {"since": SECRET}}, "before.since"),
        ("/v1/breaches", {"since": START.isoformat()}, ""),
        ("/v1/breaches", {}, ""),
        ("/v1/breaches", BACKWARDS, ""),
        ("/v1/counts", {"filter": BACKWARDS}, "filter"),
        ("/v1/exports", {"filter": BACKWARDS}, "filter"),
        ("/v1/exports", {"format": SECRET}, "format"),
        ("/v1/exports", {"after": -1}, "after"),
    ],
)
def test_a_malformed_body_is_told_the_field_and_nothing_is_echoed(
    desk: Desk, path: str, body: dict[str, object], field: str
) -> None:
    answer = desk.post(path, {"reference": "L-1", **body}, 422)
    assert field in {each["field"] for each in answer.json()["errors"]}
    assert SECRET not in answer.text
    assert desk.audit.access_log.entries == []


def test_who_saw_a_person_as_json_csv_and_bundle(desk: Desk) -> None:
    question = {"phone": PHONE, "reference": "L-1"}
    answer = desk.post("/v1/persons/who-saw", question)
    found = answer.json()
    assert found["record_ids"] == [RECORD]
    assert [each["actor"] for each in found["actors"]] == ["agent-0", "agent-2", "agent-4"]
    assert [each["index"] for each in found["entries"]] == [0, 2, 4]
    assert found["count"] == 3 == int(answer.headers["direct311-entries"])
    why = found["entries"][0]["signed_event"]["body"]["why"]
    assert (why["purpose"], why["reference"]) == ("respond", "=1+1")

    text = desk.post("/v1/persons/who-saw", question | {"format": "csv"}).text
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [(row["actor"], row["reference"]) for row in rows] == [
        ("agent-0", "'=1+1"),
        ("agent-2", "'=1+1"),
        ("agent-4", "'=1+1"),
    ]
    answer = desk.post("/v1/persons/who-saw", question | {"format": "bundle"})
    assert answer.headers["content-type"] == "application/vnd.direct311.bundle+json"
    report = verify_bundle(answer.content, TRUST, producers())
    assert report.ok, report.text
    assert [each["index"] for each in answer.json()["receipts"]] == [0, 2, 4]
    for entry in desk.audit.access_log.entries:
        assert b"5550142" not in entry.message.body


def test_nobody_was_seen_by_nobody(desk: Desk) -> None:
    found = desk.post("/v1/persons/who-saw", {"name": "x", "reference": "L-1"}).json()
    assert (found["record_ids"], found["actors"], found["entries"]) == ([], [], [])
    text = desk.post("/v1/persons/who-saw", {"name": "x", "reference": "L-1", "format": "csv"}).text
    assert len(text.splitlines()) == 1


def test_an_export_says_at_first_how_many_come_and_can_be_taken_up(desk: Desk) -> None:
    answer = desk.post("/v1/exports", {"reference": "L-1"})
    lines = [json.loads(line) for line in answer.content.splitlines()]
    assert [line["index"] for line in lines] == list(range(6))
    headers = answer.headers
    assert (headers["direct311-entries"], headers["direct311-log-size"]) == ("6", "6")
    assert headers["direct311-access-event"]
    rest = desk.post("/v1/exports", {"reference": "L-1", "after": 3, "size": 6})
    assert [json.loads(line)["index"] for line in rest.content.splitlines()] == [4, 5]
    assert rest.headers["direct311-entries"] == "2"
    assert desk.post("/v1/exports", {"reference": "L-1", "size": 7}, 422).json()["field"] == "size"
    table = {"reference": "L-1", "format": "csv", "size": 6}
    whole = desk.post("/v1/exports", table).text
    parts = [desk.post("/v1/exports", table | {"after": 3}).text]
    assert whole.endswith(parts[0])
    assert len(parts[0].splitlines()) == 2
    ocsf = desk.post("/v1/exports", {"reference": "L-1", "format": "ocsf"})
    assert {json.loads(line)["class_uid"] for line in ocsf.content.splitlines()} == {6003}


def test_counts_timelines_and_comparisons(desk: Desk) -> None:
    counted = desk.post("/v1/counts", {"by": ["record"], "reference": "L-1"}).json()
    assert {each["key"][0]: each["count"] for each in counted["groups"]} == {RECORD: 3, OTHER: 3}
    line = desk.post(f"/v1/records/{RECORD}/timeline", {"reference": "L-1"}).json()
    assert [(each["at"], each["count"]) for each in line["buckets"]] == [("2026-03-02", 3)]
    line = desk.post("/v1/persons/timeline", {"phone": PHONE, "reference": "L-1"}).json()
    assert (line["record_ids"], line["entries"]) == ([RECORD], 3)
    day = {"since": "2026-03-02T00:00:00Z", "until": "2026-03-02T23:59:59Z"}
    eve = {"since": "2026-03-01T00:00:00Z", "until": "2026-03-01T23:59:59Z"}
    question = {"by": ["purpose"], "before": eve, "after": day, "reference": "L-1"}
    compared = desk.post("/v1/comparisons", question).json()
    assert (compared["before"], compared["after"]) == (0, 6)
    assert compared["groups"] == [{"key": ["respond"], "before": 0, "after": 6, "change": 6}]


def test_a_breach_as_json_and_csv(desk: Desk) -> None:
    question = {"session": "token-1", "reference": "L-1", "determined_on": "2026-03-10"}
    found = desk.post("/v1/breaches", question).json()
    assert (found["persons"], found["persons_at_most"], found["records_touched"]) == (1, 2, 2)
    owed = {each["notice"]: (each["owed"], each["due_on"]) for each in found["notices"]}
    assert owed == {
        "individuals": ("yes", "2026-04-09"),
        "legal_affairs": ("no", None),
        "credit_bureaus": ("no", None),
    }
    answer = desk.post("/v1/breaches", question | {"format": "csv"})
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert {(row["record_id"], row["held"]) for row in rows} == {
        (RECORD, "person"),
        (OTHER, "gone"),
    }
    headers = answer.headers
    assert headers["direct311-persons"] == "1"
    assert [headers[f"direct311-{name}"] for name in ("refused", "closed", "searches-cut")] == [
        "0",
        "0",
        "0",
    ]
    assert headers["direct311-notices"] == "individuals=yes, legal_affairs=no, credit_bureaus=no"


def test_other_roles_are_refused_and_written_down(desk: Desk) -> None:
    for path, body in (
        ("/v1/counts", {}),
        ("/v1/exports", {}),
        ("/v1/persons/who-saw", {"phone": PHONE}),
        ("/v1/breaches", {"session": "token-1"}),
        (f"/v1/records/{RECORD}/timeline", {}),
    ):
        desk.post(path, {"reference": "L-1", **body}, 403, role="agent")
    assert [event.outcome for event in desk.audit.access_log.events()] == ["denied"] * 5
    assert desk.audit.people.asked == []
