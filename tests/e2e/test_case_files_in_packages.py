"""A resident's photo and PDF in a package: reviewed at media, burnt in there, collected by
retention on the worker's behalf, and searched for what is withheld before anybody approves it.

All services are real. What the requester gets is searched with exiftool and poppler, which the
product does not use, and checked with the verifier.
"""

import asyncio
import io
import json
import subprocess
import zipfile
from pathlib import Path

import httpx
import pytest

from deploy.local.stack import Stack
from direct311.runtime.messaging.signing import read_private
from direct311.verifier.note import VerifierKey
from direct311.verifier.package.check import verify_package
from tests.e2e.test_case_packages import Releasing
from tests.support import pdfs
from tests.support.county import County, Document, until
from tests.support.submissions import photo, submission

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P13")]

NAME, PHONE = "Filomena Oyelaran-Quetzal", "305-555-0187"
"""A resident, whose name and telephone are in the files too."""
PHOTO = photo(f"{NAME}, {PHONE}", (25, 46, 1), (80, 12, 1))
LETTER = pdfs.planted("annotation", f"{NAME}, {PHONE}")
CODE = "protected_person"
CITATION = "119.071(4)(d)"
BOX = {"page": 1, "left": 0.0, "top": 0.0, "right": 1.0, "bottom": 0.5, "code": CODE}


class Filed(Releasing):
    """A case about one record with a photo and a letter."""

    record_id = ""

    async def at(self, service: str, method: str, path: str, body: Document) -> httpx.Response:
        where = f"/v1/cases/{self.case_id}{path}"
        return await self.county.ask(method, service, where, "custodian", self.custodian, body)

    async def files(self) -> dict[str, str]:
        """The ids of the files, by type, once both are stored and intake knows it."""

        async def stored() -> dict[str, str] | None:
            path = f"/internal/media/{self.record_id}"
            answer = await self.county.ask("GET", "media", path, "agent")
            found = answer.json()["media"] if answer.status_code == 200 else []
            return (
                {each["content_type"]: each["media_id"] for each in found}
                if len(found) == 2
                else None
            )

        return await until(stored, "both files are stored")

    async def text_decided(self) -> None:
        """The telephone is withheld, and the description goes out."""

        async def reviewed() -> Document | None:
            answer = await self.at("intake", "POST", f"/records/{self.record_id}/review", {})
            return answer.json() if answer.status_code == 200 else None

        await until(reviewed, "the grant takes effect at the gateway")

        async def decided() -> bool:
            seen = await reviewed()
            if seen is None:
                return False
            order = {
                "version": seen["version"],
                "decisions": [{"item": "phone", "decision": "withhold", "code": CODE}],
            }
            path = f"/records/{self.record_id}/decisions"
            return (await self.at("intake", "PUT", path, order)).status_code == 200

        await until(decided, "the text is decided")

    async def decided(self, media_id: str, version: int, outcome: str) -> None:
        order: Document = {"version": version, "outcome": outcome}
        if outcome == "redact":
            order["boxes"] = [BOX]

        async def done() -> bool:
            answer = await self.at("media", "PUT", f"/files/{media_id}/decisions", order)
            return answer.status_code == 200

        await until(done, "the grant takes effect at media")


async def test_a_photo_and_a_letter_go_out_with_black_boxes_and_nothing_that_is_withheld(
    county: County, stack: Stack, tmp_path: Path
) -> None:
    case = Filed(county, county.known.services["retention"])
    files = [("a.jpg", PHOTO, "image/jpeg"), ("b.pdf", LETTER, "application/pdf")]
    form = submission(4_987, phone=PHONE)
    case.record_id = await county.accepted(form, files)
    await county.routed(case.record_id)
    ids = await case.files()
    picture, letter = ids["image/jpeg"], ids["application/pdf"]
    await case.opened(
        [case.record_id],
        fields=["description", "phone", "media_original"],
        file_ids=[picture, letter],
    )
    await case.text_decided()
    await case.decided(picture, 0, "redact")

    # Nobody has decided about the letter, so the record waits, and the answer names nothing of it.
    async def waits() -> bool:
        first = (await case.ask("POST", "/collection", {})).json()
        reasons = {each["reason"] for each in first["not_collected"]}
        assert PHONE not in json.dumps(first)
        assert reasons <= {"not_reviewed", "files_arriving"}
        return reasons == {"not_reviewed"}

    await until(waits, "intake knows that both files are kept")

    # Whoever releases the letter as it came releases the telephone in its annotation: the build
    # stops.
    await case.decided(letter, 0, "release")
    assert (await case.collected())["state"] == "reviewing"
    version = (await case.ask("GET", "/packages")).json()["version"]
    stopped = await case.ask("POST", "/packages", {"version": version})
    assert (stopped.status_code, stopped.json()["type"].rpartition(":")[2]) == (409, "leak")
    assert f"data/media/{case.record_id}/{letter}.pdf (" in stopped.json()["detail"]
    assert PHONE not in stopped.text

    await case.decided(letter, 1, "redact")
    again = await case.ask("POST", "/collection", {"again": True})
    assert (again.status_code, again.json()["fresh"]) == (200, 1), again.text
    package = await case.built()
    await case.approved(package)
    out = await case.ask("POST", f"/packages/{package}/release", {})
    assert (out.status_code, out.json()["state"]) == (200, "released"), out.text

    got = await case.download()
    assert (got.status_code, got.headers["X-Package-SHA256"]) == (200, package)
    _, private = read_private(stack.root / "keys" / "retention-signing.json")
    key = VerifierKey("direct311/retention", private.public_key().public_bytes_raw())
    report = verify_package(io.BytesIO(got.content), [key])
    assert report.ok, report.text
    assert "2 files" in report.text

    with zipfile.ZipFile(io.BytesIO(got.content)) as archive:
        archive.extractall(tmp_path)
    folder = tmp_path / "data" / "media" / case.record_id
    assert {each.name for each in folder.iterdir()} == {f"{picture}.jpg", f"{letter}.pdf"}
    rows = json.loads((tmp_path / "exemption-log.json").read_bytes())
    assert {(row["item"], row["field"], row["citation"]) for row in rows} == {
        ("phone", "phone", CITATION),
        (f"file:{picture}:1:1", "files", CITATION),
        (f"file:{letter}:1:1", "files", CITATION),
    }
    for command in (
        ["exiftool", "-a", "-u", "-g1", "-ee", str(folder / f"{picture}.jpg")],
        ["exiftool", "-a", "-u", "-g1", "-ee", str(folder / f"{letter}.pdf")],
        ["pdftotext", str(folder / f"{letter}.pdf"), "-"],
        ["pdfinfo", str(folder / f"{letter}.pdf")],
    ):
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, check=True
        )
        said = done.stdout + done.stderr
        assert not any(each in said for each in ("Filomena", PHONE, "GPS")), command[0]
    for name in zipfile.ZipFile(io.BytesIO(got.content)).namelist():
        content = (tmp_path / name).read_bytes()
        assert not any(each in content for each in (b"Filomena", PHONE.encode())), name

    # One changed byte of a file is found in it.
    at = got.content.index((folder / f"{picture}.jpg").read_bytes()) + 1_000
    broken = bytearray(got.content)
    broken[at] ^= 1
    wrong = verify_package(io.BytesIO(bytes(broken)), [key])
    assert {each.where for each in wrong.findings} == {f"data/media/{case.record_id}/{picture}.jpg"}

    # What the store keeps of the files is sealed.
    store = county.store()
    for found in store.list_objects("direct311-cases", recursive=True):
        if case.case_id in (found.object_name or ""):
            sealed = store.get_object("direct311-cases", found.object_name or "").read()
            assert b"\xff\xd8\xff" not in sealed[:64]
            assert b"%PDF" not in sealed
