"""Open requests as GeoJSON (RFC 7946) and as an Atom feed (RFC 4287), from the public view."""

import json
import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID
from xml.sax.saxutils import escape, quoteattr

from direct311.intake.open311.domain import Box
from direct311.intake.open311.wire.render import Tree, instant, legal

ATOM = "http://www.w3.org/2005/Atom"
GEORSS = "http://www.georss.org/georss"
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
    """The distance between two points, on a plane, which is accurate enough for a few hundred
    meters."""
    east = math.cos(math.radians(latitude)) * (other_longitude - longitude)
    return math.hypot(other_latitude - latitude, east) * _METRES_A_DEGREE


def around(latitude: float, longitude: float, radius: float) -> Box:
    """The box that contains everything within a radius in meters."""
    north = radius / _METRES_A_DEGREE
    east = north / max(math.cos(math.radians(latitude)), 0.01)
    return longitude - east, latitude - north, longitude + east, latitude + north


def geojson(views: Sequence[Tree], box: Box) -> bytes:
    """A FeatureCollection of points; `box` is the area that was asked for."""
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
    """A feed of these requests. `address`: the address of the feed; `page`: that of a request, with
    `{id}`."""
    newest = max((str(each["updated_datetime"]) for each in views), default=instant(now) or "")
    parts = [
        '<?xml version="1.0" encoding="utf-8"?>\n',
        f'<feed xmlns="{ATOM}" xmlns:georss="{GEORSS}">',
        _element("id", address),
        _element("title", title),
        _element("updated", newest),
        f"<author>{_element('name', author)}</author>",
        f'<link rel="self" href={quoteattr(legal(address))}/>',
        *(part for each in views for part in _entry(each, page)),
        "</feed>",
    ]
    return "".join(parts).encode("utf-8", "replace")


def _entry(each: Tree, page: str) -> Iterator[str]:
    record_id = str(each["service_request_id"])
    name = str(each["service_name"] or each["service_code"])
    said = (each["status_notes"], each["address"], each["description"])
    yield "<entry>"
    yield _element("id", _iri(record_id, page))
    yield _element("title", name)
    yield _element("published", str(each["requested_datetime"]))
    yield _element("updated", str(each["updated_datetime"]))
    yield f'<link rel="alternate" href={quoteattr(page.format(id=record_id))}/>'
    code = quoteattr(legal(str(each["service_code"])))
    yield f"<category term={code} label={quoteattr(legal(name))}/>"
    yield _element("summary", "\n".join(str(part) for part in said if part))
    if each["lat"] is not None and each["long"] is not None:
        yield f"<georss:point>{each['lat']} {each['long']}</georss:point>"
    yield "</entry>"


def _iri(record_id: str, page: str) -> str:
    """An id that never changes (RFC 4287, section 4.2.6)."""
    try:
        return f"urn:uuid:{UUID(record_id)}"
    except ValueError:
        return page.format(id=record_id)


def _element(name: str, text: str) -> str:
    return f"<{name}>{escape(legal(text))}</{name}>"
