"""Public answers are an allow-list: of a stored request in which every field holds a word of its
own, no public answer shows any other word than those that are named here."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from direct311.intake.catalogue.adapters import load_policies
from direct311.intake.catalogue.domain.types import Catalogue
from direct311.intake.language import LANGUAGES
from direct311.intake.open311.api.feeds import feeds_router
from direct311.intake.open311.api.georeport import GeoReport
from direct311.intake.request import ServiceRequest
from direct311.intake.settings import IntakeSettings
from direct311.intake.submission.handlers.agreement import Agreement
from direct311.intake.updates import Update, updates_of
from tests.support.quotas import callers
from tests.support.runtime import SetClock
from tests.unit.intake.open311.planted import (
    CANARY,
    CATALOGUE,
    NUMBERS,
    PLANTED,
    SERVICE,
    shown,
    stored,
)

PUBLIC = {
    "record_id",
    "service_code",
    "token",
    "status",
    "channel",
    "department",
    "duplicate_of",
    "located.outcome",
    "located.latitude",
    "located.longitude",
    "located.address",
    "located.municipality",
    "located.zip_code",
    "located.commission_district",
    "media.url",
    "notes.kind",
    "notes.status",
    "notes.text",
    "notes.update_id",
    # Redacted answers to the type's questions, which clients read as extensions.
    "attributes.code",
    "attributes.values",
}
"""Fields of a request that the public may see once its place was checked. What was typed of the
place is none of them."""
PROTECTED = {
    "record_id",
    "service_code",
    "token",
    "status",
    "channel",
    "department",
    "located.outcome",
    "located.municipality",
    "notes.kind",
    "notes.status",
}
"""And those of a protected one. Of one whose place was not checked, the municipality neither."""
QUERIES: Sequence[Mapping[str, str]] = (
    {},
    {"extensions": "true"},
    {"service_request_id": "some-id"},
)
assert PLANTED.located is not None
_LATITUDE, _LONGITUDE = PLANTED.located.latitude, PLANTED.located.longitude
assert _LATITUDE is not None
assert _LONGITUDE is not None
# Its edges, which an answer repeats, hold nobody's numbers.
_AREA = {"bbox": "40.95,40.95,41.05,41.05"}
FEEDS: Mapping[str, Mapping[str, str]] = {
    "/v1/requests/nearby": {
        "service_code": SERVICE.service_code,
        "lat": str(_LATITUDE),
        "long": str(_LONGITUDE),
    },
    "/v1/requests.geojson": _AREA,
    "/v1/requests.atom": _AREA,
}


class Stored:
    """What the routes read of the database: one request, whatever is asked for."""

    def __init__(self, request: ServiceRequest) -> None:
        self._request = request

    def __getattr__(self, name: str) -> Any:
        async def one(*_: object, **__: object) -> ServiceRequest:
            return self._request

        async def many(*_: object, **__: object) -> list[ServiceRequest]:
            return [self._request]

        return many if name in ("listed", "updated") else one


class StoredUpdates:
    """The history of one request, where lists show it."""

    def __init__(self, request: ServiceRequest) -> None:
        self._request = request

    async def written(self, since: datetime, until: datetime, most: int) -> Sequence[Update]:
        each = self._request
        if not each.listed or each.protected:
            return []
        return list(updates_of(each.record_id, each.service_code, each.notes))


def answers(request: ServiceRequest, *, publish_text: bool = False) -> Iterator[tuple[str, str]]:
    """Every public GET of Open311, in both formats, and of the feeds, in all languages, with what
    it answers."""
    flags = SERVICE.flags.model_copy(update={"publish_text": publish_text})
    service = SERVICE.model_copy(update={"flags": flags})
    services = (service, *CATALOGUE.services[1:])
    # Made anew: a copy would keep the index of types that others have asked the original for.
    catalogue = Catalogue.model_construct(**(dict(CATALOGUE) | {"services": services}))
    catalogues = dict.fromkeys(LANGUAGES, catalogue)
    clock = SetClock()
    agreement = Agreement(load_policies().content, clock)
    settings = IntakeSettings.model_construct(
        public_url="http://county.example",
        environment="local",
        most_files=1,
        largest_file=1,
        files_in_hand=1,
    )
    report = GeoReport(
        settings=settings,
        catalogues=catalogues,
        agreement=agreement,
        admission=None,  # type: ignore[arg-type]
        failed_keys=None,  # type: ignore[arg-type]
        callers=callers(clock, most=1_000_000),
        accept=None,  # type: ignore[arg-type]
        requests=Stored(request),
        updates=StoredUpdates(request),
        add_comment=None,  # type: ignore[arg-type]
        clock=clock,
    )
    app = FastAPI()
    app.router.routes.extend(report.routes())
    feeds = Stored(request)
    app.include_router(feeds_router(settings, feeds, catalogues, agreement, clock))
    asked = [(path, query) for path in _paths(report) for query in QUERIES] + list(FEEDS.items())
    client = TestClient(app)
    for path, query in asked:
        for language in LANGUAGES:
            answer = client.get(path, params=query, headers={"Accept-Language": language})
            assert answer.status_code == 200, f"{path}: {answer.text}"
            yield path, answer.text


def _paths(report: GeoReport) -> Iterator[str]:
    for route in report.routes():
        if "GET" in (route.methods or ()):
            path = re.sub(r"\{service_code\}", SERVICE.service_code, route.path)
            yield re.sub(r"\{\w+\}", "some-id", path)


def test_every_field_is_planted() -> None:
    assert PLANTED.sealed
    fields = {
        *CANARY.findall(PLANTED.model_dump_json(warnings=False)),
        *(path for path in NUMBERS.values()),
    }
    for field in ("text", "sealed", "indexes", "client_id", "idempotency", "notes.text"):
        assert field in fields


@pytest.mark.policy("P13", "P20")
@pytest.mark.parametrize(
    ("fields", "allowed", "least"),
    [
        ({}, PUBLIC, {"located.address", "media.url", "notes.text", "located.municipality"}),
        ({"protected": True}, PROTECTED, {"record_id", "located.municipality"}),
        (
            {"place_checked": False, "listed": False},
            PROTECTED - {"located.municipality"},
            {"record_id"},
        ),
    ],
    ids=["checked", "protected", "not checked yet"],
)
def test_public_answers_show_what_is_allowed_and_nothing_else(
    fields: Mapping[str, object], allowed: set[str], least: set[str]
) -> None:
    seen: set[str] = set()
    in_feeds: dict[str, set[str]] = {path: set() for path in FEEDS}
    for path, text in answers(stored(**fields)):
        assert shown(text) <= allowed, path
        seen |= shown(text)
        if path in FEEDS:
            in_feeds[path] |= shown(text)
    # The test can see what there is to see.
    assert seen >= least
    if allowed is PUBLIC:
        assert all(
            each >= {"record_id", "located.address", "notes.text"} for each in in_feeds.values()
        )
    else:
        assert all("located.address" not in each for each in in_feeds.values())


@pytest.mark.policy("P5")
def test_text_is_public_for_types_that_publish_it_and_never_of_a_protected_request() -> None:
    told = [shown(text) for _, text in answers(stored(), publish_text=True)]
    assert any("text" in each for each in told)
    for fields in ({"protected": True}, {"place_checked": False}):
        hidden = [shown(text) for _, text in answers(stored(**fields), publish_text=True)]
        assert not any("text" in each for each in hidden)
