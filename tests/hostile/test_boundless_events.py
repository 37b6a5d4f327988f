"""An event without an end, and a peer's words that become public: another process says them.

A service that is taken over, or a department, sends lists of a million, texts of a hundred
megabytes, addresses that turn the page around and links that are scripts.
"""

import json
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from direct311.intake.lifecycle.handlers import Follow
from direct311.intake.protection.adapters.geo import MOST_READINGS, GeoAddresses
from direct311.intake.request import ServiceRequest
from direct311.routing.job import Job
from direct311.runtime.text import ForeignLinkError, cleaned
from direct311.schemas import ALL, BY_NAME, DecodeError, Event, EventType, decode, published
from direct311.schemas import events as ev
from tests.support.runtime import NOW, SetClock
from tests.unit.intake.lifecycle.test_follow import INDEXES, NOBODY, located
from tests.unit.routing.work.test_consumers import RoutingUnderTest

pytestmark = pytest.mark.anyio

LONG = "x" * 200_000
MANY = 20_000


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


def unbounded(part: Mapping[str, Any], where: str) -> Iterator[str]:
    """The texts, lists and maps of a schema that have no end."""
    for each in part.get("anyOf", ()):
        yield from unbounded(each, where)
    match part.get("type"):
        case "string":
            if not {"maxLength", "pattern", "enum", "const", "format"} & set(part):
                yield where
        case "array":
            if "maxItems" not in part:
                yield f"{where}[]"
            inner = part.get("prefixItems") or [part["items"]]
            for each in inner:
                yield from unbounded(each, f"{where}[]")
        case "object" if "additionalProperties" in part:
            if "maxProperties" not in part:
                yield f"{where}{{}}"
            yield from unbounded(part["additionalProperties"], f"{where}{{}}")
            yield from unbounded(part.get("propertyNames", {"type": "string"}), f"{where} key")
        case "object":
            for name, each in part.get("properties", {}).items():
                yield from unbounded(each, f"{where}.{name}")


@pytest.mark.parametrize("kind", ALL, ids=[kind.name for kind in ALL])
def test_every_text_list_and_map_of_an_event_has_an_end(kind: EventType) -> None:
    document = published.schema(kind)
    parts = {kind.name: document, **document.get("$defs", {})}
    assert [each for name, part in parts.items() for each in unbounded(part, name)] == []


def grown(value: Any) -> Iterator[Any]:
    """The value with one of its texts or lists made long, each in turn."""
    if isinstance(value, str):
        yield LONG
    elif isinstance(value, list):
        yield value * MANY
        for at, each in enumerate(value):
            for longer in grown(each):
                yield [*value[:at], longer, *value[at + 1 :]]
    elif isinstance(value, dict):
        for name, each in value.items():
            for longer in grown(each):
                yield {**value, name: longer}


@pytest.mark.parametrize("kind", ALL, ids=[kind.name for kind in ALL])
def test_an_event_with_anything_too_long_in_it_is_none(kind: EventType) -> None:
    data = published.example(kind, full=True)
    headers = published.headers(kind, data)
    decode(headers, json.dumps(data).encode())
    variants = list(grown(data))
    assert variants
    for variant in variants:
        with pytest.raises(DecodeError) as refused:
            decode(headers, json.dumps(variant).encode())
        assert "xxx" not in str(refused.value)


@pytest.mark.parametrize("field", ["layers", "boundary_sets"])
@pytest.mark.parametrize(
    "value",
    [{str(n): "x" for n in range(1_000)}, {LONG: "x"}, {"x": LONG}],
    ids=["many", "a long name", "a long value"],
)
def test_maps_have_an_end(field: str, value: dict[str, str]) -> None:
    kind = BY_NAME["location.resolved"]
    data = published.example(kind, full=True) | {field: value}
    with pytest.raises(DecodeError):
        decode(published.headers(kind, data), json.dumps(data).encode())


@pytest.mark.parametrize("count", [33, 100, 5_000])
def test_geo_has_no_more_readings_than_thirty_two(count: int) -> None:
    kind = BY_NAME["location.resolved"]
    data = published.example(kind, full=True)
    data["read"]["readings"] = ["11500 104"] * 32
    decode(published.headers(kind, data), json.dumps(data).encode())
    data["read"]["readings"] = ["11500 104"] * count
    with pytest.raises(DecodeError):
        decode(published.headers(kind, data), json.dumps(data).encode())


@pytest.mark.parametrize("name", ["ce_id", "ce_type", "ce_source", "ce_subject", "ce_keyid"])
def test_attributes_have_an_end(name: str) -> None:
    kind = BY_NAME["disposition.certified"]
    data = published.example(kind, full=True)
    headers = published.headers(kind, data) | {name: LONG}
    with pytest.raises(DecodeError):
        decode(headers, json.dumps(data).encode())


@pytest.mark.parametrize("count", [1, 32, 33, 10_000])
async def test_of_geos_answer_no_more_readings_are_taken(count: int) -> None:
    async def post(*_: object, **__: object) -> Mapping[str, Any]:
        return {"address": "1 A ST", "readings": [str(n) for n in range(count)]}

    read = await GeoAddresses(SimpleNamespace(post=post)).normalise("1 A St")  # type: ignore[arg-type]
    assert read is not None
    assert len(read.readings) == min(count, MOST_READINGS)


# ---------------------------------------------------------------- what becomes public

HIDDEN = {
    "turned around": "11500 SW\u202e 104TH ST",
    "zero width": "11500\u200b SW 104TH ST",
    "a line break": "11500 SW 104TH ST\nClosed",
    "a null": "11500\x00 SW 104TH ST",
    "a tag": "11500 \U000e0041SW 104TH ST",
}


@pytest.mark.parametrize("text", HIDDEN.values(), ids=HIDDEN)
@pytest.mark.parametrize("field", ["address", "municipality", "zip_code"])
async def test_geos_words_are_cleaned_before_they_are_public(field: str, text: str) -> None:
    read = ev.AddressRead(known=True, readings=("11500 104",))
    found = {"outcome": "resolved", "latitude": 25.6, "longitude": -80.3, "read": read, field: text}
    state, _, shown = await located(NOBODY, ev.Place(address="x"), **found)
    assert state.located is not None
    assert getattr(state.located, field) == cleaned(text) != text
    assert text not in json.dumps(shown, default=str, ensure_ascii=False)


@pytest.mark.parametrize("text", HIDDEN.values(), ids=HIDDEN)
async def test_geos_answer_is_cleaned(text: str) -> None:
    async def post(*_: object, **__: object) -> Mapping[str, Any]:
        return {"address": text, "readings": []}

    read = await GeoAddresses(SimpleNamespace(post=post)).normalise("x")  # type: ignore[arg-type]
    assert read is not None
    assert read.line == cleaned(text)


@pytest.mark.parametrize("text", ["fixed\u202e dexif", "a\u200bb", "a\x00b", "a\x1b[2Jb"])
async def test_routings_words_are_cleaned_before_they_are_public(text: str) -> None:
    work = ev.WorkUpdated(
        record_id="r",
        version=1,
        update_id=str(uuid4()),
        department="parks",
        status="in_progress",
        note=text,
        occurred_at=NOW,
        accepted_at=NOW,
    )
    change = await follow().worked(REQUEST, event(work))
    assert change is not None
    assert change.state.notes[-1].text == cleaned(text, lines=True) != text


LINKS = [
    "javascript:alert(1)",
    "JAVASCRIPT:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "ftp://example.org/a.jpg",
    "//example.org/a.jpg",
    "/a.jpg",
    "a.jpg",
    "",
    " https://example.org/a.jpg",
    "https://",
    "https:///a.jpg",
    "https://good.example@evil.example/a.jpg",
    "https://example.org/\u202egpj.a",
    'https://example.org/"><script>',
    "https://example.org/a b",
    "https://example.org/a\nb",
    "http:\\\\example.org\\a",
    "text",
]


@pytest.mark.parametrize("link", LINKS, ids=ascii)
async def test_a_file_lies_on_the_web_or_is_not_taken(link: str) -> None:
    stored = media(link)
    with pytest.raises(ForeignLinkError):
        await follow().media(REQUEST, event(stored))
    routing = RoutingUnderTest()
    with pytest.raises(ForeignLinkError):
        await routing.processor._handlers[ev.MediaStored](
            Job(record_id="r", version=1), event(stored)
        )


@pytest.mark.parametrize(
    "link",
    [
        None,
        "https://media.example.gov/public/0195a1b2.jpg",
        "http://127.0.0.1:19311/direct311-public/r/0195a1b2.jpg",
        "https://media.example.gov/a.jpg?version=2&x=%20#top",
    ],
)
async def test_a_file_on_the_web_is_taken(link: str | None) -> None:
    change = await follow().media(REQUEST, event(media(link)))
    assert change is not None
    assert change.state.media[0].url == link


REQUEST = ServiceRequest(
    record_id="r", version=1, service_code="x", status="routed", received_at=NOW, updated_at=NOW
)


def follow() -> Follow:
    return Follow(NOBODY, INDEXES.place, SetClock())


def media(link: str | None) -> ev.MediaStored:
    item = ev.MediaItem(media_id="m", state="stored", url=link)
    return ev.MediaStored(record_id="r", version=1, media=(item,), stored_at=NOW)


def event(data: Any) -> Event[Any]:
    return Event(str(uuid4()), "/direct311/x", "r", NOW, data)
