"""Building, approving and releasing: one hash, other people, once."""

import io
import json
import zipfile
from datetime import timedelta
from functools import partial
from hashlib import sha256 as sha256_of
from typing import Any

import bson
import pytest
from bson.codec_options import CodecOptions
from fastapi import Request
from starlette.testclient import TestClient

from direct311.retention.cases.domain import CaseFile
from direct311.retention.cases.handlers import DestroyCase
from direct311.retention.packages.api import public_router, router
from direct311.retention.packages.handlers import building, collecting, releasing, seen
from direct311.retention.packages.handlers.releasing import FetchedPackage
from direct311.runtime.access.disclosures import nonce_of_grant, nonce_of_package
from direct311.runtime.access.ledger import AuditUnavailableError
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.vault.pieces import PieceReader, PieceWriter
from direct311.runtime.vault.vault import VaultError
from direct311.schemas import Event, decode, replaced
from direct311.schemas import events as ev
from direct311.schemas.claims import overreach
from direct311.schemas.model import Model
from direct311.verifier.note import Note, VerifierKey
from tests.support.disclosures import received
from tests.support.record_owners import record
from tests.unit.retention.fakes import KilledError
from tests.unit.retention.packages.fakes import (
    BEARER,
    CARLA,
    COLE,
    INTAKE,
    OLGA,
    PackagingDesk,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def desk() -> PackagingDesk:
    return PackagingDesk()


async def refused(code: str, ask: object) -> None:
    with pytest.raises(RefusedError) as error:
        await ask  # type: ignore[misc]
    assert error.value.code == code


def entries(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as found:
        return {name: found.read(name) for name in found.namelist()}


async def read(found: FetchedPackage) -> bytes:
    return b"".join([piece async for piece in found.content])


def builds(desk: PackagingDesk) -> set[str]:
    """Under which names packages are in the store."""
    names = (name for _, name in desk.documents.versions if "/build/" in name)
    return {name.rpartition("/")[0] for name in names}


# ---------------------------------------------------------------- from collection to release


async def test_a_package_is_built_approved_by_others_and_released(desk: PackagingDesk) -> None:
    case_id = await desk.granted(3)
    await desk.collected(case_id)
    sha256 = await desk.built(case_id)
    state, (shown,) = await desk.releasing.packages(CARLA, case_id)
    assert (state.state, shown.state) == ("packaged", "built")
    assert shown.missing == ("records_officer", "counsel")
    assert (shown.package.records, shown.package.withheld) == (3, 3)
    assert (await desk.approve(case_id, sha256, OLGA)).missing == ("counsel",)
    await refused("case_state", desk.releasing.release(CARLA, case_id, sha256))
    assert (await desk.approve(case_id, sha256, COLE)).state == "approved"
    assert desk.file(case_id).state == "approved"
    await desk.releasing.release(CARLA, case_id, sha256)
    assert desk.file(case_id).state == "released"
    fetched = await desk.releasing.fetch_by_token(INTAKE, desk.token)
    content = await read(fetched)
    assert (fetched.sha256, sha256_of(content).hexdigest()) == (sha256, sha256)
    assert fetched.size == len(content)
    found = entries(content)
    assert [name for name in found if name.startswith("data/records/")] == [
        f"data/records/record-000{number}.json" for number in range(3)
    ]
    assert b"Bagging-Date: 2026-02-27" in found["bag-info.txt"]
    assert len(json.loads(found["exemption-log.json"])) == 3
    key = VerifierKey.parse(desk.notary.vkey)
    assert list(Note.parse(found["tagmanifest.note"].decode()).verify([key])) == [key]
    told = [each for each in desk.steps(case_id) if isinstance(each, ev.DisclosureReleased)]
    assert [(each.package, dict(each.counts), each.recipient) for each in told] == [
        (sha256, {"records": 3, "withheld": 3}, "requester")
    ]
    assert {each.approver for each in told[0].approvals} == {"olga", "cole"}
    assert not any(overreach("retention", each) for each in desk.steps(case_id))


async def test_an_owner_accepts_the_event_of_the_release(desk: PackagingDesk) -> None:
    case_id = await desk.granted(2)
    await desk.releasing.release(CARLA, case_id, await desk.approved(case_id))
    stored = (await desk.files.load([case_id]))[case_id]
    assert not await desk.office.owner.take([received(each.message) for each in stored.outbox])


async def test_without_anything_withheld_counsel_is_not_needed(desk: PackagingDesk) -> None:
    case_id = await desk.granted(1)
    await desk.collected(case_id)
    sha256 = await desk.built(case_id)
    await refused("role", desk.approve(case_id, sha256, COLE))
    assert (await desk.approve(case_id, sha256, OLGA)).state == "approved"


async def test_each_step_is_told_with_the_hash_and_without_a_text(desk: PackagingDesk) -> None:
    case_id = await desk.granted(3)
    sha256 = await desk.approved(case_id)
    await desk.releasing.release(CARLA, case_id, sha256)
    steps = desk.steps(case_id)
    versions = [each.version for each in steps]
    assert versions == sorted({*versions})
    said = [
        (each.step, each.state, each.actor, dict(each.hashes))
        for each in steps
        if isinstance(each, ev.DisclosureRecorded)
    ]
    named = {"package": sha256}
    assert said[-4:] == [
        ("collected", "reviewing", "carla", {}),
        ("packaged", "packaged", "carla", named),
        ("package_approval", "packaged", "olga", named),
        ("package_approval", "approved", "cole", named),
    ]
    assert "bridge" not in repr(steps)
    assert desk.file(case_id).last_step is not None


# ---------------------------------------------------------------- who approves what


async def test_a_release_is_a_step_of_the_timeline_once(desk: PackagingDesk) -> None:
    case_id = await desk.granted(2)
    package = await desk.approved(case_id)
    for _ in range(2):
        await desk.releasing.release(CARLA, case_id, package)
    found = [each for each in desk.file(case_id).timeline if each.step == "released"]
    assert [(each.actor, each.state, each.codes) for each in found] == [
        ("carla", "released", ("requester",))
    ]
    assert found[0].counts["records"] == 2


async def test_nobody_approves_what_the_same_person_built_or_approved(desk: PackagingDesk) -> None:
    case_id = await desk.granted(2)
    await desk.collected(case_id)
    sha256 = await desk.built(case_id)
    both = Caller("Carla", ("custodian", "records_officer"))
    await refused("same_person", desk.approve(case_id, sha256, both, sub="Carla"))
    await desk.approve(case_id, sha256, OLGA)
    again = await desk.approve(case_id, sha256, OLGA)
    assert len(again.package.approvals) == 1
    olga = Caller("o.l.g.a", ("counsel",))
    await refused("same_person", desk.approve(case_id, sha256, olga))
    otto = Caller("otto", ("records_officer",))
    await refused("approved", desk.approve(case_id, sha256, otto))
    await refused("unknown_case", desk.approve(case_id, sha256, Caller("ann", ("agent",))))


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "another"},
        {"sub": "otto"},
        {"aud": "another-client"},
        {"auth_time": 1},
    ],
)
async def test_only_a_fresh_sign_in_for_this_hash_approves(
    desk: PackagingDesk, changes: dict[str, Any]
) -> None:
    case_id = await desk.granted(2)
    await desk.collected(case_id)
    sha256 = await desk.built(case_id)
    await refused("fresh_sign_in", desk.approve(case_id, sha256, OLGA, **changes))
    assert desk.file(case_id).state == "packaged"


async def test_the_approval_of_a_grant_or_of_another_case_approves_no_package(
    desk: PackagingDesk,
) -> None:
    case_id = await desk.granted(2)
    await desk.collected(case_id)
    sha256 = await desk.built(case_id)
    (issued,) = desk.file(case_id).grants
    for nonce in (nonce_of_grant(issued.grant), nonce_of_package("another", sha256)):
        await refused("fresh_sign_in", desk.approve(case_id, sha256, OLGA, nonce=nonce))


async def test_a_wrong_or_stale_hash_is_refused(desk: PackagingDesk) -> None:
    case_id = await desk.granted(2)
    await desk.collected(case_id)
    first = await desk.built(case_id)
    await desk.approve(case_id, first, OLGA)
    await desk.approve(case_id, first, COLE)
    wrong = "0" * 64
    await refused("package_hash", desk.approve(case_id, wrong))
    await refused("package_hash", desk.releasing.release(CARLA, case_id, wrong))
    await refused("not_found", desk.releasing.fetch(CARLA, case_id, wrong))
    # Decided anew after the approval: what was approved does not go out.
    desk.owners.records["record-0001"] = record(1, withheld=2)
    await desk.collected(case_id, again=True)
    await refused("package_hash", desk.releasing.release(CARLA, case_id, first))
    second = await desk.built(case_id)
    await refused("package_hash", desk.releasing.release(CARLA, case_id, first))
    await refused("case_state", desk.releasing.release(CARLA, case_id, second))
    _, found = await desk.releasing.packages(OLGA, case_id)
    assert [each.state for each in found] == ["replaced", "built"]


async def test_the_same_package_built_again_keeps_its_approvals(desk: PackagingDesk) -> None:
    case_id = await desk.granted(2)
    sha256 = await desk.approved(case_id)
    desk.clock.at += timedelta(days=2)
    assert await desk.built(case_id) == sha256
    assert desk.file(case_id).state == "approved"
    assert len(desk.file(case_id).packages.packages) == 1


# ---------------------------------------------------------------- building


async def test_not_everything_and_nothing_are_not_built_by_accident(desk: PackagingDesk) -> None:
    case_id = await desk.granted(3)
    version = desk.file(case_id).version
    await refused("case_state", desk.building(CARLA, BEARER, case_id, version))
    desk.owners.records["record-0001"] = "not_reviewed"
    await desk.collected(case_id)
    version = desk.file(case_id).version
    await refused("not_collected", desk.building(CARLA, BEARER, case_id, version))
    await refused("changed", desk.building(CARLA, BEARER, case_id, version - 1))
    await refused("unknown_case", desk.building(OLGA, BEARER, case_id, version))


async def test_what_is_withheld_in_one_record_is_in_no_other(desk: PackagingDesk) -> None:
    case_id = await desk.granted(3)
    desk.owners.records["record-0000"] = record(0, withheld=0, text="Ask Maria Lopez-Ramirez.")
    await desk.collected(case_id)
    desk.owners.withheld["record-0001"] = [("name", "María López Ramírez")]
    version = desk.file(case_id).version
    with pytest.raises(RefusedError) as stopped:
        await desk.building(CARLA, BEARER, case_id, version)
    assert stopped.value.code == "leak"
    assert "data/records/record-0000.json (name)" in stopped.value.detail
    assert "lopez" not in stopped.value.detail.casefold()
    assert not desk.file(case_id).packages.packages
    # Nobody is asked about records of which all goes out.
    assert desk.owners.asked[-1][1]["record_ids"] == ["record-0001", "record-0002"]
    desk.owners.records["record-0000"] = record(0, text="Ask {}.", withheld=1)
    await desk.collected(case_id, again=True)
    await desk.built(case_id)


async def test_without_the_owners_answer_nothing_is_built(desk: PackagingDesk) -> None:
    case_id = await desk.granted(3)
    await desk.collected(case_id)
    version = desk.file(case_id).version
    desk.owners.away = True
    await refused("unavailable", desk.building(CARLA, BEARER, case_id, version))
    desk.owners.away, desk.owners.granted = False, set()
    await refused("collected_before", desk.building(CARLA, BEARER, case_id, version))
    desk.owners.granted = None
    await desk.built(case_id)


async def test_a_partial_release_goes_back_to_collecting_and_the_rest_follows(
    desk: PackagingDesk,
) -> None:
    case_id = await desk.granted(3)
    desk.owners.records["record-0001"] = "not_reviewed"
    await desk.collected(case_id)
    first = await desk.built(case_id, partial=True)
    for by in (OLGA, COLE):
        await desk.approve(case_id, first, by)
    await desk.releasing.release(CARLA, case_id, first)
    desk.owners.records["record-0001"] = record(1)
    (call,) = await desk.collected(case_id)
    assert (call.asked, call.case.state) == (1, "reviewing")
    second = await desk.built(case_id)
    for by in (OLGA, COLE):
        await desk.approve(case_id, second, by)
    await desk.releasing.release(CARLA, case_id, second)
    fetched = [
        await desk.releasing.fetch_by_token(INTAKE, desk.token, number) for number in (1, 2, None)
    ]
    assert [(each.sha256, each.number, each.of) for each in fetched] == [
        (first, 1, 2),
        (second, 2, 2),
        (second, 2, 2),
    ]
    names = [
        [name for name in entries(await read(each)) if name.startswith("data/records/")]
        for each in fetched[:2]
    ]
    assert names == [
        ["data/records/record-0000.json", "data/records/record-0002.json"],
        ["data/records/record-0001.json"],
    ]
    await refused("not_released", desk.releasing.fetch_by_token(INTAKE, desk.token, 3))


async def test_the_same_call_to_build_may_be_repeated(desk: PackagingDesk) -> None:
    case_id = await desk.granted(2)
    await desk.collected(case_id)
    version = desk.file(case_id).version
    for _ in range(2):
        await desk.building(CARLA, BEARER, case_id, version)
    assert len(desk.file(case_id).packages.packages) == 1
    assert len(desk.counts(case_id, "packaged")) == 1


async def test_unpaid_charges_block_the_release(
    desk: PackagingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = await desk.granted(2)
    sha256 = await desk.approved(case_id)
    monkeypatch.setattr(releasing, "is_unpaid", lambda _: True)
    await refused("unpaid", desk.releasing.release(CARLA, case_id, sha256))
    assert desk.file(case_id).state == "approved"
    waiting = CaseFile(record_id="c", kind="public_records", state="awaiting_payment")
    assert collecting.begun(waiting).state == "collecting"
    monkeypatch.setattr(collecting, "is_unpaid", lambda _: True)
    with pytest.raises(RefusedError) as error:
        collecting.begun(waiting)
    assert error.value.code == "unpaid"


# ---------------------------------------------------------------- fetching


async def test_nobody_fetches_what_was_not_released(desk: PackagingDesk) -> None:
    case_id = await desk.granted(2)
    sha256 = await desk.approved(case_id)
    await refused("not_released", desk.releasing.fetch_by_token(INTAKE, desk.token))
    await refused("unknown_case", desk.releasing.fetch_by_token(INTAKE, "wrong"))
    # Those who approve it read it first.
    for by in (CARLA, OLGA, COLE):
        found = await desk.releasing.fetch(by, case_id, sha256)
        assert sha256_of(await read(found)).hexdigest() == sha256
    await refused("unknown_case", desk.releasing.fetch(Caller("a", ("agent",)), case_id, sha256))


async def test_each_fetch_is_an_entry_before_the_bytes(desk: PackagingDesk) -> None:
    case_id = await desk.granted(2)
    sha256 = await desk.approved(case_id)
    await desk.releasing.release(CARLA, case_id, sha256)
    before = len(desk.access_log.events())
    await desk.releasing.fetch(OLGA, case_id, sha256)
    await desk.releasing.fetch_by_token(INTAKE, desk.token)
    found = desk.access_log.events()[before:]
    assert [(each.action, each.agent.id, each.recipient) for each in found] == [
        ("export", "olga", None),
        ("export", "svc:intake", "requester"),
    ]
    for each in found:
        assert (each.what.fields, each.why.case_id) == (("case_package",), case_id)
        assert overreach("retention", each) is None
    fetches = len(desk.keys.fetches)
    desk.access_log.down = True
    for ask in (
        desk.releasing.fetch(OLGA, case_id, sha256),
        desk.releasing.fetch_by_token(INTAKE, desk.token),
    ):
        with pytest.raises(AuditUnavailableError):
            await ask
    assert len(desk.keys.fetches) == fetches


async def test_nothing_of_a_package_is_stored_in_clear(desk: PackagingDesk) -> None:
    case_id = await desk.granted(3)
    await desk.releasing.release(CARLA, case_id, await desk.approved(case_id))
    stored = [version for each in desk.documents.versions.values() for version in each]
    assert len(stored) == 5
    for canary in (b"bridge near", b"PK\x03\x04", b"public_works"):
        assert not any(canary in each for each in stored)
    assert "bridge near" not in repr(desk.file(case_id))


async def test_only_what_may_go_out_is_taken_from_an_owners_answer(desk: PackagingDesk) -> None:
    """An owner that says too much, by a mistake, puts nothing of it into a package."""
    case_id = await desk.granted(2)
    answer = record(1)
    answer["originals"] = {"description": "canary original"}
    answer["withheld"][0]["value"] = "canary value"
    desk.owners.records["record-0001"] = answer
    await desk.releasing.release(CARLA, case_id, await desk.approved(case_id))
    fetched = await desk.releasing.fetch_by_token(INTAKE, desk.token)
    found = entries(await read(fetched))
    assert b"The bridge near" in found["data/records/record-0001.json"]
    assert not any(b"canary" in content for content in found.values())


# ---------------------------------------------------------------- kills


async def test_a_kill_before_the_case_file_is_written_builds_the_same_package(
    desk: PackagingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = await desk.granted(3)
    await desk.collected(case_id)

    lost: list[CaseFile] = []
    commit = desk.files.commit

    async def killed(writes: Any) -> None:
        lost.extend(write.state for write in writes)
        raise KilledError

    async def killed_at_the_package(writes: Any) -> set[str]:
        # The write before pins the proof that goes into it.
        if not any(write.state.packages.packages for write in writes):
            return await commit(writes)
        lost.extend(write.state for write in writes)
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(desk.files, "commit", killed_at_the_package)
        with pytest.raises(KilledError):
            await desk.built(case_id)
    assert desk.file(case_id).packages.packages == ()
    (never_named,) = builds(desk)
    sha256 = await desk.built(case_id)
    (package,) = desk.file(case_id).packages.packages
    assert [each.packages.packages[0].sha256 for each in lost] == [sha256]
    assert builds(desk) == {never_named, package.sealed_name}
    for by in (OLGA, COLE):
        with monkeypatch.context() as patched:
            patched.setattr(desk.files, "commit", killed)
            with pytest.raises(KilledError):
                await desk.approve(case_id, sha256, by)
        assert by.sub not in repr(desk.file(case_id).packages)
        await desk.approve(case_id, sha256, by)
    with monkeypatch.context() as patched:
        patched.setattr(desk.files, "commit", killed)
        with pytest.raises(KilledError):
            await desk.releasing.release(CARLA, case_id, sha256)
    # No release without its entry, none twice.
    await refused("not_released", desk.releasing.fetch_by_token(INTAKE, desk.token))
    for _ in range(3):
        await desk.releasing.release(CARLA, case_id, sha256)
    names = [each.name for each in desk.files.said(case_id)]
    assert names.count("disclosure.released") == 1


async def test_a_package_of_which_a_piece_is_gone_or_was_moved_is_not_handed_out(
    desk: PackagingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "PieceWriter", partial(PieceWriter, piece=5_000))
    monkeypatch.setattr(seen, "PieceReader", partial(PieceReader, piece=5_000))
    case_id = await desk.granted(2)
    sha256 = await desk.approved(case_id)
    content = await read(await desk.releasing.fetch(OLGA, case_id, sha256))
    assert sha256_of(content).hexdigest() == sha256
    pieces = {key: each for key, each in desk.documents.versions.items() if "/build/" in key[1]}
    assert len(pieces) == -(-len(content) // 5_000)
    first, second, *_, last = pieces
    for name, instead in ((second, last), (last, second), (first, second)):
        desk.documents.versions |= pieces | {name: pieces[instead]}
        with pytest.raises(VaultError):
            await read(await desk.releasing.fetch(OLGA, case_id, sha256))
    desk.documents.versions |= pieces
    del desk.documents.versions[first]
    await refused("not_readable", desk.releasing.fetch(OLGA, case_id, sha256))


async def test_a_package_that_was_sealed_as_a_whole_can_still_be_fetched(
    desk: PackagingDesk,
) -> None:
    """Packages were sealed so before there were pieces."""
    case_id = await desk.granted(2)
    await desk.collected(case_id)
    sha256 = await desk.built(case_id)
    content = await read(await desk.releasing.fetch(OLGA, case_id, sha256))
    state = desk.file(case_id)
    older = replaced(state.packages.packages[0], build=None)
    async with seen.unlocked(desk.work, CARLA, state, "seal", "POST /test", ("custodian",)) as key:
        sealed = key.seal(older.sealed_name, content)
    await desk.documents.put(case_id, older.sealed_name, sealed)
    unlocking = seen.unlocked(desk.work, OLGA, state, "export", "GET /test", ("records_officer",))
    found = await seen.opened(desk.documents, unlocking, state, older)
    assert b"".join([piece async for piece in found]) == content


async def test_a_build_that_comes_to_nothing_leaves_nothing_in_the_store(
    desk: PackagingDesk,
) -> None:
    case_id = await desk.granted(2)
    await desk.collected(case_id)
    sha256 = await desk.built(case_id)
    kept = builds(desk)
    # The same again changes nothing, so what was approved stays approved.
    assert await desk.built(case_id) == sha256
    assert builds(desk) == kept
    desk.owners.withheld["record-0001"] = [("name", "The bridge near")]
    await refused("leak", desk.built(case_id))
    assert builds(desk) == kept


async def test_a_release_and_its_event_are_one_write(
    desk: PackagingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = await desk.granted(2)
    sha256 = await desk.approved(case_id)
    commit = desk.files.commit
    written: list[tuple[str, list[str]]] = []

    async def watched(writes: Any) -> set[str]:
        for write in writes:
            names = [
                decode(entry.message.headers, entry.message.body).name for entry in write.outbox
            ]
            written.append((write.state.state, names))
        return await commit(writes)

    monkeypatch.setattr(desk.files, "commit", watched)
    await desk.releasing.release(CARLA, case_id, sha256)
    ((state, names),) = written
    assert state == "released"
    assert "disclosure.released" in names


async def test_a_closed_case_releases_nothing_more_and_keeps_what_went_out(
    desk: PackagingDesk,
) -> None:
    case_id = await desk.granted(2)
    sha256 = await desk.approved(case_id)
    await desk.releasing.release(CARLA, case_id, sha256)
    await desk.desk.withdraw(CARLA, case_id)
    assert (await desk.releasing.fetch_by_token(INTAKE, desk.token)).sha256 == sha256
    await refused("case_closed", desk.building(CARLA, BEARER, case_id, desk.file(case_id).version))
    other = PackagingDesk()
    case_id = await other.granted(2)
    sha256 = await other.approved(case_id)
    await other.desk.withdraw(CARLA, case_id)
    await refused("case_closed", other.releasing.release(CARLA, case_id, sha256))
    await refused("case_closed", other.approve(case_id, sha256))


# ---------------------------------------------------------------- storage and destruction


async def test_what_is_stored_of_packages_is_read_as_it_was(desk: PackagingDesk) -> None:
    case_id = await desk.granted(2)
    await desk.releasing.release(CARLA, case_id, await desk.approved(case_id))
    state = desk.file(case_id)
    stored: Any = bson.decode(bson.encode(state.model_dump()), CodecOptions(tz_aware=True))
    read = CaseFile.model_validate(stored)
    assert read.packages == state.packages
    del stored["packages"]
    assert CaseFile.model_validate(stored).packages.parts == ()


async def test_destroying_a_case_removes_and_counts_parts_and_packages(
    desk: PackagingDesk,
) -> None:
    case_id = await desk.granted(3)
    await desk.releasing.release(CARLA, case_id, await desk.approved(case_id))
    await desk.desk.withdraw(CARLA, case_id)
    packages = desk.file(case_id).packages
    order: Event[Model] = Event(
        "00000000-0000-4000-8000-000000000001",
        "/direct311/retention",
        case_id,
        desk.clock.now(),
        ev.DispositionOrdered(
            record_id=case_id,
            version=1,
            order_id="00000000-0000-4000-8000-000000000002",
            items=("23",),
            holders=("retention",),
            custodian="carla",
            records_officer="raul",
            ordered_at=desk.clock.now(),
        ),
    )
    assert not await desk.processor.apply([order])
    await desk.destroyer.step()
    assert not desk.documents.versions
    (said,) = [
        each.data for each in desk.files.said(case_id) if isinstance(each.data, ev.RecordDestroyed)
    ]
    # Three records, a package, and the proof in it.
    assert said.objects == packages.objects == 5
    assert said.fields == 6
    assert said.bytes > packages.size


# ---------------------------------------------------------------- over HTTP


@pytest.fixture
def http(desk: PackagingDesk) -> TestClient:
    async def who(request: Request) -> Caller:
        return await desk.authenticator.caller(request.headers.get("authorization"))

    return desk.serve(
        router(desk.collecting, desk.building, desk.releasing, desk.rules, who),
        public_router(desk.releasing, who),
    )


async def test_over_http_bytes_are_never_cached_and_only_intake_passes_on(
    desk: PackagingDesk, http: TestClient
) -> None:
    case_id = await desk.granted(2)
    headers = {"Authorization": BEARER}
    path = f"/v1/cases/{case_id}"
    call = http.post(f"{path}/collection", json={}, headers=headers)
    assert (call.status_code, call.json()["state"]) == (200, "reviewing"), call.text
    order = {"version": call.json()["version"]}
    made = http.post(f"{path}/packages", json=order, headers=headers)
    assert made.status_code == 201, made.text
    (shown,) = made.json()["packages"]
    sha256 = shown["sha256"]
    assert shown["nonce"] == nonce_of_package(case_id, sha256)
    stale = http.post(f"{path}/packages", json={"version": 1}, headers=headers)
    assert stale.status_code == 409
    for by in (OLGA, COLE):
        await desk.approve(case_id, sha256, by)
    wrong = http.post(f"{path}/packages/{'0' * 64}/release", headers=headers)
    assert (wrong.status_code, wrong.json()["type"]) == (
        409,
        "urn:direct311:problem:package_hash",
    )
    assert http.post(f"{path}/packages/{sha256}/release", headers=headers).status_code == 200
    question = {"token": desk.token}
    as_intake = {"Authorization": "Bearer service:svc-intake"}
    for answer in (
        http.get(f"{path}/packages/{sha256}", headers=headers),
        http.post("/internal/cases/package", json=question, headers=as_intake),
    ):
        assert answer.status_code == 200, answer.text
        assert sha256_of(answer.content).hexdigest() == sha256
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Content-Type"] == "application/zip"
    for given in ("Bearer service:svc-media", BEARER):
        answer = http.post(
            "/internal/cases/package", json=question, headers={"Authorization": given}
        )
        assert answer.status_code == 403
    gone = http.post("/internal/cases/package", json={"token": "x"}, headers=as_intake)
    assert gone.status_code == 404


async def test_a_destroyed_case_file_leaves_with_its_records_that_they_went_out(
    desk: PackagingDesk,
) -> None:
    case_id = await desk.granted(2)
    sha256 = await desk.approved(case_id)
    await desk.releasing.release(CARLA, case_id, sha256)
    release = DestroyCase(desk.documents, desk.shelf)
    for _ in range(2):
        await release(desk.file(case_id))
    remembered = desk.retention.record("record-0001").released_with
    assert [(each.case_id, each.package) for each in remembered] == [(case_id, sha256)]
