"""A file of a case is reviewed, decided on and rendered under its grant, and written down."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

import anyio
import pytest
from fastapi import FastAPI
from httpx import Response
from PIL import Image
from starlette.testclient import TestClient

from direct311.media.decisions import FileDecision
from direct311.media.review.api import rendering_router, review_router
from direct311.media.review.domain import exemptions_of
from direct311.media.review.handlers import FileReviews
from direct311.redaction.leak_scan import scan
from direct311.redaction.leaks import Fingerprint, Keyed
from direct311.runtime.access.exemptions import Exemptions, load_exemptions
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import install
from direct311.runtime.http.health import Readiness
from direct311.runtime.telemetry import Metrics
from direct311.schemas import events as ev
from tests.support import pdfs, pictures
from tests.support.disclosures import CASE, Office, grant
from tests.support.links import FakeAuthenticator, bearer, signed_links
from tests.support.media import (
    START,
    DirectRenderer,
    InMemoryFilesById,
    MediaStores,
    created,
    ordered,
    updated,
    upload,
)

RECORD = "0195-record"
PHOTO, LETTER, LOCKED = "u-photo", "u-letter", "u-locked"
FILES = {
    PHOTO: (pictures.jpeg(), "image/jpeg"),
    LETTER: (pdfs.planted("annotation"), "application/pdf"),
    LOCKED: (pdfs.locked(), "application/pdf"),
}
CARL, OLGA = bearer("custodian:carl"), bearer("custodian:olga")
BOX = {"page": 1, "left": 0.1, "top": 0.1, "right": 0.4, "bottom": 0.3, "code": "victim"}
RELEASE: dict[str, Any] = {"version": 0, "outcome": "release"}
REDACT: dict[str, Any] = {"version": 0, "outcome": "redact", "boxes": [BOX]}
WITHHOLD: dict[str, Any] = {"version": 0, "outcome": "withhold", "codes": ["victim"]}


class OnBehalf(FakeAuthenticator):
    """Takes a person's token from a service without an exchange, which others test."""

    async def _caller(self, authorization: str | None, on_behalf_of: str | None) -> Caller:
        if on_behalf_of is None:
            return await super()._caller(authorization, None)
        service = await super()._caller(authorization, None)
        return (await super()._caller(on_behalf_of, None)).behind(service.sub)


class Desk:
    """Media's calls for reviewers and for retention, before a record with some files."""

    def __init__(self, exemptions: Exemptions | None = None) -> None:
        self.media = MediaStores()
        self.office = Office(self.media.clock)
        self.process = self.media.started()
        self.renderer = DirectRenderer()
        self.exemptions = exemptions or load_exemptions(local=True)
        links, _ = signed_links(self.media.clock)
        reviews = FileReviews(
            files=InMemoryFilesById(self.media.records),
            processor=self.process.processor,
            originals=self.media.originals,
            vault=self.process.vault,
            disclosures=self.office.owner,
            renderer=self.renderer,
            exemptions=self.exemptions,
            clock=self.media.clock,
            ids=self.process.ids,
            zone=ZoneInfo("America/New_York"),
        )
        app = FastAPI()
        install(app, Readiness(), Metrics(), self.process.ledger)
        authenticator = OnBehalf(links)
        app.include_router(review_router(authenticator, reviews))
        app.include_router(rendering_router(authenticator, reviews))
        self.client = TestClient(app, raise_server_exceptions=False)
        uploads = []
        for media_id, (data, content_type) in FILES.items():
            self.media.incoming.bring(media_id, data)
            uploads.append(upload(media_id, data, content_type))
        anyio.run(self.process.handle, created(RECORD, uploads))
        self.media.access_log.entries.clear()

    def granted(self, case_id: str = CASE, **changes: Any) -> None:
        """A case's grant of these files arrives."""
        now = self.media.clock.now()
        given = {
            "case_id": case_id,
            "grant_id": f"grant-of-{case_id}",
            "record_ids": (RECORD,),
            "file_ids": tuple(FILES),
            "workers": ("carl", "olga", "cora"),
            "prepared_by": "lia",
            "prepared_at": now,
            "valid_until": now + timedelta(hours=1),
        }
        approved = self.office.approved(grant(**(given | changes)))
        assert anyio.run(self.office.say, approved) == []

    def ask(self, path: str, headers: dict[str, str] = CARL, **body: Any) -> Response:
        answer: Response = self.client.post(path, json=body, headers=headers)
        return answer

    def review(self, file: str, headers: dict[str, str] = CARL, case: str = CASE) -> Response:
        return self.ask(f"/v1/cases/{case}/files/{file}/review", headers)

    def page(self, file: str, number: int = 1, headers: dict[str, str] = CARL) -> Response:
        return self.ask(f"/v1/cases/{CASE}/files/{file}/pages/{number}", headers)

    def decide(
        self, file: str, order: dict[str, Any], headers: dict[str, str] = CARL, case: str = CASE
    ) -> Response:
        path = f"/v1/cases/{case}/files/{file}/decisions"
        answer: Response = self.client.put(path, json=order, headers=headers)
        return answer

    def internal(
        self, what: str, file: str, person: str = "custodian:carl", **body: Any
    ) -> Response:
        behind = {"X-On-Behalf-Of": f"Bearer {person}"}
        path = f"/internal/cases/{CASE}/files/{file}/{what}"
        return self.ask(path, bearer("service:svc-retention") | behind, **body)

    def render(self, file: str, person: str = "custodian:carl") -> Response:
        return self.internal("rendering", file, person, recipient="requester")

    def events(self) -> list[ev.PiiAccessed]:
        return self.media.access_log.events()

    def acts(self) -> list[tuple[str, str, tuple[str, ...]]]:
        return [(each.action, each.outcome, each.what.fields) for each in self.events()]


@pytest.fixture
def desk() -> Iterator[Desk]:
    found = Desk()
    found.granted()
    with found.client:
        yield found


OPENED = ("view", "success", ("media_original",))
TOLD: tuple[str, str, tuple[str, ...]] = ("view", "success", ())


# ---------------------------------------------------------------- looking


def test_a_reviewer_sees_what_a_picture_is_and_what_it_says_beside_its_pixels(desk: Desk) -> None:
    answer = desk.review(PHOTO)
    assert answer.status_code == 200
    assert answer.json() == {
        "record_id": RECORD,
        "media_id": PHOTO,
        "kind": "picture",
        "content_type": "image/jpeg",
        "size": len(FILES[PHOTO][0]),
        "pages": [{"width": 320, "height": 200}],
        "findings": ["metadata", "position"],
        "version": 0,
        "lifted_by": [],
    }
    assert answer.headers["cache-control"] == "no-store"
    (entry,) = desk.events()
    assert (entry.action, entry.why.purpose, entry.why.case_id) == ("view", "public_records", CASE)
    assert entry.what.record_ids == (RECORD,)


def test_a_reviewer_sees_each_page(desk: Desk) -> None:
    answer = desk.page(LETTER)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert answer.headers["cache-control"] == "no-store"
    assert Image.open(BytesIO(answer.content)).size == (556, 556)
    assert desk.page(LETTER, 2).json()["title"] == "not found"
    assert desk.acts() == [OPENED, OPENED]


def test_what_cannot_be_rendered_is_said(desk: Desk) -> None:
    answer = desk.review(LOCKED)
    assert (answer.json()["unrenderable"], answer.json()["pages"]) == ("encrypted", [])
    page = desk.page(LOCKED)
    assert (page.status_code, page.json()["title"]) == (422, "not renderable")


@pytest.mark.policy("P13")
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
def test_nothing_is_opened_beyond_the_grant(changes: dict[str, Any], rule: str) -> None:
    desk = Desk()
    desk.granted(**changes)
    for answer in (desk.review(PHOTO), desk.page(PHOTO), desk.decide(PHOTO, RELEASE)):
        assert answer.status_code == 403
        assert answer.json()["type"].endswith(f"refused:{rule}")
    assert desk.media.keys.fetches == []
    assert desk.renderer.asked == []
    assert {outcome for _, outcome, _ in desk.acts()} == {"denied"}
    assert desk.media.state(RECORD).decisions == ()


def test_a_file_that_nobody_has_is_not_found_by_who_has_a_grant(desk: Desk) -> None:
    for answer in (desk.review("u-9"), desk.decide("u-9", RELEASE), desk.render("u-9")):
        assert (answer.status_code, answer.json()["title"]) == (404, "not found")
    vera = bearer("custodian:vera")
    for file in ("u-9", PHOTO):
        answer = desk.review(file, vera)
        assert answer.status_code == 403
        assert answer.json()["type"].endswith("refused:disclosure_case")


def test_without_the_log_nothing_is_opened_and_nothing_decided(desk: Desk) -> None:
    assert desk.decide(PHOTO, REDACT).status_code == 200
    before = list(desk.media.keys.fetches)
    desk.media.access_log.down = True
    for answer in (
        desk.review(PHOTO),
        desk.page(PHOTO),
        desk.render(PHOTO),
        desk.decide(PHOTO, RELEASE | {"version": 1}),
    ):
        assert (answer.status_code, answer.json()["title"]) == (503, "audit unavailable")
    assert desk.media.keys.fetches == before
    assert desk.media.state(RECORD).decisions[0].outcome == "redact"


# ---------------------------------------------------------------- deciding


def test_a_decision_is_an_entry_with_what_it_withholds(desk: Desk) -> None:
    answer = desk.decide(PHOTO, REDACT)
    assert answer.status_code == 200
    decided = answer.json()
    assert (decided["version"], decided["outcome"], decided["decided_by"]) == (1, "redact", "carl")
    assert desk.acts() == [("redact", "success", ("media_original",))]
    assert desk.events()[0].what.redactions == ("victim",)
    assert desk.review(PHOTO).json()["decision"] == decided


def test_the_same_decision_again_changes_nothing(desk: Desk) -> None:
    first = desk.decide(PHOTO, REDACT).json()
    version = desk.media.state(RECORD).version
    assert desk.decide(PHOTO, REDACT).json() == first
    assert desk.media.state(RECORD).version == version
    assert [action for action, *_ in desk.acts()] == ["redact"]


def test_who_has_seen_an_older_decision_reviews_again(desk: Desk) -> None:
    assert desk.decide(PHOTO, REDACT).status_code == 200
    late = desk.decide(PHOTO, RELEASE, OLGA)
    assert (late.status_code, late.json()["title"]) == (409, "changed")
    assert desk.decide(PHOTO, RELEASE | {"version": 1}, OLGA).json()["version"] == 2
    assert desk.decide(PHOTO, RELEASE | {"version": 5}).status_code == 409


@pytest.mark.parametrize("code", ["no_such_code", "cybersecurity", "119.071(4)(d)"])
def test_nothing_is_withheld_without_an_exemption_in_force_for_files(desk: Desk, code: str) -> None:
    whole = desk.decide(PHOTO, WITHHOLD | {"codes": [code]})
    part = desk.decide(PHOTO, REDACT | {"boxes": [BOX | {"code": code}]})
    for answer, field in ((whole, "codes"), (part, "boxes")):
        assert (answer.status_code, answer.json()["title"]) == (422, "exemption")
        assert answer.json()["field"] == field
        assert code not in answer.text
    assert desk.acts() == []


@pytest.mark.parametrize(
    "order",
    [
        RELEASE | {"codes": ["victim"]},
        RELEASE | {"boxes": [BOX]},
        WITHHOLD | {"codes": []},
        WITHHOLD | {"boxes": [BOX]},
        REDACT | {"boxes": []},
        REDACT | {"codes": ["victim"]},
        REDACT | {"boxes": [BOX | {"left": 0.9}]},
        REDACT | {"boxes": [BOX | {"right": 1.5}]},
        REDACT | {"boxes": [BOX | {"page": 0}]},
        REDACT | {"boxes": [BOX | {"text": "Wurzelgruber"}]},
        REDACT | {"boxes": [BOX | {"page": 2}]},
        REDACT | {"boxes": [BOX] * 1_001},
        {"version": 0, "outcome": "blur"},
    ],
)
def test_a_decision_that_is_none_is_refused(desk: Desk, order: dict[str, Any]) -> None:
    answer = desk.decide(PHOTO, order)
    assert answer.status_code == 422
    assert "Wurzelgruber" not in answer.text
    assert desk.media.state(RECORD).decisions == ()


def test_what_was_decided_for_another_case_is_offered(desk: Desk) -> None:
    assert desk.decide(PHOTO, REDACT).status_code == 200
    desk.granted("case-2")
    found = desk.review(PHOTO, case="case-2").json()
    assert (found["version"], "decision" in found) == (0, False)
    assert found["offered"]["boxes"] == [BOX]
    assert desk.decide(PHOTO, RELEASE, case="case-2").status_code == 200
    assert desk.review(PHOTO).json()["decision"]["outcome"] == "redact"


def test_a_case_of_law_enforcement_is_not_to_be_learned_of_from_what_it_decided(
    desk: Desk,
) -> None:
    secret = {"kind": "law_enforcement", "workers": ("lou",)}
    desk.granted("case-31", **secret)
    asked = {"purpose": "law_enforcement"}
    lou = bearer("liaison:lou")
    decided = desk.decide(PHOTO, REDACT | asked, lou, case="case-31")
    assert decided.status_code == 200, decided.text
    assert "offered" not in desk.review(PHOTO).json()
    assert desk.decide(PHOTO, RELEASE).status_code == 200
    path = f"/v1/cases/case-31/files/{PHOTO}/review"
    desk.granted("case-32", **secret)
    assert desk.ask(path.replace("case-31", "case-32"), lou, **asked).json()["offered"]


def test_only_counsel_releases_a_file_of_a_protected_record(desk: Desk) -> None:
    anyio.run(desk.process.handle, updated(RECORD, 2, protected=True))
    found = desk.review(PHOTO).json()
    assert (found["preset"], found["lifted_by"]) == ("protected_person", ["counsel"])
    refused = desk.decide(PHOTO, RELEASE)
    assert (refused.status_code, refused.json()["title"]) == (403, "lifted by")
    assert desk.decide(PHOTO, WITHHOLD | {"codes": ["victim"]}).status_code == 403
    kept = desk.decide(PHOTO, WITHHOLD | {"codes": ["protected_person"]})
    assert kept.status_code == 200
    lifted = desk.decide(PHOTO, RELEASE | {"version": 1}, bearer("counsel:cora"))
    assert (lifted.status_code, lifted.json()["decided_by"]) == (200, "cora")


def test_a_decision_goes_with_its_record(desk: Desk) -> None:
    assert desk.decide(PHOTO, REDACT).status_code == 200
    anyio.run(desk.process.handle, ordered(RECORD, 9))
    anyio.run(desk.process.destroyer.step)
    assert desk.review(PHOTO).status_code == 404
    assert desk.render(PHOTO).status_code == 404


# ---------------------------------------------------------------- rendering


def test_what_nobody_decided_about_does_not_go_out(desk: Desk) -> None:
    for answer in (desk.render(PHOTO), desk.internal("exemptions", PHOTO)):
        assert (answer.status_code, answer.json()["title"]) == (409, "not reviewed")
    assert desk.acts() == []
    assert desk.renderer.asked == []


def test_a_released_file_goes_out_as_it_came_with_a_warning(desk: Desk) -> None:
    assert desk.decide(PHOTO, RELEASE).status_code == 200
    answer = desk.render(PHOTO)
    assert (answer.status_code, answer.content) == (200, FILES[PHOTO][0])
    told = answer.headers
    assert told["direct311-kind"] == "original"
    assert told["direct311-warnings"] == "metadata,position"
    assert told["direct311-sha256"] == hashlib.sha256(answer.content).hexdigest()
    assert desk.decide(LETTER, RELEASE).status_code == 200
    assert desk.render(LETTER).headers["direct311-warnings"] == "annotations,unscanned"
    entry = desk.events()[-1]
    assert (entry.action, entry.recipient, entry.what.redactions) == ("disclose", "requester", ())
    assert (entry.agent.id, entry.agent.on_behalf_of) == ("carl", "svc:retention")


@pytest.mark.parametrize("file", [PHOTO, LETTER])
def test_a_redacted_file_goes_out_made_anew_and_the_same_each_time(desk: Desk, file: str) -> None:
    assert desk.decide(file, REDACT).status_code == 200
    answer = desk.render(file)
    assert answer.status_code == 200
    assert (answer.headers["direct311-kind"], answer.headers["direct311-version"]) == (
        "redacted",
        "1",
    )
    canary = (pdfs.CANARY if file == LETTER else pictures.CANARY).encode()
    assert canary in FILES[file][0]
    assert canary not in answer.content
    again = desk.render(file)
    assert (again.content, again.headers["direct311-sha256"]) == (
        answer.content,
        answer.headers["direct311-sha256"],
    )
    entry = desk.events()[-1]
    assert (entry.action, entry.what.redactions) == ("disclose", ("victim",))


def test_each_box_has_its_row_in_the_exemption_log(desk: Desk) -> None:
    second = BOX | {"top": 0.5, "bottom": 0.6, "code": "protected_person"}
    decided = desk.decide(LETTER, REDACT | {"boxes": [second, BOX]}).json()
    found = desk.internal("exemptions", LETTER)
    assert found.status_code == 200
    assert (found.json()["outcome"], found.json()["version"]) == ("redact", 1)
    assert found.json()["withheld"] == [
        {
            "item": f"file:{LETTER}:p1",
            "field": "media_original",
            "code": code,
            "citation": citation,
            "decided_by": "carl",
            "decided_at": decided["decided_at"],
            "version": 1,
        }
        for code, citation in (("victim", "119.071(2)(j)"), ("protected_person", "119.071(4)(d)"))
    ]
    rendered = desk.render(LETTER)
    assert rendered.headers["direct311-decisions"] == found.json()["decisions"]


def test_a_file_that_is_withheld_whole_is_not_opened(desk: Desk) -> None:
    assert desk.decide(PHOTO, WITHHOLD | {"codes": ["victim"]}).status_code == 200
    fetched = len(desk.media.keys.fetches)
    answer = desk.render(PHOTO)
    assert (answer.status_code, answer.json()["outcome"]) == (200, "withhold")
    (row,) = answer.json()["withheld"]
    assert (row["item"], row["citation"]) == (f"file:{PHOTO}", "119.071(2)(j)")
    assert len(desk.media.keys.fetches) == fetched
    assert desk.acts()[-1] == TOLD


def test_a_file_that_cannot_be_redacted_is_withheld_whole(desk: Desk) -> None:
    twice = REDACT | {"boxes": [BOX, BOX | {"top": 0.5, "bottom": 0.6}]}
    assert desk.decide(LOCKED, twice).status_code == 200
    answer = desk.render(LOCKED)
    assert answer.json()["unrenderable"] == "encrypted"
    assert [row["item"] for row in answer.json()["withheld"]] == [f"file:{LOCKED}"]
    beyond = REDACT | {"boxes": [BOX | {"page": 2}]}
    assert desk.decide(LETTER, beyond).status_code == 200
    assert desk.render(LETTER).json()["unrenderable"] == "no_such_page"


def test_a_record_that_became_protected_is_reviewed_again(desk: Desk) -> None:
    assert desk.decide(PHOTO, RELEASE).status_code == 200
    anyio.run(desk.process.handle, updated(RECORD, 2, protected=True))
    answer = desk.render(PHOTO)
    assert (answer.status_code, answer.json()["title"]) == (409, "changed")


def test_an_exemption_that_ended_withholds_nothing(desk: Desk) -> None:
    assert desk.decide(PHOTO, REDACT).status_code == 200
    (entry,) = [each for each in desk.exemptions.entries if each.code == "victim"]
    desk.exemptions._by_code["victim"] = entry.model_copy(
        update={"effective_until": START.date() - timedelta(days=1)}
    )
    answer = desk.render(PHOTO)
    assert (answer.status_code, answer.json()["title"]) == (409, "changed")


def test_only_retention_asks_for_a_rendering_and_only_for_a_worker(desk: Desk) -> None:
    assert desk.decide(PHOTO, RELEASE).status_code == 200
    path = f"/internal/cases/{CASE}/files/{PHOTO}/rendering"
    behind = {"X-On-Behalf-Of": "Bearer custodian:carl"}
    callers: Sequence[dict[str, str]] = (
        CARL,
        bearer("service:svc-retention"),
        bearer("service:svc-intake") | behind,
    )
    for headers in callers:
        answer = desk.ask(path, headers, recipient="requester")
        assert (answer.status_code, answer.json()["title"]) == (403, "caller")
    stranger = desk.render(PHOTO, "custodian:vera")
    assert stranger.json()["type"].endswith("refused:disclosure_case")


def test_rows_of_a_file_withheld_by_many_boxes_name_each_exemption_once() -> None:
    boxes = [BOX, BOX | {"page": 3}, BOX | {"page": 2, "code": "attorney_work"}]
    decision = FileDecision.model_validate(
        {
            "case_id": CASE,
            "media_id": PHOTO,
            "kind": "public_records",
            "version": 2,
            "outcome": "redact",
            "boxes": boxes,
            "decided_by": "carl",
            "decided_at": START.isoformat(),
        }
    )
    rows = exemptions_of(RECORD, decision, str.upper, "timed_out").withheld
    assert [(row.item, row.code) for row in rows] == [
        (f"file:{PHOTO}", "attorney_work"),
        (f"file:{PHOTO}", "victim"),
    ]
    places = [row.item for row in exemptions_of(RECORD, decision, str.upper).withheld]
    assert places == [f"file:{PHOTO}:p{page}" for page in (1, 2, 3)]


# ---------------------------------------------------------------- the leak check

KEY = base64.b64encode(bytes(range(32))).decode()


def leaks(desk: Desk, file: str, decisions: str, **more: Any) -> Response:
    return desk.internal("leaks", file, key=KEY, decisions=decisions, **more)


def found_in(answer: Response, text: str, record_id: str = "0195-other") -> set[str]:
    """The kinds of what the answer finds in a text."""
    told = answer.json()["fingerprints"]
    found = [
        Fingerprint(
            **each | {"rolling": int(each["rolling"], 16), "mac": bytes.fromhex(each["mac"])}
        )
        for each in told
    ]
    return {hit.kind for hit in scan(bytes(range(32)), found, text, record_id)}


def test_what_is_withheld_of_a_file_is_told_by_fingerprints_and_is_an_access(desk: Desk) -> None:
    desk.decide(LETTER, REDACT)
    decisions = desk.render(LETTER).headers["direct311-decisions"]
    answer = leaks(desk, LETTER, decisions)
    assert answer.status_code == 200, answer.text
    assert answer.json()["record_id"] == RECORD
    assert pdfs.CANARY not in answer.text
    # The annotation shows on no page of what goes out.
    assert found_in(answer, f"Note: {pdfs.CANARY}", RECORD)
    keyed = Keyed(bytes(range(32)))
    digest = hashlib.sha256(FILES[LETTER][0]).digest()
    assert answer.json()["files"] == [keyed.file_mac(digest).hex()]
    entry = desk.events()[-1]
    assert (entry.action, entry.what.fields) == ("view", ("media_original",))
    assert entry.why.purpose == "public_records"


def test_a_file_that_nobody_can_read_has_only_its_hash(desk: Desk) -> None:
    desk.decide(LOCKED, WITHHOLD)
    decisions = desk.render(LOCKED).json()["decisions"]
    answer = leaks(desk, LOCKED, decisions, whole=True)
    assert (answer.json()["fingerprints"], len(answer.json()["files"])) == ([], 1)


def test_a_decision_that_is_not_the_rendered_one_is_told(desk: Desk) -> None:
    desk.decide(LETTER, REDACT)
    before = desk.render(LETTER).headers["direct311-decisions"]
    desk.decide(LETTER, RELEASE | {"version": 1})
    answer = leaks(desk, LETTER, before)
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (409, "changed")


def test_what_once_went_out_without_something_is_remembered(desk: Desk) -> None:
    desk.decide(LETTER, WITHHOLD)
    never_rendered = leaks(desk, LETTER, "0" * 64, released=True)
    assert found_in(never_rendered, pdfs.CANARY, RECORD)
    before = desk.render(LETTER).json()["decisions"]
    assert desk.render(LETTER).json()["decisions"] == before
    desk.decide(LETTER, RELEASE | {"version": 1})
    desk.render(LETTER)
    answer = leaks(desk, LETTER, before, released=True)
    assert found_in(answer, pdfs.CANARY, RECORD)
    state = desk.media.state(RECORD)
    assert [each.outcome for each in (*state.earlier, *state.decisions)] == ["withhold", "release"]


def test_decisions_that_rendered_and_were_replaced_are_not_without_number(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("direct311.media.review.handlers.MOST_BOXES_OF_A_RECORD", 3)
    codes = ("victim", "protected_person")
    for version in range(3):
        decided = desk.decide(
            LETTER, WITHHOLD | {"codes": [codes[version % 2]], "version": version}
        )
        assert decided.status_code == 200
        desk.render(LETTER)
    full = desk.decide(LETTER, WITHHOLD | {"codes": ["victim"], "version": 3})
    assert (full.status_code, full.json()["type"].rpartition(":")[2]) == (409, "full")


def test_what_replaced_a_decision_that_never_rendered_is_all_that_is_remembered(
    desk: Desk,
) -> None:
    desk.decide(LETTER, WITHHOLD)
    desk.decide(LETTER, RELEASE | {"version": 1})
    assert desk.media.state(RECORD).earlier == ()
    assert leaks(desk, LETTER, "0" * 64, released=True).json()["fingerprints"] == []


def test_only_retention_asks_for_fingerprints_under_a_grant(desk: Desk) -> None:
    desk.decide(LETTER, REDACT)
    decisions = desk.render(LETTER).headers["direct311-decisions"]
    path = f"/internal/cases/{CASE}/files/{LETTER}/leaks"
    answer = desk.ask(path, CARL, key=KEY, decisions=decisions)
    assert (answer.status_code, answer.json()["title"]) == (403, "caller")
    stranger = desk.internal("leaks", LETTER, "custodian:vera", key=KEY, decisions=decisions)
    assert stranger.json()["type"].endswith("refused:disclosure_case")
    short = base64.b64encode(b"short").decode()
    assert desk.internal("leaks", LETTER, key=short, decisions=decisions).status_code == 422
