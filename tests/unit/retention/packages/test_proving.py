"""The proof in a package: fetched once, pinned, and the same in every build of the same."""

import io
import json
from typing import Any

import pytest

from direct311.redaction.leaks import WithheldValue, fingerprints
from direct311.retention.packages.leaks import leaks_in
from direct311.runtime.errors import RefusedError
from tests.support.packages import zipped
from tests.support.record_owners import record
from tests.unit.retention.fakes import KilledError
from tests.unit.retention.packages.fakes import BEARER, CARLA, COLE, INTAKE, OLGA, PackagingDesk
from tests.unit.retention.packages.test_releasing import entries, read

pytestmark = pytest.mark.anyio

PROOF = "proofs/bundle.json"
KEY = bytes(range(32))


@pytest.fixture
def desk() -> PackagingDesk:
    return PackagingDesk()


async def proof_in(desk: PackagingDesk, case_id: str, sha256: str) -> dict[str, Any]:
    for by in (OLGA, COLE):
        await desk.approve(case_id, sha256, by)
    await desk.releasing.release(CARLA, case_id, sha256)
    fetched = await desk.releasing.fetch_by_token(INTAKE, desk.token)
    return dict(json.loads(entries(await read(fetched))[PROOF]))


async def test_the_same_decisions_give_the_same_proof_and_bytes(desk: PackagingDesk) -> None:
    case_id = await desk.granted(2)
    await desk.collected(case_id)
    sha256 = await desk.built(case_id)
    assert await desk.built(case_id) == sha256
    assert desk.owners.proofs == 1
    found = await proof_in(desk, case_id, sha256)
    assert found["checkpoint"] == "checkpoint 1"
    assert found["receipts"][0]["event"]["subject"] == case_id


async def test_other_decisions_get_a_newer_proof(desk: PackagingDesk) -> None:
    case_id = await desk.granted(2)
    await desk.collected(case_id)
    await desk.built(case_id)
    desk.owners.records["record-0001"] = record(1, withheld=2)
    await desk.collected(case_id, again=True)
    found = await proof_in(desk, case_id, await desk.built(case_id))
    assert found["checkpoint"] == "checkpoint 2"


async def test_a_stopped_build_keeps_its_proof(desk: PackagingDesk) -> None:
    case_id = await desk.granted(2)
    desk.owners.withheld["record-0001"] = [("name", "The bridge near")]
    await desk.collected(case_id)
    for _ in range(2):
        with pytest.raises(RefusedError) as stopped:
            await desk.built(case_id)
        assert stopped.value.code == "leak"
    assert desk.owners.proofs == 1


@pytest.mark.parametrize("die_at", [1, 2])
async def test_a_kill_at_any_write_and_the_same_call_again_build_once(
    desk: PackagingDesk, monkeypatch: pytest.MonkeyPatch, die_at: int
) -> None:
    case_id = await desk.granted(2)
    await desk.collected(case_id)
    version = desk.file(case_id).version
    commit, writes = desk.files.commit, 0

    async def killed(given: Any) -> set[str]:
        nonlocal writes
        writes += 1
        if writes == die_at:
            raise KilledError
        return await commit(given)

    with monkeypatch.context() as patched:
        patched.setattr(desk.files, "commit", killed)
        with pytest.raises(KilledError):
            await desk.building(CARLA, BEARER, case_id, version)
    # The caller knows of nothing that happened, and asks the same.
    state = await desk.building(CARLA, BEARER, case_id, version)
    again = await desk.building(CARLA, BEARER, case_id, version)
    assert state.packages.packages == again.packages.packages
    assert len(state.packages.packages) == 1
    assert desk.owners.proofs == (2 if die_at == 1 else 1)


async def test_who_has_not_seen_another_change_is_still_refused(desk: PackagingDesk) -> None:
    case_id = await desk.granted(2)
    await desk.collected(case_id)
    version = desk.file(case_id).version
    await desk.built(case_id)
    desk.owners.records["record-0001"] = record(1, withheld=2)
    await desk.collected(case_id, again=True)
    with pytest.raises(RefusedError) as refused:
        await desk.building(OLGA_AS_CUSTODIAN, BEARER, case_id, version)
    assert refused.value.code in ("changed", "unknown_case")


OLGA_AS_CUSTODIAN = type(CARLA)("olivia", ("custodian",))


async def test_without_the_log_nothing_is_built(desk: PackagingDesk) -> None:
    case_id = await desk.granted(2)
    await desk.collected(case_id)
    desk.owners.log_away = True
    with pytest.raises(RefusedError) as refused:
        await desk.built(case_id)
    assert refused.value.code == "unavailable"
    assert desk.file(case_id).packages.proof is None
    desk.owners.log_away = False
    await desk.built(case_id)


def test_of_a_bundle_its_events_are_searched_and_no_ciphertext() -> None:
    value = fingerprints(KEY, [WithheldValue("r-1", "name", "Ludmila Okonkwo")])
    quiet = {"receipts": [{"entry": "Ludmila Okonkwo", "event": {"actor": "carla"}}]}
    loud = {"receipts": [{"entry": "", "event": {"actor": "Ludmila Okonkwo"}}]}
    for bundle, found in ((quiet, []), (loud, ["name"]), ({}, ["not_extractable"])):
        archive = io.BytesIO(zipped({PROOF: json.dumps(bundle).encode()}))
        assert [each.kind for each in leaks_in(archive, KEY, value)] == found
