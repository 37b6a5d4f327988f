"""A photo and a letter of a case: a worker whom the grant names reviews them and decides, and
retention gets what goes out on the worker's behalf, while nobody else opens anything."""

import hashlib
from io import BytesIO
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.e2e.test_case_grants import CaseWork, rule
from tests.support import pdfs
from tests.support.county import County, Document, until
from tests.support.submissions import photo, submission

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P13", "P21")]

CANARY = "Canary-Filomena-Oyelaran"
PHOTO = photo(CANARY, (25, 46, 1), (80, 12, 1))
LETTER = pdfs.planted("annotation", CANARY)
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
BOX = {"page": 1, "left": 0.0, "top": 0.0, "right": 1.0, "bottom": 0.5, "code": "protected_person"}
REDACT = {"version": 0, "outcome": "redact", "boxes": [BOX]}


class Review:
    """The files of one record, under one case."""

    def __init__(self, county: County, work: CaseWork, record_id: str) -> None:
        self.county, self.work, self.record_id = county, work, record_id

    async def files(self) -> list[str]:
        """The ids of the record's two files, once both are stored."""

        async def found() -> list[Document] | None:
            path = f"/internal/media/{self.record_id}"
            answer = await self.county.ask("GET", "media", path, "agent")
            files = answer.json()["media"] if answer.status_code == 200 else []
            return files if len(files) == 2 else None

        files = await until(found, "both files are stored")
        return [str(each["media_id"]) for each in files]

    async def ask(
        self,
        method: str,
        media_id: str,
        what: str,
        body: Document | None = None,
        name: str | None = None,
    ) -> httpx.Response:
        path = f"/v1/cases/{self.work.case_id}/files/{media_id}/{what}"
        worker = name or self.work.worker
        return await self.county.ask(method, "media", path, "custodian", worker, body or {})

    async def on_behalf(self, media_id: str, what: str, **body: Any) -> httpx.Response:
        """Retention asks media, with its own token and one that it exchanged the worker's for."""
        county = self.county
        theirs = await county.session.headers("retention", "custodian", self.work.worker)
        form = {
            "grant_type": EXCHANGE,
            "subject_token": theirs["Authorization"].removeprefix("Bearer "),
            "subject_token_type": ACCESS_TOKEN,
            "audience": county.known.audiences["media"],
            "client_id": "svc-retention",
            "client_secret": county.stack.credentials.clients["svc-retention"],
        }
        made = await county.http.post(f"{county.known.issuer}/token", data=form)
        own = await county.service_headers("svc-retention", "media")
        behind = f"Bearer {made.raise_for_status().json()['access_token']}"
        path = f"/internal/cases/{self.work.case_id}/files/{media_id}/{what}"
        url = county.known.services["media"] + path
        headers = own | {"X-On-Behalf-Of": behind}
        return await county.http.post(url, json=body, headers=headers, timeout=60)


async def test_files_of_a_case_are_reviewed_and_go_out_with_boxes_burnt_in(county: County) -> None:
    work = CaseWork(county)
    await work.opened()
    files = [("a.jpg", PHOTO, "image/jpeg"), ("b.pdf", LETTER, "application/pdf")]
    record_id = await county.accepted(submission(4_321), files)
    review = Review(county, work, record_id)
    media_ids = await review.files()
    assert rule(await review.ask("POST", media_ids[0], "review")) == "disclosure_case"

    await work.approved(
        await work.prepared(record_ids=[record_id], file_ids=media_ids, fields=["media_original"])
    )

    async def reviewed() -> dict[str, tuple[str, Document]] | None:
        answers = [(await review.ask("POST", each, "review"), each) for each in media_ids]
        if any(answer.status_code != 200 for answer, _ in answers):
            return None
        return {answer.json()["kind"]: (each, answer.json()) for answer, each in answers}

    found = await until(reviewed, "the grant takes effect at media")
    (picture, seen), (letter, pages) = found["picture"], found["pdf"]
    assert seen["findings"] == ["metadata", "position"]
    assert set(pages["findings"]) == {"annotations", "unscanned"}
    shown = await review.ask("POST", letter, "pages/1")
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
    size = Image.open(BytesIO(shown.content)).size
    assert [{"width": size[0], "height": size[1]}] == pages["pages"]

    # Nobody has decided yet, so nothing goes out; nor does anything by a code that is none.
    early = await review.on_behalf(picture, "rendering", recipient="requester")
    assert (early.status_code, early.json()["title"]) == (409, "not reviewed")
    bad = {**REDACT, "boxes": [{**BOX, "code": "because"}]}
    none = await review.ask("PUT", picture, "decisions", bad)
    assert (none.status_code, none.json()["title"]) == (422, "exemption")
    stranger = await review.ask("PUT", picture, "decisions", REDACT, "vera")
    assert rule(stranger) == "disclosure_case"

    for media_id, data in ((picture, PHOTO), (letter, LETTER)):
        decided = await review.ask("PUT", media_id, "decisions", REDACT)
        assert (decided.status_code, decided.json()["version"]) == (200, 1), decided.text
        again = await review.ask("PUT", media_id, "decisions", REDACT)
        assert (again.status_code, again.json()) == (200, decided.json()), again.text
        went = await review.on_behalf(media_id, "rendering", recipient="requester")
        assert (went.status_code, went.headers["direct311-kind"]) == (200, "redacted"), went.text
        assert went.headers["direct311-sha256"] == hashlib.sha256(went.content).hexdigest()
        assert CANARY.encode() in data
        assert CANARY.encode() not in went.content
        again = await review.on_behalf(media_id, "rendering", recipient="requester")
        assert again.content == went.content
        rows = await review.on_behalf(media_id, "exemptions")
        assert rows.json()["decisions"] == went.headers["direct311-decisions"]
        (row,) = rows.json()["withheld"]
        assert (row["item"], row["citation"]) == (f"file:{media_id}:p1", "119.071(4)(d)")
        assert row["decided_by"] == work.worker

    stale = await review.ask("PUT", picture, "decisions", {"version": 0, "outcome": "release"})
    assert (stale.status_code, stale.json()["title"]) == (409, "changed")
    released = await review.ask("PUT", picture, "decisions", {"version": 1, "outcome": "release"})
    assert released.json()["version"] == 2
    original = await review.on_behalf(picture, "rendering", recipient="requester")
    assert original.content == PHOTO
    assert original.headers["direct311-warnings"] == "metadata,position"

    # Each opening, decision and disclosure is an entry with the number of the case.
    async def logged() -> bool:
        path = f"/v1/entries?case={work.case_id}&service=media&reference=LETTER-99"
        entries = (await county.get("audit", path, "auditor"))["entries"]
        done = [each["action"] for each in entries if each["outcome"] == "success"]
        return done.count("redact") == 3 and done.count("disclose") == 5 and "view" in done

    await until(logged, "the log has what was opened, decided and disclosed")
    me = f"/internal/cases/{work.case_id}/files/{picture}/rendering"
    alone = await county.ask(
        "POST", "media", me, "custodian", work.worker, {"recipient": "requester"}
    )
    assert rule(alone) == "caller"
