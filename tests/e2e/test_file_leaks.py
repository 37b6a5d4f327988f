"""What is withheld of one record's files is looked for in a whole package: the text of a letter in
another record's description, and a photo that came with another record.

All services are real: media reads the letter in a confined worker and tells only fingerprints.
"""

import pytest

from tests.e2e.test_case_files_in_packages import CODE, Filed
from tests.support import pdfs
from tests.support.county import County, Document, until
from tests.support.submissions import photo, submission

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P13")]

LINES = (
    "The little bridge behind the old mill shakes whenever",
    "a heavy truck crosses it, and nobody has mended the",
    "wooden railing since the long storm of last October",
)
PHOTO = photo("A railing", (25, 46, 1), (80, 12, 1))


def letter() -> bytes:
    document = pdfs.Pdf()
    document.page(b"".join(pdfs.text(each, up=150 - 20 * at) for at, each in enumerate(LINES)))
    return document.bytes()


class FiledTwice(Filed):
    """A case about a record with a letter and a photo, and one with the same photo."""

    async def file_decided(self, media_id: str, order: Document) -> None:
        async def done() -> bool:
            answer = await self.at("media", "PUT", f"/files/{media_id}/decisions", order)
            return answer.status_code == 200

        await until(done, "the grant takes effect at media")

    async def text_released(self, record_id: str) -> None:
        async def decided() -> bool:
            where = f"/records/{record_id}"
            seen = await self.at("intake", "POST", f"{where}/review", {})
            if seen.status_code != 200:
                return False
            order = {"version": seen.json()["version"], "decisions": []}
            done = await self.at("intake", "PUT", f"{where}/decisions", order)
            return done.status_code == 200 and bool(done.json()["reviewed"])

        await until(decided, "the text is decided")


async def files_of(county: County, record_id: str, count: int) -> dict[str, str]:
    async def stored() -> dict[str, str] | None:
        answer = await county.ask("GET", "media", f"/internal/media/{record_id}", "agent")
        found = answer.json()["media"] if answer.status_code == 200 else []
        ids = {each["content_type"]: each["media_id"] for each in found}
        return ids if len(ids) == count else None

    return await until(stored, "the files are stored")


async def test_what_is_withheld_of_files_is_found_in_another_record(county: County) -> None:
    case = FiledTwice(county, county.known.services["retention"])
    sent = [("a.pdf", letter(), "application/pdf"), ("b.jpg", PHOTO, "image/jpeg")]
    first = await county.accepted(submission(4_988), sent)
    pasted = submission(4_989) | {"description": f"I read: {' '.join(LINES)}. Is it so?"}
    second = await county.accepted(pasted, [("c.jpg", PHOTO, "image/jpeg")])
    for each in (first, second):
        await county.routed(each)
    withheld = await files_of(county, first, 2)
    (released,) = (await files_of(county, second, 1)).values()
    await case.opened(
        [first, second],
        fields=["description", "media_original"],
        file_ids=[*withheld.values(), released],
    )
    for each in (first, second):
        await case.text_released(each)
    for media_id in withheld.values():
        order: Document = {"version": 0, "outcome": "withhold", "codes": [CODE]}
        await case.file_decided(media_id, order)
    await case.file_decided(released, {"version": 0, "outcome": "release"})
    assert (await case.collected())["state"] == "reviewing"
    version = (await case.ask("GET", "/packages")).json()["version"]
    stopped = await case.ask("POST", "/packages", {"version": version})
    assert (stopped.status_code, stopped.json()["type"].rpartition(":")[2]) == (409, "leak")
    assert LINES[0] not in stopped.text
    found = (await case.ask("GET", "/leaks")).json()["leaks"]
    assert {(each["entry"], each["record_id"], each["kind"]) for each in found} == {
        ("data/records.csv", first, "page"),
        (f"data/records/{second}.json", first, "page"),
        (f"data/media/{second}/{released}.jpg", first, "file"),
        # Its tags say who took it.
        (f"data/media/{second}/{released}.jpg", first, "name"),
    }
