"""Open requests as GeoJSON (RFC 7946) and as an Atom feed (RFC 4287), from the public view."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

from direct311.intake.open311.queries import Box
from direct311.intake.open311.render import Tree, instant, legal

ATOM = "http://www.w3.org/2005/Atom"
GEORSS = "http://www.georss.org/georss"
register_namespace("", ATOM)
register_namespace("georss", GEORSS)
_METRES_A_DEGREE = 111_320.0
_SHOWN = (
    "status",
    "status_notes",
    "service_name",
    "service_code",
    "description",
    "agency_responsible",
    "requested_datetime",
    "updated_datetime",
    "expected_datetime",
    "address",
    "zipcode",
    "media_url",
)


def metres(
    latitude: float, longitude: float, other_latitude: float, other_longitude: float
) -> float:
    """How far two points lie apart, on a plane that is good enough for a few hundred metres."""
    east = math.cos(math.radians(latitude)) * (other_longitude - longitude)
    return math.hypot(other_latitude - latitude, east) * _METRES_A_DEGREE


def around(latitude: float, longitude: float, radius: float) -> Box:
    """The box that holds all within a radius in metres."""
    north = radius / _METRES_A_DEGREE
    east = north / max(math.cos(math.radians(latitude)), 0.01)
    return longitude - east, latitude - north, longitude + east, latitude + north


def geojson(views: Sequence[Tree], box: Box) -> bytes:
    """A FeatureCollection of points; `box` is what was asked for."""
    features = [
        {
            "type": "Feature",
            "id": each["service_request_id"],
            "geometry": {"type": "Point", "coordinates": [each["long"], each["lat"]]},
            "properties": {name: each[name] for name in _SHOWN},
        }
        for each in views
        if each["lat"] is not None and each["long"] is not None
    ]
    collection = {"type": "FeatureCollection", "bbox": list(box), "features": features}
    return json.dumps(collection, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "replace"
    )


def atom(
    views: Sequence[Tree], *, address: str, page: str, author: str, title: str, now: datetime
) -> bytes:
    """A feed whose newest change is first. `address`: the feed's own; `page`: a request's, with
    `{id}`."""
    feed = Element(f"{{{ATOM}}}feed")
    _text(feed, "id", address)
    _text(feed, "title", title)
    newest = max((str(each["updated_datetime"]) for each in views), default=None)
    _text(feed, "updated", newest or instant(now) or "")
    _text(SubElement(feed, f"{{{ATOM}}}author"), "name", author)
    SubElement(feed, f"{{{ATOM}}}link", {"rel": "self", "href": address})
    for each in views:
        _entry(feed, each, page)
    found: bytes = tostring(feed, encoding="utf-8", xml_declaration=True)
    return found


def _entry(feed: Element, each: Mapping[str, object], page: str) -> None:
    record_id = str(each["service_request_id"])
    entry = SubElement(feed, f"{{{ATOM}}}entry")
    _text(entry, "id", _iri(record_id, page))
    _text(entry, "title", str(each["service_name"] or each["service_code"]))
    _text(entry, "published", str(each["requested_datetime"]))
    _text(entry, "updated", str(each["updated_datetime"]))
    SubElement(entry, f"{{{ATOM}}}link", {"rel": "alternate", "href": page.format(id=record_id)})
    SubElement(
        entry,
        f"{{{ATOM}}}category",
        {"term": str(each["service_code"]), "label": legal(str(each["service_name"] or ""))},
    )
    said = [each["status_notes"], each["address"], each["description"]]
    _text(entry, "summary", "\n".join(str(part) for part in said if part))
    if each["lat"] is not None and each["long"] is not None:
        point = SubElement(entry, f"{{{GEORSS}}}point")
        point.text = f"{each['lat']} {each['long']}"


def _iri(record_id: str, page: str) -> str:
    """An id that stays (RFC 4287, section 4.2.6)."""
    try:
        return f"urn:uuid:{UUID(record_id)}"
    except ValueError:
        return page.format(id=record_id)


def _text(parent: Element, name: str, text: str) -> None:
    SubElement(parent, f"{{{ATOM}}}{name}").text = legal(text)
