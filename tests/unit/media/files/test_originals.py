"""An original is read over HTTP: with the reason in the body, and written down whatever comes."""

from datetime import timedelta
from typing import Any

import anyio
import pytest
from fastapi import FastAPI
from httpx import Response
from starlette.testclient import TestClient

from direct311.media.files.api import files_router
from direct311.runtime.http.api import install
from direct311.runtime.http.health import Readiness
from direct311.runtime.telemetry import Metrics
from direct311.schemas import events as ev
from tests.support import pictures
from tests.support.disclosures import CASE, Office, grant
from tests.support.links import FakeAuthenticator, bearer, signed_links
from tests.support.media import PUBLIC_URL, MediaStores, created, upload

RECORD = "0195-record"
PATH = f"/internal/media/{RECORD}/u1/original"
PHOTO = pictures.jpeg()
AGENT = bearer("agent:maria")
WHY = {"purpose": "respond", "reference": "WO-1", "justification": "Wurzelgruber asks for it"}


class Desk:
    """The media service's HTTP face before a record with one picture."""

    def __init__(self) -> None:
        self.media = MediaStores()
        self.office = Office(self.media.clock)
        process = self.media.started()
        links, _ = signed_links(self.media.clock)
        app = FastAPI()
        install(app, Readiness(), Metrics())
        originals, records = self.media.originals, self.media.records
        app.include_router(
            files_router(
                FakeAuthenticator(links),
                records,
                originals,
                process.vault,
                PUBLIC_URL,
                self.office.owner,
            )
        )
        self.client = TestClient(app, raise_server_exceptions=False)
        self.media.incoming.bring("u1", PHOTO)
        anyio.run(process.handle, created(RECORD, [upload("u1", PHOTO)]))

    def read(self, headers: dict[str, str] = AGENT, /, **body: object) -> Response:
        answer: Response = self.client.post(PATH, json=body or WHY, headers=headers)
        return answer

    def granted(self, **changes: Any) -> None:
        """A case's grant of this file arrives."""
        now = self.media.clock.now()
        given = {
            "record_ids": (RECORD,),
            "file_ids": ("u1",),
            "workers": ("carl",),
            "prepared_at": now,
            "valid_until": now + timedelta(hours=1),
        }
        approved = self.office.approved(grant(**(given | changes)))
        assert anyio.run(self.office.say, approved) == []

    def outcomes(self) -> list[str]:
        return [event.outcome for event in self.events()]

    def events(self) -> list[ev.PiiAccessed]:
        return self.media.access_log.events()


FOR_THE_CASE = {"purpose": "public_records", "reference": CASE}
CARL = bearer("custodian:carl")


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_the_reason_is_in_the_body_and_in_the_event(desk: Desk) -> None:
    answer = desk.read()
    assert (answer.status_code, answer.content) == (200, PHOTO)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.request.url.query == b""
    (event,) = desk.events()
    assert event.where.operation == "POST /internal/media/{record_id}/{media_id}/original"
    assert event.why.purpose == "respond"
    assert (event.why.reference, event.why.justification) == ("withheld", "withheld")


def test_an_address_with_a_reason_in_it_opens_nothing(desk: Desk) -> None:
    answer = desk.client.get(PATH, params=WHY, headers=AGENT)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    bare = desk.client.post(PATH, params=WHY, headers=AGENT)
    assert bare.status_code == 422
    assert desk.events() == []
    assert desk.media.keys.fetches == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reference": "WO-1"}, "purpose"),
        (WHY | {"purpose": "x" * 41}, "purpose"),
        (WHY | {"reference": "x" * 101}, "reference"),
        (WHY | {"justification": "Wurzelgruber" * 50}, "justification"),
        (WHY | {"reason": "Wurzelgruber"}, ""),
    ],
)
def test_a_question_that_is_none_is_told_which_field(
    desk: Desk, body: dict[str, object], field: str
) -> None:
    answer = desk.read(**body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert "Wurzelgruber" not in answer.text
    assert desk.events() == []


def test_an_original_that_does_not_open_is_410_and_an_entry(desk: Desk) -> None:
    ((sealed, at),) = desk.media.originals.versions[RECORD, "u1"]
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    desk.media.originals.versions[RECORD, "u1"] = [(changed, at)]
    answer = desk.read()
    assert (answer.status_code, answer.json()["title"]) == (410, "not readable")
    assert desk.outcomes() == ["success", "error"]


def test_a_refusal_is_an_entry_and_opens_nothing(desk: Desk) -> None:
    assert desk.read(**(WHY | {"purpose": "marketing"})).status_code == 403
    assert desk.outcomes() == ["denied"]
    assert desk.media.keys.fetches == []


@pytest.mark.policy("P13")
def test_a_custodian_opens_the_file_that_a_case_names(desk: Desk) -> None:
    desk.granted()
    answer = desk.read(CARL, **FOR_THE_CASE)
    assert (answer.status_code, answer.content) == (200, PHOTO)
    (event,) = desk.events()
    assert (event.why.purpose, event.why.case_id) == ("public_records", CASE)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"file_ids": ("u2",)}, "grant_files"),
        ({"record_ids": ("another",)}, "grant_records"),
        ({"fields": ("description",)}, "grant_fields"),
        ({"workers": ("vera",)}, "disclosure_case"),
        ({"case_id": "case-2"}, "disclosure_case"),
    ],
)
def test_no_other_file_opens_for_a_case(desk: Desk, changes: dict[str, Any], rule: str) -> None:
    desk.granted(**changes)
    answer = desk.read(CARL, **FOR_THE_CASE)
    assert answer.status_code == 403
    assert answer.json()["type"].endswith(f"refused:{rule}")
    assert desk.media.keys.fetches == []
    assert desk.outcomes() == ["denied"]
