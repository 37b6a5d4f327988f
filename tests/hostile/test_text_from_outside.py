"""What comes from outside reaches screens, lists and spreadsheets as what it shows, and names times
that can be."""

import csv
import io
import json
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from direct311.audit.disposition.api import HoldOrder as LogHoldOrder
from direct311.audit.question import Question
from direct311.audit.questions.api.tables import csv_lines
from direct311.geo.boundaries.adapters.shapes import read_boundary_set
from direct311.intake.catalogue.adapters import load_catalogue
from direct311.intake.clients.api.clients import ChangeOrder
from direct311.intake.open311.wire.updates import read_comment
from direct311.retention.holds.api import HoldOrder
from direct311.routing.assignment.adapters import load_rules
from direct311.routing.job import Job
from direct311.routing.work.handlers import Answers
from direct311.schemas import Event
from direct311.schemas import events as ev
from tests.support.county import County, until
from tests.support.drafts import read_form, read_json
from tests.support.runtime import NOW, SetClock
from tests.support.submissions import submission
from tests.support.work_notes import InMemoryWorkNotes, no_job

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
CATALOGUE = load_catalogue().content
DOG = "ANI-STRAY-DOG"

HIDDEN = {
    "a zero width space": "\u200b",
    "a word joiner": "\u2060",
    "a byte order mark": "\ufeff",
    "a left-to-right mark": "\u200e",
    "a right-to-left mark": "\u200f",
    "an arabic letter mark": "\u061c",
    "a right-to-left override": "\u202e",
    "a left-to-right override": "\u202d",
    "an embedding": "\u202b",
    "the end of an embedding": "\u202c",
    "an isolate": "\u2067",
    "the end of an isolate": "\u2069",
    "a soft hyphen": "\u00ad",
    "a hangul filler": "\u3164",
    "a half-width hangul filler": "\uffa0",
    "a jamo filler": "\u115f",
    "a variation selector": "\ufe01",
    "a supplementary variation selector": "\U000e0101",
    "a tag": "\U000e0041",
    "the end of tags": "\U000e007f",
    "a grapheme joiner": "\u034f",
    "an invisible plus": "\u2064",
    "an annotation": "\ufff9",
    "an object": "\ufffc",
    "a musical format character": "\U0001d173",
    "private use": "\ue000",
    "private use of a far plane": "\U0010fffd",
    "no character": "\uffff",
    "not assigned": "\u0378",
    "next line": "\x85",
    "a c1 control": "\x9b",
    "a line separator": "\u2028",
}
HEADS = {
    "as it is": "",
    **{name: char for name, char in HIDDEN.items() if char not in "\x85\u2028"},
    "a blank": " ",
    "a no-break space": "\u00a0",
    "an ideographic space": "\u3000",
    "a braille blank": "\u2800",
    "a tab": "\t",
    "a return": "\r",
    "a line end": "\n",
    "a vertical tab": "\x0b",
    "a null": "\x00",
    "many of them": "\u200b\u2060 \u3164\t\u200e",
    "more than anybody looks at": "\u200b" * 5_000,
}
FORMULAS = {
    "equals": "=1+1",
    "plus": "+1",
    "minus": "-1",
    "at": "@SUM(1)",
    "wide equals": "\uff1d1",
    "wide plus": "\uff0b1",
    "wide minus": "\uff0d1",
    "wide at": "\uff20x",
    "small equals": "\ufe661",
    "small at": "\ufe6bx",
    "raised plus": "\u207a1",
    "raised equals": "\u207c1",
    "a sign of subtraction": "\u22121",
}


def ids(texts: Mapping[str, str]) -> list[Any]:
    return [pytest.param(text, id=name) for name, text in texts.items()]


def unseen(text: str) -> list[str]:
    """Names of what in a text a reader does not see, or that moves what stands around it."""
    return [
        unicodedata.name(char, hex(ord(char)))
        for char in text
        if (unicodedata.category(char)[0] == "C" and char not in "\n\t")
        or unicodedata.category(char) in ("Zl", "Zp")
        or char in "".join(HIDDEN.values())
    ]


# ---------------------------------------------------------------- what residents send


@pytest.mark.parametrize("char", ids(HIDDEN))
def test_a_form_holds_what_it_shows(char: str) -> None:
    said = f"The dog{char} runs along the {char}canal"
    pairs = [
        *(("service_code", DOG), ("lat", "25.77"), ("long", "-80.2")),
        *(("description", said), ("address_string", f"111 NW{char}\n1 ST")),
        *(("first_name", f"An{char}na"), ("phone", f"305-555{char}-0100")),
    ]
    found = read_form(pairs, CATALOGUE, AT)
    assert found.submission is not None
    place, contact = found.submission.place, found.submission.contact
    for text in (found.submission.description, place.address or "", *contact.values()):
        assert unseen(text) == []
    # What is sent again without it, or with it, is the same.
    bare = [(name, value.replace(char, "")) for name, value in pairs]
    if char not in "\x85\u2028":
        assert read_form(bare, CATALOGUE, AT).submission == found.submission


@pytest.mark.parametrize("char", ids(HIDDEN))
def test_so_do_json_and_comments(char: str) -> None:
    given = {"service_code": DOG, "lat": 25.77, "long": -80.2, "description": f"a{char}b"}
    found = read_json(given, CATALOGUE, AT)
    assert found.submission is not None
    assert unseen(found.submission.description) == []
    form = [
        *(("jurisdiction_id", "miamidade"), ("service_request_id", "r1"), ("update_id", "u1")),
        *(("status", "OPEN"), ("description", f"It is{char} back")),
    ]
    comment, problems = read_comment(form)
    assert problems == []
    assert comment is not None
    assert unseen(comment.text) == []


@pytest.mark.parametrize("char", ids(HIDDEN))
def test_a_link_that_shows_less_than_it_is_is_none(char: str) -> None:
    pairs = [
        *(("service_code", DOG), ("lat", "25.77"), ("long", "-80.2")),
        ("media_url", f"https://example.org/{char}gpj.exe"),
    ]
    assert [each.field for each in read_form(pairs, CATALOGUE, AT).problems] == ["media_url"]


# ---------------------------------------------------------------- what staff name


@pytest.mark.parametrize("char", ids(HIDDEN))
def test_names_that_staff_give_hold_what_they_show(char: str) -> None:
    name = f"Canal{char} suit"
    order = {"name": name, "kind": "litigation", "authority": f"Case{char} 26-114"}
    held = HoldOrder.model_validate({**order, "record_ids": ["r1"]})
    logged = LogHoldOrder.model_validate(order)
    client = ChangeOrder.model_validate({"reference": "WO-1", "name": name})
    asked = Question.model_validate({"actor": f"an{char}na"})
    for text in (
        held.name,
        held.authority,
        logged.name,
        logged.authority,
        client.name,
        asked.actor,
    ):
        assert unseen(text or "") == []


@pytest.mark.parametrize("char", ids(HIDDEN))
def test_names_of_areas_hold_what_they_show(char: str) -> None:
    corners = [[-80.3, 25.7], [-80.2, 25.7], [-80.2, 25.8], [-80.3, 25.7]]
    area = {
        "type": "Feature",
        "properties": {"code": f"4{char}", "name": f"District{char} 4"},
        "geometry": {"type": "Polygon", "coordinates": [corners]},
    }
    document = {"type": "FeatureCollection", "features": [area]}
    (found,) = read_boundary_set(
        document, layer="district", label="1", source="the county"
    ).features
    assert unseen(found.code + found.name) == []


# ---------------------------------------------------------------- what departments send

FILES = load_rules()
RECORD = "01900000-0000-7000-8000-000000000001"


def event(data: Any) -> Event[Any]:
    return Event("e", "/direct311/test", RECORD, NOW, data)


async def answered(**said: Any) -> ev.WorkUpdated | ev.UpdateRefused:
    """What becomes of an update of the department that has the job."""
    use = Answers(FILES.states, lambda text: text, InMemoryWorkNotes(), no_job, SetClock())
    job = Job(record_id=RECORD, version=1, status="routed", department="parks")
    update = {"record_id": RECORD, "department": "parks", "status": "fixed", "occurred_at": NOW}
    change = await use.answered(job, event(ev.DepartmentUpdate.model_validate(update | said)))
    assert change is not None
    told = change.events[-1].data
    assert isinstance(told, ev.WorkUpdated | ev.UpdateRefused)
    return told


@pytest.mark.anyio
@pytest.mark.parametrize("char", ids(HIDDEN))
async def test_a_departments_note_and_number_hold_what_they_show(char: str) -> None:
    found = await answered(note=f"Done{char} today", work_reference=f"WO-{char}7")
    assert isinstance(found, ev.WorkUpdated)
    assert unseen(found.note) == []
    assert unseen(found.work_reference or "") == []


TIMES = {
    "the year 2099": datetime(2099, 1, 1, tzinfo=UTC),
    "the end of the calendar": datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    "its beginning": datetime(1, 1, 1, tzinfo=UTC),
    "the epoch": datetime(1970, 1, 1, tzinfo=UTC),
    "a century ago": NOW - timedelta(days=36_525),
    "in a year": NOW + timedelta(days=365),
    "tomorrow": NOW + timedelta(days=1),
    "in two hours": NOW + timedelta(hours=2),
    "two years ago": NOW - timedelta(days=731),
}


@pytest.mark.anyio
@pytest.mark.parametrize("at", [pytest.param(at, id=name) for name, at in TIMES.items()])
async def test_a_department_has_done_nothing_at_a_time_that_cannot_be(at: datetime) -> None:
    found = await answered(occurred_at=at)
    assert isinstance(found, ev.UpdateRefused)
    assert found.code == "malformed"
    assert "occurred_at" in found.reason


@pytest.mark.anyio
async def test_a_clock_that_is_a_little_ahead_says_now() -> None:
    found = await answered(occurred_at=NOW + timedelta(minutes=5))
    assert isinstance(found, ev.WorkUpdated)
    assert found.occurred_at == NOW


ASKED_WHEN = [
    (type_, question)
    for type_ in CATALOGUE.services
    for question in type_.attributes
    if question.datatype == "datetime" and question.asked_if is None
]


@pytest.mark.parametrize(
    "told", ["2099-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1800-01-01T00:00:00Z"]
)
def test_no_answer_names_a_time_that_cannot_be(told: str) -> None:
    assert ASKED_WHEN, "no type asks for a time"
    for type_, question in ASKED_WHEN:
        name = f"attribute[{question.code}]"
        pairs = [("service_code", type_.service_code), ("lat", "25.77"), ("long", "-80.2")]
        problems = read_form([*pairs, (name, told)], CATALOGUE, AT).problems
        assert name in {each.field for each in problems}
        problems = read_form([*pairs, (name, AT.isoformat())], CATALOGUE, AT).problems
        assert name not in {each.field for each in problems}


# ---------------------------------------------------------------- spreadsheets


@pytest.mark.parametrize("formula", ids(FORMULAS))
@pytest.mark.parametrize("head", ids(HEADS))
def test_no_cell_is_a_formula_whatever_stands_before_it(head: str, formula: str) -> None:
    ((cell,),) = csv.reader(io.StringIO(csv_lines([[head + formula]]).decode(), newline=""))
    assert cell.startswith("'")
    assert unseen(cell) == []


@pytest.mark.parametrize("char", ids(HIDDEN))
def test_a_cell_shows_all_that_it_holds(char: str) -> None:
    ((cell,),) = csv.reader(io.StringIO(csv_lines([[f"a{char}b"]]).decode(), newline=""))
    assert unseen(cell) == []
    assert cell[0] == "a"


# ---------------------------------------------------------------- on the running stack


@pytest.mark.e2e
@pytest.mark.anyio
async def test_screens_and_spreadsheets_get_what_is_seen(county: County) -> None:
    text = "It runs \u202ealong\u202c the\u200b canal\U000e0041."
    record_id = await county.accepted(submission(5103, description=text, first_name="A\u200bnna"))
    job = await county.routed(record_id)
    assert unseen(json.dumps(job["routed"], ensure_ascii=False)) == []
    answer = await county.read_contact(
        record_id,
        "agent",
        "eve",
        fields=["first_name", "description"],
        justification="\u200b=HYPERLINK(0) \u202ecall back\u202c before the visit",
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["fields"]["first_name"] == "Anna"
    assert unseen(answer.json()["fields"]["description"]) == []

    async def table() -> str | None:
        body = {"filter": {"record": record_id}, "format": "csv", "reference": "LETTER-57"}
        found = await county.ask("POST", "audit", "/v1/exports", "auditor", "ines", body)
        return found.text if "HYPERLINK" in found.text else None

    rows = list(csv.DictReader(io.StringIO(await until(table, "it is in the log"), newline="")))
    (why,) = {row["justification"] for row in rows if "HYPERLINK" in row["justification"]}
    assert why.startswith("'=HYPERLINK")
    assert unseen(why) == []
