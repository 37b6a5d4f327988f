"""No time, number or cursor breaks an answer, wherever it lies and however it is written.

Each is sent in every place of every API that takes one. The answer is a good one or names the
field; it is never a 500, and never says again what was sent.
"""

import asyncio
import base64
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from direct311.intake.open311.wire.queries import read_query
from direct311.runtime.clock import SystemClock
from tests.fuzz.callers import CALLERS, LINK, SERVICE
from tests.protection.cells import example
from tests.support.county import County
from tests.support.submissions import submission
from tests.unit.audit.questions.test_api import Desk
from tests.unit.retention.test_api import County as Retention

TIMES = {
    "first of all": "0001-01-01T00:00:00Z",
    "before the first": "0001-01-01T00:00:00+14:00",
    "after the first": "0001-01-01T00:00:00-14:00",
    "last of all": "9999-12-31T23:59:59.999999Z",
    "after the last": "9999-12-31T23:59:59-14:00",
    "before the last": "9999-12-31T23:59:59+14:00",
    "a fortnight before the last": "9999-12-18T00:00:00Z",
    "a leap second": "2016-12-31T23:59:60Z",
    "year zero": "0000-01-01T00:00:00Z",
    "year ten thousand": "10000-01-01T00:00:00Z",
    "before our era": "-0001-01-01T00:00:00Z",
    "no zone": "2026-03-02T12:00:00",
    "a zone beyond a day": "2026-03-02T12:00:00+24:00",
    "a zone of seconds": "2026-03-02T12:00:00+00:00:01",
    "thirtieth of February": "2026-02-30T00:00:00Z",
    "leap day of a common year": "2100-02-29T00:00:00Z",
    "hour 24": "2026-03-02T24:00:00Z",
    "digits of another script": "\u0662\u0660\u0662\u0666-03-02T12:00:00Z",
    "wide digits": "\uff12\uff10\uff12\uff16-03-02T12:00:00Z",
    "a minus sign": "2026\u221203\u221202T12:00:00Z",
    "a NUL": "2026-03-02T12:00:00Z\x00",
    "a line more": "2026-03-02T12:00:00Z\nx",
    "seconds since 1970": "1772452800",
    "seconds beyond all": "99999999999999999999",
    "not a number": "NaN",
    "endless": "Infinity",
    "nothing": "",
    "forty years of digits": "2026-03-02T12:00:00." + "9" * 400 + "Z",
}
NUMBERS = {
    "none": "0",
    "less than none": "-1",
    "least of 64 bits": str(-(2**63)),
    "most of 64 bits": str(2**63 - 1),
    "more than 64 bits": str(2**63),
    "more than 128 bits": str(2**130),
    "more digits than are read": "9" * 5_000,
    "not a number": "nan",
    "endless": "inf",
    "endless below": "-Infinity",
    "a power": "1e400",
    "a small power": "1e-400",
    "digits of another script": "\u0661\u0660",
    "a superscript": "\u00b2",
    "in thousands": "1_0",
    "a fraction": "0.5",
    "hexadecimal": "0x10",
    "a NUL": "1\x00",
    "nothing": "",
    "said twice": "1,2",
    "minus nothing": "-0",
}


def _packed(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


CURSORS = {
    "nothing": "",
    "no cursor": "x",
    "not even ASCII": "\u00e9\u00e9\u00e9\u00e9",
    "a dot": ".",
    "a number alone": "1",
    "digits of another script": "\u0661.0123456789abcdef",
    "huge": "9" * 30,
    "an index of 18 digits": f"{'9' * 18}.0123456789abcdef",
    "less than none": "-1.0123456789abcdef",
    "the first day": _packed("0001-01-01|r1"),
    "the last day": _packed("9999-12-31|r1"),
    "year zero": _packed("0000-01-01|r1"),
    "no day": _packed("None|r1"),
    "a day of a week": _packed("2026-W01-1|r1"),
    "no record": _packed("2026-03-02|"),
    "a record with a NUL": _packed("2026-03-02|r\x00"),
    "a record that is a pattern": _packed("2026-03-02|{$gt: 0}"),
    "a long record": _packed("2026-03-02|" + "r" * 120),
    "a lone surrogate": "7aCA",
    "padded": "====",
    "a NUL": "a\x00b",
    "an operator": '{"$gt":""}',
}
ALL = (
    *((f"time: {name}", value) for name, value in TIMES.items()),
    *((f"number: {name}", value) for name, value in NUMBERS.items()),
    *((f"cursor: {name}", value) for name, value in CURSORS.items()),
)
NAMES = [name for name, _ in ALL]
BY_NAME = dict(ALL)
LONG_ENOUGH = 9
"""What is shorter may be in an answer by chance."""


def good(answer: httpx.Response | Any, sent: str) -> None:
    """It is an answer, or a refusal that names the field and echoes nothing."""
    assert answer.status_code < 500, answer.text
    if 400 <= answer.status_code < 500 and len(sent) >= LONG_ENOUGH:
        assert sent not in answer.text
    if answer.status_code == 422:
        assert answer.headers["content-type"] == "application/problem+json"
        told = answer.json()
        assert told["field"]
        if told["type"] == "urn:direct311:problem:malformed":
            assert told["field"] == told["errors"][0]["field"]


# ---------------------------------------------------------------- each service's face


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk()


@pytest.fixture(scope="module")
def retention() -> Iterator[Retention]:
    county = Retention()
    asyncio.run(county.retention.eligible("r1", "r2"))
    yield county
    county.client.close()


ENTRIES = "/v1/entries?reference=L-1"
QUERIES = ("since", "until", "limit", "cursor", "record", "break_glass")


@pytest.mark.parametrize("name", NAMES)
def test_audit_answers_or_names_the_field(desk: Desk, name: str) -> None:
    value = BY_NAME[name]
    sent = quote(value, safe="")
    for place in QUERIES:
        good(desk.client.get(f"{ENTRIES}&{place}={sent}"), value)
    for path in (
        f"/v1/reconciliation?since={sent}",
        f"/v1/consistency?old={sent}",
        f"/v1/consistency?old=1&new={sent}",
        f"/v1/entries/{sent or 'x'}",
    ):
        good(desk.client.get(path), value)
    filled: dict[str, dict[str, Any]] = {
        "/v1/counts": {"filter": {"since": value}},
        "/v1/persons/timeline": {"name": "x", "filter": {"until": value}},
        "/v1/bundles": {"filter": {"since": value}},
        "/v1/exports": {"filter": {"until": value}},
        "/v1/breaches": {"session": "s", "since": value},
    }
    for path, body in filled.items():
        good(desk.client.post(path, json={**body, "reference": "L-1"}), value)
    for place in ("until", "determined_on"):
        body = {"session": "s", "reference": "L-1", place: value}
        good(desk.client.post("/v1/breaches", json=body), value)
    for since, until in ((value, "2026-03-02T12:00:00Z"), ("2026-03-02T12:00:00Z", value)):
        period = {"since": since, "until": until}
        body = {"by": ["actor"], "before": period, "after": period, "reference": "L-1"}
        good(desk.client.post("/v1/comparisons", json=body), value)
    for place in ("cursor", "limit"):
        body = {"name": "x", "reference": "L-1", place: value}
        good(desk.client.post("/v1/persons/search", json=body), value)


ENDS = {name: TIMES[name] for name in list(TIMES)[:7]}
_NOON = "2026-03-02T12:00:00Z"
PLACES: dict[str, Callable[[str], tuple[str, dict[str, Any] | None]]] = {
    "entries since": lambda at: (f"{ENTRIES}&since={quote(at)}", None),
    "entries until": lambda at: (f"{ENTRIES}&until={quote(at)}", None),
    "entries at once": lambda at: (f"{ENTRIES}&since={quote(at)}&until={quote(at)}", None),
    "reconciliation": lambda at: (f"/v1/reconciliation?since={quote(at)}", None),
    "counts since": lambda at: ("/v1/counts", {"filter": {"since": at}}),
    "counts until": lambda at: ("/v1/counts", {"filter": {"until": at}}),
    "person since": lambda at: ("/v1/persons/search", {"name": "x", "filter": {"since": at}}),
    "timeline until": lambda at: ("/v1/persons/timeline", {"name": "x", "filter": {"until": at}}),
    "record's timeline": lambda at: ("/v1/records/r1/timeline", {"filter": {"since": at}}),
    "bundle": lambda at: ("/v1/bundles", {"filter": {"until": at}}),
    "export": lambda at: ("/v1/exports", {"filter": {"since": at}}),
    "breach since": lambda at: ("/v1/breaches", {"session": "s", "since": at}),
    "breach until": lambda at: ("/v1/breaches", {"session": "s", "until": at}),
    "breach determined": lambda at: (
        "/v1/breaches",
        {"session": "token-1", "determined_on": at[:10]},
    ),
    "before": lambda at: (
        "/v1/comparisons",
        {
            "by": ["actor"],
            "before": {"since": at, "until": at},
            "after": {"since": _NOON, "until": _NOON},
        },
    ),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ENDS)
def test_the_ends_of_time_are_answered_in_every_place(desk: Desk, name: str, place: str) -> None:
    path, body = PLACES[place](ENDS[name])
    if body is None:
        answer = desk.client.get(path)
    else:
        answer = desk.client.post(path, json={**body, "reference": "L-1"})
    assert answer.status_code in (200, 422)
    good(answer, ENDS[name])


@pytest.mark.parametrize("name", TIMES)
def test_a_question_to_the_ends_of_time_has_the_answer_of_all_time(desk: Desk, name: str) -> None:
    """What lies beyond what can be is moved there, and what is no time is refused."""
    value = quote(TIMES[name], safe="")
    answer = desk.client.get(f"{ENTRIES}&since={value}")
    if name in ("first of all", "after the first"):
        assert len(answer.json()["entries"]) == 6
    elif name in ("last of all", "before the last", "a fortnight before the last"):
        assert answer.json()["entries"] == []
    elif name not in ("hour 24", "a zone of seconds", "forty years of digits", "nothing"):
        assert (answer.status_code, answer.json()["field"]) == (422, "since")


@pytest.mark.parametrize("name", NAMES)
def test_retention_answers_or_names_the_field(retention: Retention, name: str) -> None:
    value = BY_NAME[name]
    sent = quote(value, safe="")
    headers = {"x-test-caller": "custodian/carla"}
    for path in (
        f"/v1/review?cursor={sent}",
        f"/v1/review?limit={sent}",
        f"/v1/dispositions?cursor={sent}",
        f"/v1/holds?cursor={sent}",
        f"/v1/compliance?fiscal_year={sent}",
        f"/v1/records/{sent or 'x'}",
    ):
        good(retention.client.get(path, headers=headers), value)
    filled: dict[str, dict[str, Any]] = {
        "as_of": {"as_of": value, "dry_run": True},
        "as of, at once": {"as_of": value},
        "cursor": {"dry_run": True, "cursor": value},
        "limit": {"dry_run": True, "limit": value},
    }
    for body in filled.values():
        good(retention.client.post("/v1/expiry", json=body, headers=headers), value)
    hold = {"name": "n", "kind": "audit", "authority": "A-1"}
    for place in ("since", "until"):
        body = {**hold, "query": {place: value}, "for_later": True}
        good(retention.client.post("/v1/holds", json=body, headers=headers), value)
    body = {"as_of": value, "limit": 1}
    good(retention.client.post("/v1/dispositions", json=body, headers=headers), value)
    outcome = {"outcome": "citation", "closed_on": value}
    path = "/v1/records/r1/outcomes"
    good(retention.client.post(path, json=outcome, headers=headers), value)


NO_TIME = {
    "the other way round": ("2026-07-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    "a second": ("2026-03-02T12:00:01Z", "2026-03-02T12:00:00Z"),
    "at once": ("2026-03-02T12:00:00Z", "2026-03-02T12:00:00Z"),
    "at once in two zones": ("2026-03-02T12:00:00Z", "2026-03-02T07:00:00-05:00"),
    "later on the same clock": ("2026-03-02T12:00:00-05:00", "2026-03-02T12:00:00Z"),
    "both before the first": ("1800-01-01T00:00:00Z", "1850-01-01T00:00:00Z"),
    "both after the last": ("9500-01-01T00:00:00Z", "9600-01-01T00:00:00Z"),
    "a century typed wrong": ("2126-01-01T00:00:00Z", "2026-12-31T00:00:00Z"),
}


@pytest.mark.parametrize("more", [{}, {"service_codes": ["FOUR"]}], ids=["alone", "with-a-type"])
@pytest.mark.parametrize(("since", "until"), NO_TIME.values(), ids=NO_TIME)
def test_no_hold_is_in_force_on_no_time_at_all(
    retention: Retention, since: str, until: str, more: dict[str, Any]
) -> None:
    headers = {"x-test-caller": "counsel/cole"}
    query = {"since": since, "until": until, **more}
    hold = {"name": "Doe", "kind": "litigation", "authority": "26-1", "for_later": True}
    answer = retention.client.post("/v1/holds", json={**hold, "query": query}, headers=headers)
    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == "query"
    query["until"] = "9000-01-01T00:00:00Z"
    query["since"] = "2026-01-01T00:00:00Z"
    answer = retention.client.post("/v1/holds", json={**hold, "query": query}, headers=headers)
    assert answer.status_code == 201, answer.text


PARAMETERS = (
    "start_date",
    "end_date",
    "updated_after",
    "updated_before",
    "page",
    "page_size",
    "bbox",
)


@pytest.mark.parametrize("name", NAMES)
def test_the_public_list_answers_or_names_the_parameter(name: str) -> None:
    value = BY_NAME[name]
    now = SystemClock().now()
    for place in PARAMETERS:
        for others in ({}, {"end_date": "2026-03-02T12:00:00Z"}, {"updated_after": value}):
            given: Mapping[str, str] = {**others, place: value}
            query, problems = read_query(given, now)
            assert query.page >= 1
            assert 1 <= query.page_size <= 1000
            for each in problems:
                assert each.field in {*given, "start_date", "updated_after", "bbox"}
                assert len(value) < LONG_ENOUGH or value not in str(each)


# ---------------------------------------------------------------- live

RECORD = re.compile(r"record_id|service_request_id")


def _places(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any], Any]]:
    """Method, path, operation and an example of its body, of all operations of a document."""
    schemas = document.get("components", {}).get("schemas", {})
    for path, item in document["paths"].items():
        for method in ("get", "post", "put", "patch", "delete"):
            if method in item:
                content = item[method].get("requestBody", {}).get("content", {})
                schema = content.get("application/json", {}).get("schema")
                yield method, path, item[method], schema and example(schema, schemas)


def _nasty(schema: dict[str, Any]) -> Mapping[str, str]:
    """What is sent in place of a value of this schema."""
    told = str(schema)
    if "date" in told:
        return TIMES
    return NUMBERS if "integer" in told or "number" in told else CURSORS


@pytest.mark.anyio
@pytest.mark.e2e
@pytest.mark.timeout(580)
@pytest.mark.parametrize("service", CALLERS)
async def test_no_place_of_any_api_breaks(county: County, service: str) -> None:
    (taken,) = (await county.submit({**submission(931), "extensions": "true"})).json()
    record, link = taken["service_request_id"], taken["extended_attributes"]["link_token"]
    address = county.known.services[service]
    document = (await county.http.get(f"{address}/openapi.json")).json()
    asked = 0
    for method, path, operation, _ in _places(document):
        if method != "get" or "rebuild" in path:
            continue
        role = next(role for rule, role in CALLERS[service] if re.search(rule, path))
        if role == LINK:
            headers = {"Authorization": f"Bearer {link}"}
        elif role.startswith(SERVICE):
            headers = await county.service_headers(role, service)
        else:
            headers = await county.session.headers(service, role, "ends")
        url = address + RECORD.sub("record", path).replace("{record}", record)
        parameters = [
            each for each in operation.get("parameters", []) if each["in"] in ("query", "path")
        ]
        required = {
            each["name"]: "1" for each in parameters if each["in"] == "query" and each["required"]
        }
        for each in parameters:
            values = _nasty(each["schema"]).values()
            if each["in"] == "query":
                calls = [(url, {**required, each["name"]: value}) for value in values]
            elif RECORD.search(each["name"]):
                continue
            else:
                # What has dots or slashes alone is another address.
                calls = [
                    (url.replace(f"{{{each['name']}}}", quote(value, safe="")), required)
                    for value in values
                    if value.strip("./")
                ]
            for where, query in calls:
                where = re.sub(r"\{[^}]*\}", "x", where)
                answer = await county.http.get(where, params=query, headers=headers)
                # A machine that is busy may say "not now".
                assert answer.status_code < 500 or answer.status_code == 503, (path, each, query)
                asked += 1
    assert asked
    log = county.stack.log_file(service)
    assert '"http.error"' not in log.read_text(errors="replace")
