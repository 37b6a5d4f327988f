"""A package has nothing of what was withheld, however well it was hidden in what residents sent.

Residents send texts, pictures, PDFs, sounds, films and archives, in each of which every tag, layer,
note and earlier revision is a canary. People review all of it. What the requester downloads in the
end is read with poppler, exiftool, ffprobe and pypdf, none of which the product uses.
"""

import io
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from deploy.local.bootstrap import install_tools
from tests.e2e.test_case_review import settled
from tests.e2e.test_public_records_all_the_way import PublicCase
from tests.privacy import corpus, reading
from tests.support.canaries import Found, Search, table
from tests.support.county import County, Document, File, until
from tests.support.submissions import submission

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P13", "P20")]

CODE = "protected_person"
CONTACT = ("first_name", "last_name", "email", "phone")
SAID = "A boat blocks the canal. "
"""What goes out of a description."""
BURNT = ("application/pdf", "image/jpeg", "image/png", "image/webp", "image/heic")


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    if missing := install_tools(reading.TOOLS):
        pytest.skip("; ".join(f"{each.name} is missing; run: {each.otherwise}" for each in missing))


class Release:
    """Records that residents sent with their files, through one case into one package."""

    def __init__(self, county: County) -> None:
        self.county, self.work = county, PublicCase(county)
        self.files: dict[str, list[Document]] = {}

    async def sent(self, number: int, said: dict[str, str], files: list[File]) -> None:
        record_id = await self.county.accepted(submission(number) | said, files)

        async def stored() -> list[Document] | None:
            path = f"/internal/media/{record_id}"
            answer = await self.county.ask("GET", "media", path, "agent")
            found = answer.json()["media"] if answer.status_code == 200 else []
            done = len(found) == len(files) and all(each["state"] == "stored" for each in found)
            return found if done else None

        self.files[record_id] = await until(stored, "all files are stored")
        await settled(self.county, record_id)

    async def granted(self) -> None:
        ids = list(self.files)
        await self.work.opened()

        async def identified() -> bool:
            order = {"record_ids": ids, "complete": True}
            return (await self.work.desk("POST", "/records", order)).status_code == 200

        await until(identified, "the inventory knows the records")
        grant = await self.work.prepared(
            record_ids=ids,
            file_ids=[each["media_id"] for files in self.files.values() for each in files],
            fields=[*CONTACT, "description", "media_original"],
        )
        await self.work.approved(grant)
        await self.work.reads(ids[0])

    async def reviewed(self) -> None:
        for record_id, files in self.files.items():
            shown = await self.work.reviewed(record_id)
            text = str(shown["texts"]["description"])
            assert text.startswith(SAID)
            choices = [(field, CODE) for field in CONTACT]
            choices.append((f"description:{len(SAID)}-{len(text)}", CODE))
            done = await self.work.decide(record_id, shown["version"], *choices)
            assert (done.status_code, done.json()["reviewed"]) == (200, True), done.text
            for each in files:
                await self._decided(each["media_id"])

    async def _decided(self, media_id: str) -> None:
        """The upper half of each page is burnt out, and what has no pages is withheld whole."""
        path = f"/v1/cases/{self.work.case_id}/files/{media_id}"

        async def looked() -> Document | None:
            answer = await self._media("POST", f"{path}/review", {})
            return answer.json() if answer.status_code == 200 else None

        shown = await until(looked, "the grant takes effect at media")
        order: Document = {"version": 0, "outcome": "withhold", "codes": [CODE]}
        if shown["pages"]:
            box = {"left": 0.0, "top": 0.0, "right": 1.0, "bottom": 0.5, "code": CODE}
            boxes = [{**box, "page": 1 + page} for page in range(len(shown["pages"]))]
            order = {"version": 0, "outcome": "redact", "boxes": boxes}
        answer = await self._media("PUT", f"{path}/decisions", order)
        assert answer.status_code == 200, answer.text

    async def _media(self, method: str, path: str, body: Document) -> Any:
        return await self.county.ask(
            method, "media", path, "custodian", self.work.worker, body, timeout=120
        )

    async def _desk(self, path: str, body: Document) -> Any:
        """A call that takes its time."""
        return await self.county.ask(
            "POST",
            "retention",
            f"/v1/cases/{self.work.case_id}{path}",
            "custodian",
            self.work.custodian,
            body,
            timeout=600,
        )

    async def package(self) -> bytes:
        """What the requester downloads."""
        after: str | None = None

        async def collected() -> bool:
            nonlocal after
            answer = await self._desk("/collection", {"after": after} if after else {})
            assert answer.status_code == 200, answer.text
            after = answer.json().get("next")
            return not answer.json()["remaining"]

        await until(collected, "everything is collected", seconds=600)
        version = (await self.work.desk("GET", "/packages")).json()["version"]
        built = await self._desk("/packages", {"version": version})
        assert built.status_code == 201, built.text
        package = str(built.json()["packages"][-1]["sha256"])
        for role in ("records_officer", "counsel"):
            await self.work.approve_package(package, role)
        out = await self.work.desk("POST", f"/packages/{package}/release", {})
        assert (out.status_code, out.json()["state"]) == (200, "released"), out.text
        return (await self.work.by_token("/package")).content


def _found(search: Search, folder: Path) -> tuple[list[Found], Counter[str]]:
    """What each program finds below a folder, and how much each said."""
    found: list[Found] = []
    said: Counter[str] = Counter()
    for program, text in reading.read(folder):
        found += search.in_bytes(text, program)
        said[program] += len(text)
    return found, said


@pytest.mark.parametrize(
    "count",
    [
        2,
        pytest.param(64, marks=[pytest.mark.campaign, pytest.mark.timeout(1_800)], id="5000"),
    ],
)
async def test_no_canary_is_in_a_package(
    county: County, tmp_path: Path, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    plant = corpus.Planted()
    made = corpus.records(plant, count)
    search = Search(plant.canaries)
    originals, released = tmp_path / "originals", tmp_path / "released"
    originals.mkdir()
    for number, (_, files) in enumerate(made):
        for name, data, _ in files:
            (originals / f"{number}-{name}").write_bytes(data)
    release = Release(county)
    for number, (said, files) in enumerate(made):
        await release.sent(5_100 + number, said, files)
    await release.granted()
    await release.reviewed()
    package = await release.package()
    released.mkdir()
    (released / "package.zip").write_bytes(package)
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        archive.extractall(released / "bag")
        names = [each for each in archive.namelist() if each.startswith("data/media/")]

    # Every file of which a part goes out is there, made anew, and no other.
    burnt = sum(kind in BURNT for _, files in made for _, _, kind in files)
    assert len(names) == burnt
    there, _ = _found(search, originals)
    hidden = {each.canary for each in there}
    texts = {each.name for each in plant.canaries if each.name.startswith(TEXTS)}
    # Whatever the programs do not find before the review means nothing afterwards.
    assert {each.name for each in plant.canaries} - hidden - texts == set()
    found, read = _found(search, released)
    assert not found, f"{len(found)} found\n{table(found)}"
    assert set(read) == {"bytes", "exiftool", "ffprobe", "pdftotext", "pdfinfo", "pdfdetach"} | {
        "pdfimages",
        "pypdf",
    }
    with capsys.disabled():
        by = Counter(each.file for each in there)
        sys.stdout.write(
            f"\nprivacy: 0 of {len(plant.canaries):,} canaries of {count} records with "
            f"{sum(len(files) for _, files in made)} files are in a package of {len(package):,} "
            f"bytes; in the originals the programs find {len(hidden):,}: {dict(by)}\n"
        )


TEXTS = ("text", "first name", "last name", "e-mail", "telephone")
"""Canaries that stand in no file."""
