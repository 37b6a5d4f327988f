"""What retention's packages may rely on when they ask the owners of a record: the double that unit
tests use. Whoever serves the same calls hands itself to the same suite (`owners`)."""

from dataclasses import dataclass
from hashlib import sha256

import pytest

from direct311.retention.packages.adapters.files import PeerFiles
from direct311.retention.packages.adapters.owners import PeerOwners
from direct311.retention.packages.domain.parts import marks_agree
from direct311.retention.packages.ports import (
    ArrivingFile,
    NoFile,
    NotRendered,
    Owners,
    WithheldFile,
)
from direct311.runtime.errors import RefusedError
from tests.support.record_owners import MadeFile, RecordOwners, job, record

pytestmark = pytest.mark.anyio

RECIPIENT = "requester"
BEARER = "Bearer custodian:wanda"
RECIPIENT = "requester"
CASE = "case-1"


@dataclass
class Served:
    """Owners with records in every state. `reviewed`: one with something withheld; `open_item`:
    with an undecided item; `edited`: changed after its review; `ungranted`: outside of the grant;
    `missing`: none. `without_job`: reviewed, and routing does not know it."""

    owners: Owners
    double: RecordOwners
    reviewed: str = "reviewed"
    open_item: str = "open-item"
    edited: str = "edited"
    ungranted: str = "ungranted"
    missing: str = "missing"
    without_job: str = "without-job"


def double() -> Served:
    served = RecordOwners(
        records={
            "reviewed": record(1, withheld=2),
            "without-job": record(2),
            "open-item": "not_reviewed",
            "edited": "changed",
            "ungranted": record(3),
        },
        jobs={"reviewed": dict(job("reviewed"))},
        granted={"reviewed", "without-job", "open-item", "edited", "missing"},
    )
    peer = served.peer()
    return Served(PeerOwners(peer, peer), served)


@pytest.fixture(params=[double])
def served(request: pytest.FixtureRequest) -> Served:
    found: Served = request.param()
    return found


async def test_a_reviewed_record_comes_with_its_decisions_and_a_row_for_each_mark(
    served: Served,
) -> None:
    first, again = [
        await served.owners.rendering(CASE, served.reviewed, RECIPIENT, BEARER) for _ in range(2)
    ]
    assert not isinstance(first, NotRendered)
    assert first == again
    assert first.record_id == served.reviewed
    assert len(bytes.fromhex(first.decisions)) == 32
    assert first.withheld
    assert marks_agree(first)
    for each in first.withheld:
        assert each.item == each.field or each.item.startswith(f"{each.field}:")


async def test_what_cannot_go_out_now_says_why(served: Served) -> None:
    for record_id, reason in (
        (served.open_item, "not_reviewed"),
        (served.edited, "changed"),
        (served.ungranted, "not_granted"),
        (served.missing, "unknown_record"),
    ):
        answer = await served.owners.rendering(CASE, record_id, RECIPIENT, BEARER)
        assert answer == NotRendered(reason)


async def test_the_history_of_a_job_is_an_object_and_a_record_without_a_job_has_none(
    served: Served,
) -> None:
    found = await served.owners.job_history(CASE, served.reviewed, "public_records", BEARER)
    assert isinstance(found, dict)
    assert found["record_id"] == served.reviewed
    none = await served.owners.job_history(CASE, served.without_job, "public_records", BEARER)
    assert none is None
    refused = await served.owners.job_history(CASE, served.ungranted, "public_records", BEARER)
    assert refused == NotRendered("not_granted")


async def test_a_file_comes_with_its_hash_and_a_row_for_each_box() -> None:
    peer = RecordOwners(
        files={
            "open": MadeFile(b"as it came", warnings=("metadata",)),
            "burnt": MadeFile(b"with boxes", boxes=(1, 2, 2)),
            "whole": MadeFile(withheld=True, unrenderable="encrypted"),
            "early": "not_reviewed",
        }
    ).peer()
    files = PeerFiles(peer)
    for media_id, content, warnings, items in (
        ("open", b"as it came", ["metadata"], []),
        ("burnt", b"with boxes", [], ["burnt:1:1", "burnt:2:1", "burnt:2:2"]),
    ):
        async with files.rendering(CASE, media_id, "public_records", BEARER) as found:
            assert isinstance(found, ArrivingFile)
            assert b"".join([piece async for piece in found.content]) == content
        assert found.sha256 == sha256(content).hexdigest()
        assert found.warnings == warnings
        assert [each.item for each in found.withheld] == [f"file:{each}" for each in items]
    async with files.rendering(CASE, "whole", "public_records", BEARER) as found:
        assert isinstance(found, WithheldFile)
    assert (found.reason, [each.item for each in found.withheld]) == ("encrypted", ["file:whole"])
    async with files.rendering(CASE, "early", "public_records", BEARER) as found:
        assert found == NotRendered("not_reviewed")
    async with files.rendering(CASE, "none", "public_records", BEARER) as found:
        assert found == NoFile("not_found")


async def test_an_owner_that_does_not_know_the_person_answers_nothing() -> None:
    served = double()
    served.double.token_refused = True
    with pytest.raises(RefusedError) as refused:
        await served.owners.rendering(CASE, served.reviewed, RECIPIENT, BEARER)
    assert refused.value.code == "unauthenticated"


async def test_answers_that_are_none_are_none() -> None:
    served = double()
    served.double.records["reviewed"] = {"version": "two"}
    answer = await served.owners.rendering(CASE, served.reviewed, RECIPIENT, BEARER)
    assert answer == NotRendered("unavailable")
    served.double.away = True
    answer = await served.owners.rendering(CASE, served.reviewed, RECIPIENT, BEARER)
    assert answer == NotRendered("unavailable")
