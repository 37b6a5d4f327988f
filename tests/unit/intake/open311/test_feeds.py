"""GeoJSON and Atom, as readers of RFC 7946 and RFC 4287 expect them."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from direct311.intake.catalogue.adapters import load_catalogue, load_policies
from direct311.intake.language import LANGUAGES
from direct311.intake.open311.api.feeds import feeds_router
from direct311.intake.open311.wire.feeds import around, atom, geojson, metres
from direct311.intake.settings import IntakeSettings
from direct311.intake.submission.handlers.agreement import Agreement
from direct311.runtime.http.guard import RequestGuard
from tests.support.runtime import SetClock

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
BOX = (-80.4, 25.6, -80.3, 25.7)
NAMES = {"a": "http://www.w3.org/2005/Atom", "g": "http://www.georss.org/georss"}
ID = "0195a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b"


def view(**fields: object) -> dict[str, object]:
    return {
        "service_request_id": ID,
        "status": "open",
        "status_notes": "With the department.",
        "service_name": "Stray or loose dog",
        "service_code": "ANI-STRAY-DOG",
        "description": None,
        "agency_responsible": "animal_services",
        "requested_datetime": "2026-03-01T12:00:00Z",
        "updated_datetime": "2026-03-01T13:00:00Z",
        "expected_datetime": None,
        "address": None,
        "zipcode": "33173",
        "lat": 25.6789,
        "long": -80.3456,
        "media_url": None,
        "secret": "not in the allow-list",
        **fields,
    }


def feed(*views: dict[str, object]) -> ElementTree.Element:
    body = atom(
        views,
        address="http://intake/v1/requests.atom?bbox=1&service_code=A",
        page="http://intake/{id}",
        author="311",
        title="Open",
        now=NOW,
    )
    assert body.startswith(b"<?xml")
    return ElementTree.fromstring(body)


def test_a_point_is_longitude_first_and_only_the_list_of_properties_shows() -> None:
    found = json.loads(geojson([view(), view(lat=None, long=None)], BOX))
    assert (found["type"], found["bbox"]) == ("FeatureCollection", list(BOX))
    (feature,) = found["features"]
    assert feature["id"] == ID
    assert feature["geometry"] == {"type": "Point", "coordinates": [-80.3456, 25.6789]}
    assert "secret" not in feature["properties"]


def test_a_feed_and_its_entries_have_all_that_must_be_there() -> None:
    found = feed(view(updated_datetime="2026-03-01T14:00:00Z"), view(service_request_id="x-1"))
    for element in ("id", "title", "updated", "author/a:name"):
        assert found.findtext(f"a:{element}", namespaces=NAMES)
    assert found.findtext("a:updated", namespaces=NAMES) == "2026-03-01T14:00:00Z"
    first, second = found.findall("a:entry", NAMES)
    for element in ("id", "title", "updated", "published", "summary"):
        assert first.findtext(f"a:{element}", namespaces=NAMES)
    assert first.findtext("a:id", namespaces=NAMES) == f"urn:uuid:{ID}"
    assert second.findtext("a:id", namespaces=NAMES) == "http://intake/x-1"
    assert first.findtext("g:point", namespaces=NAMES) == "25.6789 -80.3456"
    link = first.find("a:link", NAMES)
    assert link is not None
    assert link.attrib == {"rel": "alternate", "href": f"http://intake/{ID}"}


def test_an_empty_feed_is_a_feed() -> None:
    assert feed().findtext("a:updated", namespaces=NAMES) == "2026-03-02T12:00:00Z"
    assert json.loads(geojson([], BOX))["features"] == []


@given(text=st.text(max_size=40))
def test_whatever_a_text_holds_the_documents_can_be_read(text: str) -> None:
    (entry,) = feed(view(description=text, address=text)).findall("a:entry", NAMES)
    assert entry.findtext("a:summary", namespaces=NAMES) is not None
    found = json.loads(geojson([view(description=text)], BOX))
    assert len(found["features"]) == 1


@pytest.mark.parametrize(
    ("latitude", "longitude", "expected"),
    [(25.6789, -80.3456, 0.0), (25.6799, -80.3456, 111.3), (25.6789, -80.3446, 100.3)],
)
def test_distances_are_metres(latitude: float, longitude: float, expected: float) -> None:
    assert metres(25.6789, -80.3456, latitude, longitude) == pytest.approx(expected, abs=0.5)


@given(latitude=st.floats(-80, 80), longitude=st.floats(-179, 179), angle=st.sampled_from(range(8)))
def test_the_box_around_a_place_holds_all_within_the_radius(
    latitude: float, longitude: float, angle: int
) -> None:
    west, south, east, north = around(latitude, longitude, 150)
    assert west < longitude < east
    assert south < latitude < north
    edge = (longitude, north) if angle % 2 else (east, latitude)
    assert metres(latitude, longitude, edge[1], edge[0]) >= 149.9


class NoRequests:
    async def listed(self, query: object) -> Sequence[object]:
        return []


@pytest.mark.policy("P8")
@pytest.mark.parametrize(
    "call",
    [
        "requests.geojson?bbox=-80.40,25.60,-80.35,25.65",
        "requests.atom?bbox=-80.40,25.60,-80.35,25.65",
        "requests/nearby?service_code=ANI-STRAY-DOG&lat=25.6&long=-80.3",
    ],
)
def test_no_cache_shows_a_place_after_it_was_protected(call: str) -> None:
    clock = SetClock()
    router = feeds_router(
        IntakeSettings.model_construct(public_url="http://county.example"),
        NoRequests(),  # type: ignore[arg-type]
        dict.fromkeys(LANGUAGES, load_catalogue().content),
        Agreement(load_policies().content, clock),
        clock,
    )
    app = FastAPI()
    app.include_router(router)
    answer = TestClient(RequestGuard(app)).get(f"/v1/{call}")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
