"""Public answers are an allow-list: of a stored request in which every field holds a word of its
own, no public answer shows any other word than those that are named here."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.testclient import TestClient

from direct311.intake.adapters.catalogue_file import load_catalogue, load_policies
from direct311.intake.domain.language import LANGUAGES
from direct311.intake.domain.request import ServiceRequest
from direct311.intake.domain.updates import Update, updates_of
from direct311.intake.entrypoints.open311 import GeoReport
from direct311.intake.handlers.agreement import Agreement
from direct311.intake.settings import IntakeSettings
from tests.support.runtime import NOW, SetClock

CATALOGUE = load_catalogue().content
SERVICE = CATALOGUE.services[0]

PUBLIC = {
    "record_id",
    "service_code",
    "token",
    "status",
    "channel",
    "department",
    "duplicate_of",
    "place.latitude",
    "place.longitude",
    "place.address",
    "place.address_id",
    "place.zip_code",
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
"""Fields of a request that the public may see once its place was checked."""
PROTECTED = {
    "record_id",
    "service_code",
    "token",
    "status",
    "channel",
    "department",
    "duplicate_of",
    "located.outcome",
    "located.municipality",
    "notes.kind",
    "notes.status",
}
"""And those of a protected one. Of one whose place was not checked, the municipality neither."""

CANARY = re.compile(r"canary-([a-z_0-9.]+)-")


def planted(wanted: Any, path: str, numbers: dict[str, str]) -> Any:
    """A value of a type that says in which field it stands. Numbers, which cannot say so, are noted
    as text, with the field that each stands in."""
    origin, parts = get_origin(wanted), get_args(wanted)
    if origin is Annotated:
        return planted(parts[0], path, numbers)
    if origin in (Union, UnionType):
        return planted(next(each for each in parts if each is not NoneType), path, numbers)
    if origin is Literal:
        return parts[0]
    if origin is tuple:
        return (planted(parts[0], path, numbers),)
    if origin in (dict, Mapping):
        return {f"canary-{path}-key": planted(parts[1], path, numbers)}
    if isinstance(wanted, type) and issubclass(wanted, BaseModel):
        return planted_model(wanted, f"{path}.", numbers)
    if wanted is bool:
        return True
    if wanted in (int, float):
        value = 41_000_000 + 1000 * len(numbers) + 7
        number = value if wanted is int else value / 1_000_000
        numbers[str(number)] = path
        return number
    if wanted is datetime:
        return NOW
    if wanted is date:
        return NOW.date()
    if wanted is bytes:
        return f"canary-{path}-".encode()
    if wanted is str:
        return f"canary-{path}-"
    raise AssertionError(f"{path}: say here how a {wanted} is planted")


def planted_model(model: type[BaseModel], prefix: str, numbers: dict[str, str]) -> Any:
    values = {
        name: planted(field.annotation, f"{prefix}{name}", numbers)
        for name, field in model.model_fields.items()
    }
    return model.model_construct(**values)


NUMBERS: dict[str, str] = {}
PLANTED: ServiceRequest = planted_model(ServiceRequest, "", NUMBERS)


def stored(**fields: object) -> ServiceRequest:
    usual = {
        "service_code": SERVICE.service_code,
        "received_at": NOW - timedelta(hours=1),
        "lifecycle": "active",
        "protected": False,
        "place_checked": True,
        "listed": True,
    }
    return PLANTED.model_copy(update={**usual, **fields})


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
    """Every public GET of Open311, in both formats and all languages, with what it answers."""
    flags = SERVICE.flags.model_copy(update={"publish_text": publish_text})
    service = SERVICE.model_copy(update={"flags": flags})
    services = (service, *CATALOGUE.services[1:])
    catalogue = CATALOGUE.model_copy(update={"services": services})
    clock = SetClock()
    report = GeoReport(
        settings=IntakeSettings.model_construct(
            public_url="http://county.example",
            environment="local",
            most_files=1,
            largest_file=1,
            files_in_hand=1,
        ),
        catalogues=dict.fromkeys(LANGUAGES, catalogue),
        agreement=Agreement(load_policies().content, clock),
        admission=None,  # type: ignore[arg-type]
        failed_keys=None,  # type: ignore[arg-type]
        submit=None,  # type: ignore[arg-type]
        requests=Stored(request),  # type: ignore[arg-type]
        updates=StoredUpdates(request),
        add_comment=None,  # type: ignore[arg-type]
        links=None,  # type: ignore[arg-type]
        clock=clock,
    )
    app = FastAPI()
    app.router.routes.extend(report.routes())
    client = TestClient(app)
    for route in report.routes():
        if "GET" not in (route.methods or ()):
            continue
        path = re.sub(r"\{service_code\}", service.service_code, route.path)
        path = re.sub(r"\{\w+\}", "some-id", path)
        for query in ({}, {"extensions": "true"}, {"service_request_id": "some-id"}):
            for language in LANGUAGES:
                answer = client.get(path, params=query, headers={"Accept-Language": language})
                assert answer.status_code == 200, f"{path}: {answer.text}"
                yield path, answer.text


def shown(text: str) -> set[str]:
    """The fields of which an answer shows what is planted there."""
    found = set(CANARY.findall(text))
    return found | {path for number, path in NUMBERS.items() if number in text}


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
    for path, text in answers(stored(**fields)):
        assert shown(text) <= allowed, path
        seen |= shown(text)
    # The test can see what there is to see.
    assert seen >= least


@pytest.mark.policy("P5")
def test_text_is_public_for_types_that_publish_it_and_never_of_a_protected_request() -> None:
    told = [shown(text) for _, text in answers(stored(), publish_text=True)]
    assert any("text" in each for each in told)
    for fields in ({"protected": True}, {"place_checked": False}):
        hidden = [shown(text) for _, text in answers(stored(**fields), publish_text=True)]
        assert not any("text" in each for each in hidden)
