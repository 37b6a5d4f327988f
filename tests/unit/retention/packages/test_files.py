"""Files in packages: what goes out of each by its decision, and what the log says of the rest."""

import csv
import io
import json
import os
import zipfile
from hashlib import sha256
from typing import Any

import pypdf
import pytest

from direct311.media.uploads.domain import ACCEPTED
from direct311.retention.packages.domain.files import ENDINGS, CollectedFile
from direct311.retention.packages.handlers import collecting
from direct311.runtime.errors import RefusedError
from direct311.verifier.note import VerifierKey
from direct311.verifier.package.check import verify_package
from tests.support.record_owners import CITATION, MadeFile, record
from tests.unit.retention.fakes import KilledError
from tests.unit.retention.packages.fakes import BEARER, CARLA, COLE, OLGA, PackagingDesk

pytestmark = pytest.mark.anyio
PHOTO = b"\xff\xd8\xff\xe0" + os.urandom(60_000)
SCAN = b"\xff\xd8\xff\xe0" + os.urandom(9_000)
FIELDS = ("description", "media_original")


@pytest.fixture
def desk() -> PackagingDesk:
    return PackagingDesk()


async def with_files(desk: PackagingDesk, files: dict[str, str], granted: tuple[str, ...]) -> str:
    """A case with two records: these are the files of the first."""
    case_id = await desk.granted(2, ("description",))
    desk.owners.records["record-0000"] = record(0, withheld=0, files=files)
    ids = ["record-0000", "record-0001"]
    await desk.grant(case_id, ids, FIELDS, granted)
    return case_id


async def package(desk: PackagingDesk, case_id: str) -> dict[str, bytes]:
    sha = await desk.built(case_id)
    found = await desk.releasing.fetch(OLGA, case_id, sha)
    content = b"".join([piece async for piece in found.content])
    report = verify_package(io.BytesIO(content), [VerifierKey.parse(desk.notary.vkey)])
    assert report.findings == ()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def rows_about_files(entries: dict[str, bytes]) -> list[dict[str, Any]]:
    found = json.loads(entries["exemption-log.json"])
    return [row for row in found if row["field"] == "files"]


async def test_each_file_goes_out_as_it_was_decided(desk: PackagingDesk) -> None:
    states = {"open": "kept", "burnt": "kept", "whole": "kept", "bad": "rejected", "gone": "kept"}
    states |= {"unasked": "kept"}
    case_id = await with_files(desk, states, ("open", "burnt", "whole", "gone"))
    desk.owners.files |= {
        "open": MadeFile(PHOTO, warnings=("position", "metadata")),
        "burnt": MadeFile(SCAN, boxes=(1, 1, 3)),
        "whole": MadeFile(withheld=True),
    }
    (call,) = await desk.collected(case_id)
    assert (call.remaining, call.not_collected) == (0, [])
    entries = await package(desk, case_id)
    files = {name: each for name, each in entries.items() if name.startswith("data/media/")}
    assert files == {
        "data/media/record-0000/open.jpg": PHOTO,
        "data/media/record-0000/burnt.jpg": SCAN,
    }
    assert [
        (row["item"], row["citation"], row["decided_by"]) for row in rows_about_files(entries)
    ] == [
        ("file:burnt:1:1", CITATION, "rita"),
        ("file:burnt:1:2", CITATION, "rita"),
        ("file:burnt:3:1", CITATION, "rita"),
        ("file:whole", CITATION, "rita"),
    ]
    told = json.loads(entries["data/records/record-0000.json"])["files"]
    assert [(each["media_id"], each["outcome"], each.get("reason")) for each in told] == [
        ("open", "original", None),
        ("burnt", "redacted", None),
        ("whole", "withheld", None),
        ("bad", "not_kept", None),
        ("gone", "not_kept", "not_found"),
        ("unasked", "not_in_scope", None),
    ]
    assert told[0] | {"size": 0} == {
        "media_id": "open",
        "outcome": "original",
        "name": "data/media/record-0000/open.jpg",
        "content_type": "image/jpeg",
        "sha256": sha256(PHOTO).hexdigest(),
        "size": 0,
        "warnings": ["position", "metadata"],
    }
    # A record without files is as it always was.
    assert "files" not in json.loads(entries["data/records/record-0001.json"])
    table = list(csv.DictReader(io.StringIO(entries["data/records.csv"].decode(), newline="")))
    assert json.loads(table[0]["files"]) == told
    assert table[1]["files"] == ""
    (part, _) = desk.file(case_id).packages.parts
    assert (part.files, part.files_size, part.withheld) == (2, len(PHOTO) + len(SCAN), 4)


async def test_a_file_that_nobody_reviewed_keeps_its_record_back(desk: PackagingDesk) -> None:
    case_id = await with_files(desk, {"one": "kept", "two": "kept"}, ("one", "two"))
    desk.owners.files |= {"one": MadeFile(PHOTO), "two": "not_reviewed"}
    (call,) = await desk.collected(case_id)
    assert [(each.record_id, each.reason) for each in call.not_collected] == [
        ("record-0000", "not_reviewed")
    ]
    with pytest.raises(RefusedError) as refused:
        await desk.built(case_id)
    assert refused.value.code == "not_collected"
    for reason in ("changed",):
        desk.owners.files["two"] = reason
        (call,) = await desk.collected(case_id)
        assert [each.reason for each in call.not_collected] == [reason]
    desk.owners.files["two"] = MadeFile(SCAN, torn=5)
    (call,) = await desk.collected(case_id)
    assert [each.reason for each in call.not_collected] == ["unavailable"]
    desk.owners.files["two"] = MadeFile(SCAN)
    (call,) = await desk.collected(case_id)
    assert (call.remaining, call.case.state) == (0, "reviewing")


async def test_a_file_that_media_still_takes_in_is_waited_for(desk: PackagingDesk) -> None:
    case_id = await with_files(desk, {"one": "arriving"}, ("one",))
    (call,) = await desk.collected(case_id)
    assert [each.reason for each in call.not_collected] == ["files_arriving"]


async def test_a_decision_made_anew_gives_another_package_and_the_same_one_the_same(
    desk: PackagingDesk,
) -> None:
    case_id = await with_files(desk, {"one": "kept"}, ("one",))
    desk.owners.files["one"] = MadeFile(PHOTO)
    await desk.collected(case_id)
    first = await desk.built(case_id)
    (call,) = await desk.collected(case_id, again=True)
    assert (call.fresh, await desk.built(case_id)) == (0, first)
    for other in (MadeFile(SCAN, boxes=(1,)), MadeFile(withheld=True)):
        desk.owners.files["one"] = other
        (call,) = await desk.collected(case_id, again=True)
        assert (call.fresh, call.case.state) == (1, "reviewing")
        # What was built before is not approved any more.
        with pytest.raises(RefusedError):
            await desk.approve(case_id, first)
        second = await desk.built(case_id)
        assert second != first
        first = second
    entries = await package(desk, case_id)
    assert not [name for name in entries if name.startswith("data/media/")]


async def test_a_partial_release_has_the_files_of_its_records_once(desk: PackagingDesk) -> None:
    case_id = await with_files(desk, {"one": "kept"}, ("one", "two"))
    desk.owners.records["record-0001"] = record(1, withheld=0, files={"two": "kept"})
    desk.owners.files |= {"one": MadeFile(PHOTO), "two": "not_reviewed"}
    names = []
    for partial in (True, False):
        await desk.collected(case_id)
        sha = await desk.built(case_id, partial=partial)
        for by in (OLGA, COLE):
            if by is OLGA or desk.file(case_id).state != "approved":
                await desk.approve(case_id, sha, by)
        found = await desk.releasing.fetch(OLGA, case_id, sha)
        content = b"".join([piece async for piece in found.content])
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names.append([each for each in archive.namelist() if each.startswith("data/media/")])
        await desk.releasing.release(CARLA, case_id, sha)
        desk.owners.files["two"] = MadeFile(SCAN, "application/pdf")
    assert names == [["data/media/record-0000/one.jpg"], ["data/media/record-0001/two.pdf"]]


async def test_one_call_does_not_take_as_long_as_all_files_do(
    desk: PackagingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"record-{number:04}" for number in range(6)]
    case_id = await desk.granted(6, ("description",))
    for number, record_id in enumerate(ids):
        files = {f"file-{number}": "kept"} if number % 2 else {}
        desk.owners.records[record_id] = record(number, withheld=0, files=files)
        desk.owners.files[f"file-{number}"] = MadeFile(SCAN)
    await desk.grant(case_id, ids, FIELDS, tuple(desk.owners.files))
    monkeypatch.setattr(collecting, "SECONDS", -1.0)
    calls = await desk.collected(case_id)
    # Those without files are not kept back by the others.
    assert [(each.collected, each.next) for each in calls] == [
        (4, "record-0002"),
        (5, "record-0003"),
        (6, None),
    ]
    assert all(each.not_collected == [] for each in calls)
    assert sum("/files/" in path for path in desk.owners.paths()) == 3


async def test_files_are_asked_for_on_behalf_of_the_worker_and_stored_sealed(
    desk: PackagingDesk,
) -> None:
    case_id = await with_files(desk, {"one": "kept"}, ("one",))
    desk.owners.files["one"] = MadeFile(b"canary " * 5_000, "text/plain")
    await desk.collected(case_id)
    asked = [each for each in desk.owners.asked if "/files/" in each[0]]
    assert asked == [
        (
            f"/internal/cases/{case_id}/files/one/rendering",
            {"purpose": "public_records", "recipient": "requester"},
            "Bearer service:svc-retention",
            "Bearer exchanged:custodian:carla",
        )
    ]
    await desk.built(case_id)
    assert b"canary" not in b"".join(b"".join(each) for each in desk.documents.versions.values())
    (part, _) = desk.file(case_id).packages.parts
    assert "canary" not in repr(part)


async def test_a_collected_file_that_was_changed_in_the_store_is_not_packaged(
    desk: PackagingDesk,
) -> None:
    case_id = await with_files(desk, {"one": "kept", "two": "kept"}, ("one", "two"))
    desk.owners.files |= {"one": MadeFile(PHOTO), "two": MadeFile(SCAN)}
    await desk.collected(case_id)
    names = [key for key in desk.documents.versions if "/file/" in key[1]]
    assert len(names) == 2
    good = dict(desk.documents.versions)
    desk.documents.versions[names[0]] = good[names[1]]
    with pytest.raises(RefusedError) as refused:
        await desk.built(case_id)
    assert refused.value.code == "not_readable"
    del desk.documents.versions[names[0]]
    with pytest.raises(RefusedError) as refused:
        await desk.built(case_id)
    assert refused.value.code == "not_readable"
    await desk.collected(case_id, again=True)
    await package(desk, case_id)


async def test_a_kill_after_the_files_were_sealed_loses_nothing(
    desk: PackagingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = await with_files(desk, {"one": "kept"}, ("one",))
    desk.owners.files["one"] = MadeFile(PHOTO)

    async def killed(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(desk.files, "commit", killed)
        with pytest.raises(KilledError):
            await desk.collecting(CARLA, BEARER, case_id)
    assert desk.file(case_id).packages.parts == ()
    await desk.collected(case_id)
    assert (await package(desk, case_id))["data/media/record-0000/one.jpg"] == PHOTO


async def test_a_rendering_whose_rows_are_of_another_decision_is_not_taken(
    desk: PackagingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = await with_files(desk, {"one": "kept"}, ("one",))
    desk.owners.files["one"] = burnt = MadeFile(SCAN, boxes=(1,))
    told = burnt.exemptions("one")
    for wrong, reason in (
        ({"decisions": "0" * 64}, "changed"),
        ({"withheld": []}, "marks"),
        ({"withheld": [told["withheld"][0] | {"item": "file:two:p1"}]}, "unavailable"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(MadeFile, "exemptions", lambda _, __, wrong=wrong: told | wrong)
            (call,) = await desk.collected(case_id)
        assert [each.reason for each in call.not_collected] == [reason]


async def test_the_letter_says_what_there_is_of_the_files(desk: PackagingDesk) -> None:
    case_id = await with_files(desk, {"one": "kept", "bad": "rejected", "x": "kept"}, ("one",))
    desk.owners.files["one"] = MadeFile(PHOTO)
    await desk.collected(case_id)
    entries = await package(desk, case_id)
    pages = pypdf.PdfReader(io.BytesIO(entries["letter.pdf"])).pages
    texts = [" ".join(page.extract_text().split()) for page in pages]
    for text, words in zip(
        texts,
        (
            (
                "data/media has 1 file(s)",
                "Of 1 file(s) there is none",
                "1 file(s) of these records",
            ),
            ("contiene 1 archivo(s)", "De 1 archivo(s) no hay nada", "1 archivo(s) de estos"),
            ("gen 1 fichye", "Pou 1 fichye", "1 fichye nan dosye sa yo"),
        ),
        strict=True,
    ):
        for each in words:
            assert each in text


def test_every_type_that_media_takes_has_an_ending_of_its_own() -> None:
    assert {*ACCEPTED} == {*ENDINGS}
    assert len({*ENDINGS.values()}) == len(ENDINGS)
    other = CollectedFile(media_id="m", outcome="original", content_type="x/y")
    assert other.name("r") == "data/media/r/m.bin"


LETTER = (
    "Mrs. Tuckerman of the old mill asked us last Tuesday whether the county would mend the little"
    " bridge before her grandson comes home from school."
)
SECOND = "data/records/record-0001.json"


async def leaks_of(desk: PackagingDesk, case_id: str) -> set[tuple[str | None, str | None, str]]:
    """What stops the build: entry, record that withholds, kind."""
    with pytest.raises(RefusedError) as refused:
        await desk.built(case_id)
    assert refused.value.code == "leak"
    assert "Tuckerman" not in refused.value.detail
    return {(each.entry, each.record_id, each.kind) for each in desk.file(case_id).clearances.open}


async def test_the_text_of_a_withheld_file_in_another_record_stops_the_package(
    desk: PackagingDesk,
) -> None:
    case_id = await with_files(desk, {"one": "kept"}, ("one",))
    desk.owners.files["one"] = MadeFile(withheld=True, texts=(("page", LETTER),))
    desk.owners.records["record-0001"] = record(1, withheld=0, text=f"He sent this: {LETTER}")
    await desk.collected(case_id)
    assert await leaks_of(desk, case_id) == {
        ("data/records.csv", "record-0000", "page"),
        (SECOND, "record-0000", "page"),
    }
    desk.owners.records["record-0001"] = record(1, withheld=0, version=3)
    await desk.collected(case_id, again=True)
    await desk.built(case_id)


@pytest.mark.parametrize("kind", ["whole", "boxes"])
async def test_a_withheld_photo_that_is_attached_to_another_record_stops_the_package(
    desk: PackagingDesk, kind: str
) -> None:
    case_id = await with_files(desk, {"one": "kept"}, ())
    desk.owners.records["record-0001"] = record(1, withheld=0, files={"two": "kept"})
    await desk.grant(case_id, ["record-0000", "record-0001"], FIELDS, ("one", "two"))
    withheld = MadeFile(withheld=True, original=PHOTO)
    boxed = MadeFile(SCAN, boxes=(1,), original=PHOTO)
    desk.owners.files |= {"one": withheld if kind == "whole" else boxed, "two": MadeFile(PHOTO)}
    await desk.collected(case_id)
    assert await leaks_of(desk, case_id) == {
        ("data/media/record-0001/two.jpg", "record-0000", "file")
    }


async def test_a_withheld_photo_inside_another_document_stops_the_package(
    desk: PackagingDesk,
) -> None:
    case_id = await with_files(desk, {"one": "kept"}, ())
    desk.owners.records["record-0001"] = record(1, withheld=0, files={"two": "kept"})
    await desk.grant(case_id, ["record-0000", "record-0001"], FIELDS, ("one", "two"))
    inside = io.BytesIO()
    with zipfile.ZipFile(inside, "w") as archive:
        archive.writestr(zipfile.ZipInfo("media/image1.jpg"), PHOTO)
    office = "application/vnd.oasis.opendocument.text"
    desk.owners.files |= {
        "one": MadeFile(withheld=True, original=PHOTO),
        "two": MadeFile(inside.getvalue(), content_type=office),
    }
    await desk.collected(case_id)
    assert await leaks_of(desk, case_id) == {
        ("data/media/record-0001/two.odt", "record-0000", "file")
    }


async def test_a_later_part_is_searched_for_what_released_files_withhold(
    desk: PackagingDesk,
) -> None:
    case_id = await with_files(desk, {"one": "kept"}, ("one",))
    desk.owners.files["one"] = MadeFile(withheld=True, texts=(("page", LETTER),))
    desk.owners.records["record-0001"] = "not_reviewed"
    await desk.collected(case_id)
    first = await desk.built(case_id, partial=True)
    for each in (OLGA, COLE):
        await desk.approve(case_id, first, each)
    await desk.releasing.release(CARLA, case_id, first)
    # What is decided of the file since changes nothing about what went out without it.
    desk.owners.files["one"] = MadeFile(SCAN, boxes=(1,), texts=(("page", LETTER),))
    desk.owners.records["record-0001"] = record(1, withheld=0, text=LETTER)
    await desk.collected(case_id)
    assert (SECOND, "record-0000", "page") in await leaks_of(desk, case_id)
    asked = [body for path, body, *_ in desk.owners.asked if path.endswith("/files/one/leaks")]
    assert (asked[-1]["released"], asked[-1]["whole"], asked[-1]["purpose"]) == (
        True,
        True,
        "public_records",
    )
    assert len({each["key"] for each in asked}) == len(asked)
    # Of a file that was destroyed since, nobody has anything to look for.
    del desk.owners.files["one"]
    await desk.built(case_id)


async def test_a_file_that_was_decided_anew_is_collected_again(desk: PackagingDesk) -> None:
    case_id = await with_files(desk, {"one": "kept"}, ("one",))
    desk.owners.files["one"] = MadeFile(withheld=True)
    await desk.collected(case_id)
    desk.owners.files["one"] = MadeFile(withheld=True, version=2)
    with pytest.raises(RefusedError) as refused:
        await desk.built(case_id)
    assert refused.value.code == "collected_before"


async def test_a_withheld_file_that_the_store_has_lost_stops_nothing(desk: PackagingDesk) -> None:
    case_id = await with_files(desk, {"one": "kept"}, ("one",))
    desk.owners.files["one"] = MadeFile(withheld=True, lost=True)
    await desk.collected(case_id)
    assert await desk.built(case_id)
