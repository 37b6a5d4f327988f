"""Retention over HTTP: who may do what, what is answered, what a bad question is told."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from direct311.retention.certificates import api as certificates
from direct311.retention.holds import api as placing
from direct311.retention.holds.domain import Hold
from direct311.retention.holds.handlers.scopes import Scopes
from direct311.retention.inventory import api as records
from direct311.retention.review import api as review
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import install
from direct311.runtime.http.health import Readiness
from direct311.runtime.telemetry import Metrics
from direct311.schemas import events as ev
from tests.unit.retention.fakes import (
    FOUR,
    START,
    RetentionUnderTest,
    created,
    event,
    located,
    updated,
)


async def caller_of(request: Request) -> Caller:
    """The caller that the test says it is: `role/name`."""
    role, _, name = request.headers.get("x-test-caller", "").partition("/")
    return Caller(sub=name, roles=(role,) if role else ())


@dataclass
class County:
    """Retention with its callers."""

    retention: RetentionUnderTest = field(default_factory=RetentionUnderTest)

    def __post_init__(self) -> None:
        retention = self.retention
        inventory, rules, ids, holds = (
            retention.inventory,
            retention.rules,
            retention.ids,
            retention.holds,
        )
        scopes = Scopes(inventory, rules.assignments)
        app = FastAPI()
        install(app, Readiness(), Metrics())
        for router in (
            records.router(inventory, retention.outcomes, rules, ids, caller_of),
            review.router(retention.expiry, inventory, rules, caller_of),
            review.dispositions_router(retention.review, retention.dispositions, caller_of),
            placing.router(
                retention.holding, scopes, holds, inventory, ids, retention.clock, caller_of
            ),
            certificates.router(retention.certification, retention.event_signer, caller_of),
        ):
            app.include_router(router)
        self.client = TestClient(app, raise_server_exceptions=False)

    def get(self, path: str, caller: str = "custodian/carla", status: int = 200) -> Any:
        answer = self.client.get(path, headers={"x-test-caller": caller})
        assert answer.status_code == status, answer.text
        return answer.json()

    def post(
        self, path: str, body: object, caller: str = "custodian/carla", status: int = 200
    ) -> Any:
        answer = self.client.post(path, json=body, headers={"x-test-caller": caller})
        assert answer.status_code == status, answer.text
        return answer.json()

    def approved(self, *record_ids: str) -> Any:
        made = self.post("/v1/dispositions", {"record_ids": record_ids}, status=201)
        path = f"/v1/dispositions/{made['disposition_id']}/approve"
        return self.post(path, {"set_hash": made["set_hash"]}, "records_officer/raul")


@pytest.fixture
def county() -> Iterator[County]:
    county = County()
    asyncio.run(county.retention.eligible("r1", "r2"))
    yield county
    county.client.close()


@pytest.mark.parametrize(
    ("method", "path", "caller"),
    [
        ("GET", "/v1/records/r1", "agent/ana"),
        ("GET", "/v1/review", "department/dora"),
        ("GET", "/v1/counts", "resident/rita"),
        ("GET", "/v1/dispositions", "agent/ana"),
        ("GET", "/v1/dispositions/1", "service/svc:geo"),
        ("GET", "/v1/holds", "agent/ana"),
        ("GET", "/v1/holds/1", "admin/otto"),
        ("GET", "/v1/certificates/1", "agent/ana"),
        ("GET", "/v1/compliance?fiscal_year=2026", "admin/otto"),
        ("POST", "/v1/expiry", "records_officer/raul"),
        ("POST", "/v1/dispositions", "records_officer/raul"),
        ("POST", "/v1/dispositions/1/approve", "custodian/carla"),
        ("POST", "/v1/dispositions/1/reject", "auditor/ines"),
        ("POST", "/v1/holds", "records_officer/raul"),
        ("POST", "/v1/holds/1/release", "custodian/carla"),
        ("POST", "/v1/records/r1/outcomes", "auditor/ines"),
        ("POST", "/v1/records/r1/outcomes", "inspector/igor"),
    ],
)
def test_others_are_refused(method: str, path: str, caller: str, county: County) -> None:
    bodies: dict[str, object] = {
        "expiry": {},
        "dispositions": {},
        "approve": {"set_hash": "0" * 64},
        "reject": {"reason": "the case is not over"},
        "release": {"reason": "the case is not over"},
        "outcomes": {"outcome": "hearing"},
        "holds": {"name": "n", "kind": "audit", "authority": "Case 26-1", "record_ids": ["r1"]},
    }
    body = bodies.get(path.rpartition("/")[2]) if method == "POST" else None
    answer = county.client.request(method, path, json=body, headers={"x-test-caller": caller})
    assert answer.status_code == 403, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_record_says_where_it_stands_and_why(county: County) -> None:
    shown = county.get("/v1/records/r1")
    assert (shown["state"], shown["decided_by"], shown["items"]) == ("eligible", 94, [94])
    assert (shown["trigger"], shown["trigger_on"], shown["eligible_on"]) == (
        "resolved",
        "2015-06-10",
        "2016-06-10",
    )
    assert "1 anniversary year after resolved" in shown["reason"]
    assert county.get("/v1/records/r9", status=404)["type"].endswith("unknown_record")
    assert county.get("/v1/counts", "service/svc") == {"total": 2, "counts": {"eligible": 2}}


def test_the_queue_is_read_page_by_page(county: County) -> None:
    first = county.get("/v1/review?limit=1")
    second = county.get(f"/v1/review?limit=1&cursor={first['next']}")
    found = [page["records"][0]["record_id"] for page in (first, second)]
    assert found == ["r1", "r2"]
    assert "next" not in second


@pytest.mark.parametrize("cursor", ["x", "####", "bm90IGEgZGF5fHIx", "%C3%A9"])
def test_a_cursor_that_is_none_is_refused(cursor: str, county: County) -> None:
    answer = county.get(f"/v1/review?cursor={cursor}", status=422)
    assert answer["field"] == "cursor"
    county.post("/v1/expiry", {"as_of": "2030-01-01", "cursor": "x"}, status=422)


def test_a_look_ahead_is_the_default_for_a_later_day(county: County) -> None:
    asyncio.run(county.retention.apply(created("r3"), updated("r3", 2, closed_at=START)))
    seen = county.post("/v1/expiry", {"as_of": "2027-03-02"})
    assert (seen["dry_run"], [each["record_id"] for each in seen["records"]]) == (True, ["r3"])
    assert county.get("/v1/records/r3")["state"] == "active"
    done = county.post("/v1/expiry", {"as_of": "2027-03-02", "dry_run": False})
    assert (done["dry_run"], done["count"], done["records"]) == (False, 1, [])
    assert county.get("/v1/records/r3")["state"] == "eligible"
    assert county.post("/v1/expiry", {})["dry_run"] is False


def test_in_production_a_later_day_is_told_to_be_for_looking_alone() -> None:
    county = County(RetentionUnderTest(ahead=False))
    body = {"as_of": "2030-01-01", "dry_run": False}
    told = county.post("/v1/expiry", body, status=409)
    assert (told["type"], told["field"]) == (
        "urn:direct311:problem:as_of_in_future",
        "as_of",
    )
    told = county.post("/v1/dispositions", {"as_of": "2030-01-01"}, status=409)
    assert told["type"] == "urn:direct311:problem:as_of_in_future"


@pytest.mark.policy("P14")
def test_from_proposal_to_certificate(county: County) -> None:
    done = county.approved("r1", "r2")
    assert (done["status"], done["records_officer"]) == ("ordered", "raul")
    retention = county.retention
    order = retention.dispositions.sets[done["disposition_id"]]
    asyncio.run(retention.answered(order, *FOUR))
    asyncio.run(retention.certification.step())
    (certificate_id,) = county.get(f"/v1/dispositions/{done['disposition_id']}")["certificate_ids"]
    shown = county.get(f"/v1/certificates/{certificate_id}", "auditor/ines")
    digest = shown.pop("sha256")
    text = json.dumps(shown, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert sha256(text.encode()).hexdigest() == digest
    assert shown["inclusive_dates"] == ["2015-06-01", "2015-06-10"]
    statement = county.get("/v1/compliance?fiscal_year=2026")
    assert statement["quantities"][0]["records"] == 2
    signature = statement.pop("signature")
    keyid, digest = statement.pop("keyid"), statement.pop("sha256")
    assert keyid == "retention-test"
    text = json.dumps(statement, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert sha256(text.encode()).hexdigest() == digest
    assert retention.event_signer.sign_bytes(bytes.fromhex(digest)).hex() == signature
    assert county.get("/v1/records/r1")["state"] == "certified"
    listed = county.get("/v1/dispositions")["dispositions"]
    assert [each["status"] for each in listed] == ["certified"]


def test_the_same_person_cannot_be_both(county: County) -> None:
    made = county.post("/v1/dispositions", {"record_ids": ["r1"]}, status=201)
    path = f"/v1/dispositions/{made['disposition_id']}/approve"
    body = {"set_hash": made["set_hash"]}
    told = county.post(path, body, "records_officer/carla", status=403)
    assert told["type"].endswith("same_person")
    county.post(path, {"set_hash": "1" * 64}, "records_officer/raul", status=409)
    rejected = county.post(
        f"/v1/dispositions/{made['disposition_id']}/reject",
        {"reason": "wrong series"},
        "records_officer/raul",
    )
    assert rejected["status"] == "rejected"


@pytest.mark.policy("P14")
def test_nothing_is_approved_while_no_events_are_taken_in(county: County) -> None:
    made = county.post("/v1/dispositions", {"record_ids": ["r1"]}, status=201)
    path = f"/v1/dispositions/{made['disposition_id']}/approve"
    body = {"set_hash": made["set_hash"]}
    county.retention.stopped = True
    answer = county.client.post(path, json=body, headers={"x-test-caller": "records_officer/raul"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert answer.json()["type"].endswith("not_up_to_date")
    assert county.get("/v1/records/r1")["state"] == "in_review"
    county.retention.stopped = False
    assert county.post(path, body, "records_officer/raul")["status"] == "ordered"


def test_a_hold_from_placing_to_release(county: County) -> None:
    body = {
        "name": "Smith v. County",
        "kind": "litigation",
        "authority": "26-1 CA 01",
        "query": {"service_codes": ["POTHOLE"], "until": "2020-01-01T00:00:00Z"},
    }
    placed = county.post("/v1/holds", body, "counsel/cole", status=201)
    assert (placed["state"], placed["placed_by"]) == ("in_force", "cole")
    held = county.get("/v1/records/r1")["holds"]
    assert [each["authority"] for each in held] == ["26-1 CA 01"]
    told = county.post("/v1/dispositions", {}, status=409)
    assert told["type"].endswith("nothing_to_propose")
    path = f"/v1/holds/{placed['hold_id']}"
    told = county.post(
        f"{path}/release", {"reason": "the case is settled"}, "counsel/cole", status=403
    )
    assert told["type"].endswith("same_person")
    assert [each["hold_id"] for each in county.get("/v1/holds")["holds"]] == [placed["hold_id"]]
    county.post(f"{path}/release", {"reason": "the case is settled"}, "counsel/clara")
    assert county.get(path)["state"] == "released"
    assert county.get("/v1/holds")["holds"] == []
    assert len(county.get("/v1/holds?standing=false")["holds"]) == 1
    assert county.get("/v1/records/r1")["holds"] == []
    county.get("/v1/holds/none", status=404)


@pytest.mark.parametrize(
    ("scope", "field", "code"),
    [
        ({}, "", "invalid"),
        ({"query": {}}, "query", "invalid"),
        ({"query": {"service_codes": []}}, "query", "invalid"),
        ({"query": {"colour": "red"}}, "query", "unknown_member"),
        ({"record_ids": []}, "record_ids", "too_short"),
        ({"record_ids": ["r1"], "query": {"department": "parks"}}, "", "invalid"),
        ({"record_ids": ["not an id"]}, "record_ids.0", "wrong_format"),
        ({"query": {"since": "2020-01-01T00:00:00"}}, "query.since", "wrong_format"),
    ],
)
def test_a_hold_without_a_clear_scope_is_refused(
    scope: dict[str, object], field: str, code: str, county: County
) -> None:
    body = {"name": "n", "kind": "audit", "authority": "Case 26-1", **scope}
    told = county.post("/v1/holds", body, "counsel/cole", status=422)
    assert told["field"] == field
    first = told["errors"][0]
    assert (first["field"], first["code"], first["detail"]) == (field, code, told["detail"])
    assert "colour" not in str(told)
    assert "not an id" not in str(told)


async def known(retention: RetentionUnderTest) -> None:
    """Two records in Miami, one with a department, of a type that is written in capitals."""
    road = ev.RequestRouted(
        record_id="m1",
        version=1,
        request_version=1,
        department="public_works",
        revision=1,
        service_code="ROAD-POTHOLE",
        place=ev.Place(),
        received_at=START,
        routed_at=START,
        rule_id="r",
        rules_version="1",
        reason="type",
    )
    for record_id in ("m1", "m2"):
        await retention.apply(created(record_id, "ROAD-POTHOLE"), located(record_id, 1, "Miami"))
    await retention.apply(event(road, "m1", "routing"))


@pytest.mark.policy("P14")
@pytest.mark.parametrize(
    ("query", "field", "near"),
    [
        ({"municipality": "City of Miamy"}, "municipality", "Miami"),
        ({"municipality": "Springfield"}, "municipality", "unincorporated"),
        ({"service_codes": ["ROAD-POTHOLE", "road-pothole"]}, "service_codes.1", "ROAD-POTHOLE"),
        ({"department": "public_work"}, "department", "public_works"),
        ({"department": "animals"}, "department", "public_works"),
    ],
)
def test_a_hold_on_a_name_that_nothing_has_is_refused_unless_it_is_for_later(
    query: dict[str, object], field: str, near: str, county: County
) -> None:
    asyncio.run(known(county.retention))
    body: dict[str, object] = {
        "name": "n",
        "kind": "audit",
        "authority": "Case 26-1",
        "query": query,
    }
    told = county.post("/v1/holds", body, "counsel/cole", status=422)
    assert told["field"] == f"query.{field}"
    assert near in told["detail"]
    assert "for_later" in told["detail"]
    assert county.get("/v1/holds")["holds"] == []
    county.post("/v1/holds", body | {"for_later": 1}, "counsel/cole", status=422)
    placed = county.post("/v1/holds", body | {"for_later": True}, "counsel/cole", status=201)
    assert placed["state"] == "in_force"


def test_everything_that_is_unknown_is_named_at_once(county: County) -> None:
    query = {"service_codes": ["A", "WASTE-ACCOUNT", "B"], "department": "d1", "municipality": "x"}
    body = {"name": "n", "kind": "audit", "authority": "Case 26-1", "query": query}
    told = county.post("/v1/holds", body, "counsel/cole", status=422)
    assert {each["code"] for each in told["errors"]} == {"not_a_choice"}
    fields = [each["field"].removeprefix("query.") for each in told["errors"]]
    assert fields == ["service_codes.0", "service_codes.2", "municipality", "department"]


@pytest.mark.parametrize(
    ("query", "held"),
    [
        ({"municipality": "City of Miami"}, ["m1", "m2"]),
        ({"municipality": "MIAMI", "department": "public_works"}, ["m1"]),
        ({"municipality": "unincorporated"}, []),
        ({"service_codes": ["ROAD-POTHOLE", "WASTE-ACCOUNT"]}, ["m1", "m2"]),
    ],
)
def test_a_hold_says_how_many_records_it_holds_now(
    query: dict[str, object], held: list[str], county: County
) -> None:
    asyncio.run(known(county.retention))
    body = {"name": "n", "kind": "audit", "authority": "Case 26-1", "query": query}
    placed = county.post("/v1/holds", body, "counsel/cole", status=201)
    assert placed["records_held"] == len(held)
    for record_id in held:
        assert county.get(f"/v1/records/{record_id}")["holds"]
    (listed,) = county.get("/v1/holds")["holds"]
    assert listed["records_held"] == len(held)
    path = f"/v1/holds/{placed['hold_id']}"
    county.post(f"{path}/release", {"reason": "the case is settled"}, "counsel/clara")
    assert county.get(path)["records_held"] == 0


def test_an_outcome_is_said_by_a_person(county: County) -> None:
    body = {"outcome": "incident"}
    shown = county.post("/v1/records/r1/outcomes", body, "counsel/cole")
    assert shown["items"] == [94, 241]
    (said,) = shown["outcomes_said"]
    assert (said["outcome"], said["by"], said["at"][:10]) == ("incident", "cole", "2026-03-02")
    assert county.get("/v1/records/r1")["outcomes_said"] == [said]
    told = county.post("/v1/records/r1/outcomes", {"outcome": "?"}, status=422)
    assert "citation_issued" in told["detail"]


def test_each_component_says_what_it_waits_for(county: County) -> None:
    path = "/v1/records/r1/outcomes"
    shown = county.post(path, {"outcome": "hearing"}, "counsel/cole")
    assert (shown["state"], shown["decided_by"]) == ("active", 236)
    assert "eligible_on" not in shown
    request, hearing = shown["components"]
    assert (request["component"], request["item"], request["state"]) == ("request", 94, "dated")
    assert (request["trigger_on"], request["eligible_on"]) == ("2015-06-10", "2016-06-10")
    assert (hearing["component"], hearing["item"], hearing["state"]) == ("hearing", 236, "waiting")
    assert "waits for the closing of its case (hearing)" in hearing["reason"]
    assert hearing.keys().isdisjoint({"trigger_on", "eligible_on"})

    shown = county.post(path, {"outcome": "hearing", "closed_on": "2016-01-10"})
    assert shown["outcomes_closed_on"] == {"hearing": "2016-01-10"}
    assert (shown["trigger_on"], shown["eligible_on"]) == ("2016-01-10", "2021-10-01")
    assert county.post(path, {"outcome": "hearing"})["eligible_on"] == "2021-10-01"
    shown = county.post(path, {"outcome": "hearing", "closed_on": None})
    assert shown["components"][1]["state"] == "waiting"
    said = [(each["by"], each.get("closed_on")) for each in shown["outcomes_said"]]
    assert said == [("cole", None), ("carla", "2016-01-10"), ("carla", None)]
    told = county.post(path, {"outcome": "hearing", "closed_on": "2030-01-01"}, status=422)
    assert told["field"] == "closed_on"
    county.approved("r2")
    assert county.get("/v1/records/r2")["components"] == []


def test_every_route_documents_its_errors(county: County) -> None:
    paths = county.client.app.openapi()["paths"]  # type: ignore[attr-defined]
    described = {path: found for path, found in paths.items() if path.startswith("/v1/")}
    assert len(described) == 14
    for methods in described.values():
        for operation in methods.values():
            assert {"401", "403", "404", "409", "422", "503"} <= operation["responses"].keys()
            assert operation["description"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"as_of": "2031-01-01", "dry_run": 0}, "dry_run"),
        ({"as_of": "2031-01-01", "dry_run": "no"}, "dry_run"),
        ({"as_of": 0, "dry_run": True}, "as_of"),
        ({"as_of": "0", "dry_run": True}, "as_of"),
        ({"dry_run": True, "limit": "5"}, "limit"),
        ({"dry_run": True, "limit": True}, "limit"),
    ],
)
def test_what_is_nearly_an_answer_decides_nothing(
    county: County, body: dict[str, Any], field: str
) -> None:
    assert county.post("/v1/expiry", body, status=422)["field"] == field


def test_a_number_that_is_whole_is_one(county: County) -> None:
    assert county.post("/v1/expiry", {"dry_run": True, "limit": 5.0})["dry_run"] is True


def test_the_hold_of_a_case_does_not_say_whose_work_it_is(county: County) -> None:
    """The name of a liaison would say that law enforcement asked."""
    liaison = Caller("lars-the-liaison", ("liaison",))
    own = Hold(
        hold_id="h1",
        name="case case-7",
        kind="public_records_request",
        authority="case case-7",
        case_id="case-7",
        record_ids=("r1",),
        placed_by=liaison.sub,
        placed_at=START,
    )
    asyncio.run(county.retention.holding.place(own, liaison))
    for shown in (county.get("/v1/holds/h1"), *county.get("/v1/holds")["holds"]):
        assert shown["placed_by"] == "withheld"
        assert "lars" not in repr(shown)
