"""A layer of an ArcGIS server, page by page: exchanges in the shapes that ArcGIS documents."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from direct311.cli.arcgis import ArcGisError, ArcGisLayer
from direct311.runtime.peers import HttpClient

pytestmark = pytest.mark.anyio
URL = "https://gis.example/arcgis/rest/services/Beats/FeatureServer/0"
LAYER = {
    "id": 0,
    "name": "Beats",
    "type": "Feature Layer",
    "geometryType": "esriGeometryPolygon",
    "objectIdField": "FID",
    "maxRecordCount": 2,
    "advancedQueryCapabilities": {"supportsPagination": True},
}
AREA = {
    "type": "Polygon",
    "coordinates": [[[-80.4, 25.6], [-80.3, 25.6], [-80.3, 25.7], [-80.4, 25.6]]],
}


def feature(number: int) -> dict[str, Any]:
    return {"type": "Feature", "id": number, "properties": {"FID": number}, "geometry": AREA}


class Server:
    """Answers like ArcGIS, in pages of two. `failing`: what it answers first, in turn."""

    def __init__(self, count: int) -> None:
        self.names = list(range(count))
        self.failing: list[httpx.Response] = []
        self.layer: dict[str, Any] = LAYER
        self.asked: list[dict[str, str]] = []
        self.sent: list[int] = []
        self.more: Callable[[bool], dict[str, Any]] = lambda more: (
            {"properties": {"exceededTransferLimit": True}} if more else {}
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        if self.failing:
            return self.failing.pop(0)
        query = dict(request.url.params)
        if request.url.path.endswith("/0"):
            return httpx.Response(200, json=self.layer)
        self.asked.append(query)
        first, size = int(query["resultOffset"]), int(query["resultRecordCount"])
        found = self.names[first : first + size]
        etag = f'"{"-".join(map(str, found))}"'
        if request.headers.get("if-none-match") == etag:
            return httpx.Response(304)
        self.sent += found
        body = {
            "type": "FeatureCollection",
            **self.more(first + size < len(self.names)),
            "features": [feature(each) for each in found],
        }
        return httpx.Response(200, json=body, headers={"ETag": etag})


async def fetched(server: Server, file: Path) -> tuple[int, bool, list[float]]:
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    http = HttpClient(transport=httpx.MockTransport(server.answer))
    try:
        count, changed = await ArcGisLayer(URL, http, pause).fetch(file)
    finally:
        await http.close()
    return count, changed, waited


def numbers(file: Path) -> list[int]:
    return [each["id"] for each in json.loads(file.read_bytes())["features"]]


@pytest.mark.parametrize("above", [True, False])
async def test_all_pages_are_one_file(above: bool, tmp_path: Path) -> None:
    server, file = Server(5), tmp_path / "beats.geojson"
    if above:
        server.more = lambda more: {"exceededTransferLimit": more}
    assert await fetched(server, file) == (5, True, [])
    assert numbers(file) == [0, 1, 2, 3, 4]
    assert [each["resultOffset"] for each in server.asked] == ["0", "2", "4"]
    assert {each["orderByFields"] for each in server.asked} == {"FID"}
    assert {(each["outSR"], each["f"]) for each in server.asked} == {("4326", "geojson")}
    assert json.loads(file.read_bytes())["source"] == URL


async def test_only_pages_that_changed_are_sent_again(tmp_path: Path) -> None:
    server, file = Server(5), tmp_path / "beats.geojson"
    await fetched(server, file)
    server.sent.clear()
    assert await fetched(server, file) == (5, False, [])
    assert server.sent == []
    assert numbers(file) == [0, 1, 2, 3, 4]
    server.names[2] = 7
    assert await fetched(server, file) == (5, True, [])
    assert server.sent == [7, 3]
    assert numbers(file) == [0, 1, 7, 3, 4]


async def test_a_file_that_was_changed_by_hand_is_fetched_whole(tmp_path: Path) -> None:
    server, file = Server(3), tmp_path / "beats.geojson"
    await fetched(server, file)
    file.write_text(json.dumps({"type": "FeatureCollection", "features": []}))
    assert (await fetched(server, file))[:2] == (3, True)
    assert numbers(file) == [0, 1, 2]


BUSY = {"error": {"code": 500, "message": "Error performing query operation", "details": []}}


async def test_it_tries_again_where_that_may_help(tmp_path: Path) -> None:
    server = Server(1)
    server.failing = [
        httpx.Response(503, headers={"Retry-After": "7"}),
        httpx.Response(200, json=BUSY),
    ]
    assert await fetched(server, tmp_path / "f") == (1, True, [7.0, 2.0])


@pytest.mark.parametrize(
    ("answers", "layer", "said"),
    [
        ([httpx.Response(404)], LAYER, "does not answer: status 404"),
        ([httpx.Response(503)] * 4, LAYER, "does not answer: status 503"),
        ([httpx.Response(200, json=BUSY)] * 4, LAYER, "code 500"),
        (
            [httpx.Response(200, json={"error": {"code": 499, "message": "Token Required"}})] * 4,
            LAYER,
            "needs a sign-in",
        ),
        ([], LAYER | {"geometryType": "esriGeometryPoint"}, "no layer of polygons"),
        ([], {"layers": []}, "no layer of polygons"),
        ([httpx.Response(200, text="<html>")], LAYER, "does not answer: status 200"),
    ],
)
async def test_what_is_wrong_is_said_and_the_file_stays(
    answers: list[httpx.Response], layer: dict[str, Any], said: str, tmp_path: Path
) -> None:
    server, file = Server(1), tmp_path / "beats.geojson"
    await fetched(server, file)
    before = file.read_bytes()
    server.failing, server.layer = list(answers), layer
    with pytest.raises(ArcGisError, match=said):
        await fetched(server, file)
    assert file.read_bytes() == before
