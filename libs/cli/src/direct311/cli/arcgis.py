"""The polygons of an ArcGIS REST layer, as one GeoJSON file.

ArcGIS answers in pages, and says in each whether there are more. It reports errors with status 200
and a member `error`. Only pages that have changed are sent again, where the server gives `ETag`s.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from direct311.runtime.peers import HttpClient, HttpError

ATTEMPTS = 4
MOST_PAGES = 500
MOST_FEATURES = 5_000
PAGE = 1_000
_BUSY = frozenset({429, 499, 500, 502, 503, 504})
_POLYGON = "esriGeometryPolygon"

Pause = Callable[[float], Awaitable[None]]


class ArcGisError(Exception):
    """The layer cannot be read; the message says what would be right."""


class ArcGisLayer:
    """A layer at `url`, such as https://gis.example/arcgis/rest/services/Beats/FeatureServer/0."""

    def __init__(self, url: str, http: HttpClient, pause: Pause = asyncio.sleep) -> None:
        self._url = url.rstrip("/")
        self._http = http
        self._pause = pause

    async def fetch(self, file: Path) -> tuple[int, bool]:
        """Write the layer into a file, and what the server calls its pages into one beside it.
        Returns how many features there are, and whether any page has changed.

        :raises ArcGisError: it does not answer, or is no layer of polygons.
        """
        layer = await self._get(self._url, {"f": "json"}, None)
        about = layer[0]
        if about.get("geometryType") != _POLYGON:
            raise ArcGisError("This is no layer of polygons. Give the URL of one layer, …/0.")
        known = _Known.beside(file, self._url)
        size = min(PAGE, int(about.get("maxRecordCount") or PAGE))
        order = str(about.get("objectIdField") or "OBJECTID")
        pages: list[tuple[str | None, list[Any]]] = []
        changed = False
        while len(pages) < MOST_PAGES:
            offset = sum(len(features) for _, features in pages)
            query = {
                "where": "1=1",
                "outFields": "*",
                "outSR": "4326",
                "orderByFields": order,
                "resultOffset": str(offset),
                "resultRecordCount": str(size),
                "f": "geojson",
            }
            before = known.page(len(pages), offset)
            answer, etag = await self._get(
                f"{self._url}/query", query, before.etag if before else None
            )
            if answer is None and before is not None:
                features, more = before.features, before.more
            else:
                changed = True
                features, more = _features(answer)
            pages.append((etag, features))
            known.saw(len(pages) - 1, etag, len(features), more=more)
            if not more:
                break
            if not features:
                raise ArcGisError("The server says that there is more, and sends nothing.")
        found = [feature for _, features in pages for feature in features]
        if len(found) > MOST_FEATURES:
            raise ArcGisError(f"The layer has more than {MOST_FEATURES} features.")
        known.write(file, found)
        return len(found), changed

    async def _get(
        self, url: str, query: Mapping[str, str], etag: str | None
    ) -> tuple[Any, str | None]:
        """An answer and its ETag; no answer: it has not changed. Tries again if that may help."""
        for attempt in range(1, ATTEMPTS + 1):
            wait = float(2 ** (attempt - 1))
            try:
                answer, seen = await self._http.get_unless(f"{url}?{urlencode(query)}", etag)
            except HttpError as error:
                if attempt == ATTEMPTS or error.status not in _BUSY | {None}:
                    told = "no answer" if error.status is None else f"status {error.status}"
                    raise ArcGisError(f"The layer does not answer: {told}.") from None
                wait = max(wait, float(error.retry_after or 0))
            else:
                failed = answer.get("error") if isinstance(answer, Mapping) else None
                if failed is None:
                    return answer, seen
                code = failed.get("code") if isinstance(failed, Mapping) else None
                if attempt == ATTEMPTS or code not in _BUSY:
                    raise ArcGisError(_meant(code))
            await self._pause(wait)
        raise AssertionError


def _meant(code: object) -> str:
    if code in (498, 499, 401, 403):
        return "The layer needs a sign-in. Ask for a public view of it, or export it to a file."
    return f"The layer refuses the question, with ArcGIS's code {code}. Give the URL of one layer."


def _features(answer: Any) -> tuple[list[Any], bool]:
    """The features of a page, and whether there are more."""
    features = answer.get("features") if isinstance(answer, Mapping) else None
    if not isinstance(features, list):
        raise ArcGisError("The answer is no GeoJSON; the server must support f=geojson.")
    properties = answer.get("properties")
    inside = properties if isinstance(properties, Mapping) else {}
    return features, bool(
        answer.get("exceededTransferLimit") or inside.get("exceededTransferLimit")
    )


class _Page:
    def __init__(self, etag: str | None, features: list[Any], *, more: bool) -> None:
        self.etag = etag
        self.features = features
        self.more = more


class _Known:
    """What is known of the pages from the last time: their ETags beside the file, and the features
    in it."""

    def __init__(self, url: str, pages: list[Any], features: list[Any]) -> None:
        self._url = url
        self._before = pages
        self._features = features
        self._seen: list[dict[str, Any]] = []

    @classmethod
    def beside(cls, file: Path, url: str) -> "_Known":
        try:
            noted = json.loads(_notes(file).read_bytes())
            features = json.loads(file.read_bytes())["features"]
        except (OSError, ValueError, KeyError, TypeError):
            return cls(url, [], [])
        usable = noted.get("url") == url and noted.get("total") == len(features)
        return cls(url, noted["pages"] if usable else [], features)

    def page(self, number: int, offset: int) -> _Page | None:
        """A page that began at the same feature the last time."""
        if number >= len(self._before) or self._before[number]["offset"] != offset:
            return None
        noted = self._before[number]
        features = self._features[offset : offset + noted["count"]]
        return _Page(noted["etag"], features, more=noted["more"])

    def saw(self, number: int, etag: str | None, count: int, *, more: bool) -> None:
        """Note a page."""
        offset = sum(each["count"] for each in self._seen[:number])
        self._seen.append({"etag": etag, "offset": offset, "count": count, "more": more})

    def write(self, file: Path, features: list[Any]) -> None:
        """The features, and then the notes: without notes everything is fetched again."""
        _notes(file).unlink(missing_ok=True)
        file.write_text(
            json.dumps({"type": "FeatureCollection", "source": self._url, "features": features})
        )
        noted = {"url": self._url, "total": len(features), "pages": self._seen}
        _notes(file).write_text(json.dumps(noted))


def _notes(file: Path) -> Path:
    return file.with_name(f"{file.name}.etags")
