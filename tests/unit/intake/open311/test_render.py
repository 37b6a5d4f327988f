"""Answers in both formats, and what the public sees of a request."""

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.intake.catalogue.adapters import load_catalogue
from direct311.intake.open311.wire import render, views
from direct311.intake.problems import Problem
from direct311.intake.request import Located, Note, ServiceRequest
from direct311.schemas import events as ev

CATALOGUE = load_catalogue().content
AT = datetime(2026, 3, 2, 12, 0, 0, 999000, tzinfo=UTC)
TYPE = CATALOGUE.services[0]


def stored(**changed: Any) -> ServiceRequest:
    found: dict[str, Any] = {
        "record_id": "r-1",
        "version": 3,
        "service_code": TYPE.service_code,
        "received_at": AT,
        "updated_at": AT,
        "due_on": date(2026, 3, 9),
        "place": ev.Place(
            latitude=25.77, longitude=-80.2, address="111 NW 1 ST", address_id="30-4021-001-0010"
        ),
        "located": Located(
            outcome="resolved",
            latitude=25.77,
            longitude=-80.2,
            address="111 NW 1ST ST",
            address_known=True,
            municipality="Miami",
            zip_code="33128",
        ),
        "place_checked": True,
        "text": "a [name] here",
        "sealed": {"phone": b"sealed"},
        "media": (ev.MediaItem(media_id="m", state="stored", url="http://s/m.jpg"),),
    }
    return ServiceRequest.model_validate(found | changed)


def shown(request: ServiceRequest) -> dict[str, Any]:
    return dict(views.request(request, TYPE, "animal_services", extensions=True))


@pytest.mark.parametrize("outcome", ["unresolved", "outside"])
def test_an_address_that_nobody_could_place_is_not_shown(outcome: str) -> None:
    words = "7 MY NEIGHBOUR JOHN SMITH RD"
    found = shown(stored(located=Located(outcome=outcome, address=words)))
    assert words not in str(found)


def test_a_checked_request_shows_its_place() -> None:
    found = shown(stored())
    assert (found["lat"], found["long"], found["address"]) == (25.77, -80.2, "111 NW 1ST ST")
    # It may be a parcel's, which the registry cannot compare with a home.
    assert found["address_id"] is None
    assert found["requested_datetime"] == "2026-03-02T12:00:00Z"
    assert found["media_url"] == "http://s/m.jpg"
    assert found["description"] is None


@pytest.mark.parametrize(
    ("due_on", "expected"),
    [(date(2026, 3, 9), "2026-03-09T21:00:00Z"), (date(2026, 12, 1), "2026-12-01T22:00:00Z")],
)
def test_what_is_due_on_a_day_is_expected_by_five_in_the_county(
    due_on: date, expected: str
) -> None:
    assert shown(stored(due_on=due_on))["expected_datetime"] == expected


def test_before_the_check_nothing_of_the_place_shows() -> None:
    found = shown(stored(place_checked=False))
    for name in ("lat", "long", "address", "address_id", "zipcode", "media_url", "description"):
        assert found[name] is None, name
    assert found["extended_attributes"]["jurisdiction"] is None


@pytest.mark.policy("P8")
def test_a_protected_request_shows_its_municipality_alone() -> None:
    found = shown(stored(protected=True))
    assert found["address"] == "Miami"
    for name in ("lat", "long", "zipcode", "media_url", "description", "address_id"):
        assert found[name] is None, name
    assert "NW" not in json.dumps(found)
    assert found["extended_attributes"]["photos"] == []


@pytest.mark.policy("P8")
def test_a_protected_request_names_none_that_shows_the_same_place() -> None:
    fields = {"status": "duplicate", "duplicate_of": "r-2"}

    def named(**more: Any) -> object:
        return shown(stored(**fields, **more))["extended_attributes"]["duplicate_of"]

    assert named() == "r-2"
    assert named(protected=True) is None
    assert named(place_checked=False) is None


def test_text_shows_for_types_that_publish_it() -> None:
    public = TYPE.model_copy(update={"flags": TYPE.flags.model_copy(update={"publish_text": True})})
    assert views.request(stored(), public, None, extensions=False)["description"] == "a [name] here"


@pytest.mark.policy("P5")
def test_nothing_sealed_is_in_any_view() -> None:
    assert "sealed" not in json.dumps(shown(stored()))


@pytest.mark.parametrize(
    ("status", "public"), [("routed", "open"), ("referred", "open"), ("fixed", "closed")]
)
def test_extended_statuses_are_open_or_closed(status: ev.RequestStatus, public: str) -> None:
    found = shown(stored(status=status, notes=(Note(at=AT, kind="status", text="Done."),)))
    assert found["status"] == public
    assert found["status_notes"].endswith("Done.")


def test_xml_begins_with_its_declaration_and_lists_have_singular_members() -> None:
    body = render.rows("service_requests", [shown(stored())], "xml").decode()
    assert body.startswith('<?xml version="1.0" encoding="utf-8"?>')
    root = ElementTree.fromstring(body)
    assert root.tag == "service_requests"
    assert root.findtext("request/lat") == "25.770000"
    assert root.find("request/service_notice") is not None
    assert root.findtext("request/extended_attributes/photos/photo/media_url") == "http://s/m.jpg"


def test_json_drops_the_root_and_keeps_every_key() -> None:
    found = json.loads(render.rows("service_requests", [shown(stored(due_on=None))], "json"))
    assert isinstance(found, list)
    assert found[0]["expected_datetime"] is None
    assert isinstance(found[0]["lat"], float)


def test_a_definition_has_booleans_and_values() -> None:
    service = next(s for s in CATALOGUE.services if any(a.values for a in s.attributes))
    found = json.loads(render.tree("service_definition", views.definition(service), "json"))
    listed = next(a for a in found["attributes"] if a["values"])
    assert listed["variable"] is True
    assert set(listed["values"][0]) == {"key", "name"}
    orders = [attribute["order"] for attribute in found["attributes"]]
    assert orders == sorted(set(orders))


def test_errors_in_both_formats() -> None:
    problems = [Problem(400, "lat", "lat is wrong"), Problem(404, "x", "y")]
    assert json.loads(render.errors(problems, "json"))[0] == {
        "code": 400,
        "description": "lat is wrong",
    }
    root = ElementTree.fromstring(render.errors(problems, "xml"))
    assert [code.text for code in root.findall("error/code")] == ["400", "404"]


legal = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\n\r<>&'\"")
)


@given(legal)
def test_text_comes_back_from_both_formats_as_it_was(text: str) -> None:
    rows = [{"description": text}]
    root = ElementTree.fromstring(render.rows("service_requests", rows, "xml"))
    assert (root.findtext("request/description") or "") == text
    assert json.loads(render.rows("service_requests", rows, "json")) == rows


@given(st.text(st.characters() | st.sampled_from("\x00\x0b\ufffe\ud800\udfff")))
def test_any_text_makes_a_document_that_parses(text: str) -> None:
    rows = [{"description": text}]
    ElementTree.fromstring(render.rows("service_requests", rows, "xml"))
    json.loads(render.rows("service_requests", rows, "json"))


def test_what_is_empty_is_null() -> None:
    found = [
        attribute
        for service in CATALOGUE.services
        for attribute in json.loads(
            render.tree("service_definition", views.definition(service), "json")
        )["attributes"]
    ]
    assert {a["datatype_description"] for a in found} > {None}
    assert "" not in {value for a in found for value in a.values() if isinstance(value, str)}


def test_discovery_names_the_specification_and_has_no_trailing_slash() -> None:
    found = views.discovery("http://intake/", None, "local")
    endpoint = found["endpoints"][0]  # type: ignore[index]
    assert endpoint["url"] == "http://intake/open311/v2"
    assert endpoint["type"] == "test"


def test_degrees_have_six_decimals_and_no_exponent() -> None:
    at = Located(outcome="outside", latitude=25.76912345678, longitude=-0.00001)
    request = stored(located=at)
    found = shown(request)
    assert (found["lat"], found["long"]) == (25.769123, -0.00001)
    root = ElementTree.fromstring(render.rows("service_requests", [found], "xml"))
    assert root.findtext("request/lat") == "25.769123"
    assert root.findtext("request/long") == "-0.000010"


HISTORY = (
    Note(at=AT, kind="status", status="in_progress", text="Crew sent."),
    Note(at=AT, kind="comment", text="still there", said="CLOSED", update_id="u-1"),
)


def test_a_residents_comment_shows_its_text_only_where_the_type_says_so() -> None:
    found = shown(stored(notes=HISTORY, status="in_progress"))
    assert [note["description"] for note in found["notes"]] == ["Crew sent.", None]
    assert found["status_notes"] == "Work has begun. Crew sent."
    public = TYPE.model_copy(update={"flags": TYPE.flags.model_copy(update={"publish_text": True})})
    found = dict(views.request(stored(notes=HISTORY), public, None, extensions=True))
    assert [note["description"] for note in found["notes"]] == ["Crew sent.", "still there"]


@pytest.mark.parametrize("hidden", [{"protected": True}, {"place_checked": False}])
def test_no_text_of_a_protected_or_unchecked_request_shows(hidden: dict[str, Any]) -> None:
    found = shown(stored(notes=HISTORY, status="in_progress", **hidden))
    assert [note["description"] for note in found["notes"]] == [None, None]
    assert found["status_notes"] == "Work has begun."
    assert "Crew sent" not in json.dumps(found)


def test_answers_show_with_their_questions_only_where_the_type_is_public() -> None:
    answers = (ev.AttributeValue(code="SIZE", values=("medium",)),)
    type_ = CATALOGUE.by_code("ANI-STRAY-DOG")
    assert type_ is not None
    request = stored(attributes=answers)
    assert dict(views.request(request, type_, None, extensions=True))["attributes"] == []
    flags = type_.flags.model_copy(update={"publish_text": True})
    public = type_.model_copy(update={"flags": flags})
    found = dict(views.request(request, public, None, extensions=True))
    assert found["attributes"] == [
        {
            "code": "SIZE",
            "label": "How big is the dog?",
            "values": [{"key": "medium", "name": "Medium, 26 to 60 pounds"}],
        }
    ]
    hidden = stored(attributes=answers, protected=True)
    assert dict(views.request(hidden, public, None, extensions=True))["attributes"] == []


TREES = st.lists(
    st.dictionaries(
        st.sampled_from(["a", "notes", "values"]),
        st.none() | st.text() | st.booleans() | st.lists(st.text(), max_size=2),
        max_size=3,
    ),
    max_size=4,
)


@pytest.mark.parametrize("form", ["json", "xml"])
@given(TREES)
def test_many_rows_are_written_as_few_are(
    form: render.Format, found: list[dict[str, object]]
) -> None:
    made = asyncio.run(render.many_rows("service_requests", iter(found), form))
    assert made == render.rows("service_requests", found, form)


@pytest.mark.anyio
@pytest.mark.parametrize("form", ["json", "xml"])
async def test_who_waits_is_served_between_two_rows(form: render.Format) -> None:
    made: list[int] = []
    seen: list[int] = []

    def rows() -> Iterator[render.Tree]:
        for number in range(20):
            time.sleep(0.002)
            made.append(number)
            yield {"number": number}

    async def waiting() -> None:
        while len(made) < 20:
            seen.append(len(made))
            await asyncio.sleep(0)

    other = asyncio.create_task(waiting())
    await render.many_rows("service_requests", rows(), form)
    await other
    assert len(set(seen)) >= 15
