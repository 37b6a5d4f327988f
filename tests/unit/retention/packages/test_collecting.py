"""Collecting: some records at a time, by the grant, sealed before the case file names them."""

import pytest

from direct311.runtime.access.ledger import AuditUnavailableError
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from tests.support.record_owners import record
from tests.unit.retention.fakes import KilledError
from tests.unit.retention.packages.fakes import BEARER, CARLA, PackagingDesk

pytestmark = pytest.mark.anyio


@pytest.fixture
def desk() -> PackagingDesk:
    return PackagingDesk()


async def refused(code: str, ask: object) -> None:
    with pytest.raises(RefusedError) as error:
        await ask  # type: ignore[misc]
    assert error.value.code == code


async def test_a_client_loops_until_all_is_collected_and_sees_how_far_it_is(
    desk: PackagingDesk,
) -> None:
    case_id = await desk.granted(120)
    calls = await desk.collected(case_id)
    assert [(each.asked, each.collected, each.remaining) for each in calls] == [
        (50, 50, 70),
        (50, 100, 20),
        (20, 120, 0),
    ]
    assert [each.case.state for each in calls] == ["collecting", "collecting", "reviewing"]
    assert desk.counts(case_id, "collected")[-1] == {
        "documents": 0,
        "grants": 1,
        "collected": 120,
        "remaining": 0,
        "fresh": 20,
    }
    # What is there is not asked for again.
    before = len(desk.owners.asked)
    (again,) = await desk.collected(case_id)
    assert (again.asked, again.remaining, again.case.state) == (0, 0, "reviewing")
    assert len(desk.owners.asked) == before


async def test_the_owners_are_asked_for_the_worker_and_nothing_is_stored_in_clear(
    desk: PackagingDesk,
) -> None:
    case_id = await desk.granted(2)
    await desk.collected(case_id)
    assert sorted(desk.owners.paths()) == sorted(
        [
            *(f"/internal/cases/{case_id}/records/record-000{n}/rendering" for n in range(2)),
            *(f"/v1/jobs/record-000{n}/history" for n in range(2)),
        ]
    )
    assert {(own, person) for *_, own, person in desk.owners.asked} == {
        ("Bearer service:svc-retention", "Bearer exchanged:custodian:carla")
    }
    stored = repr(desk.file(case_id)) + repr(desk.documents.versions) + repr(desk.steps(case_id))
    assert "bridge near" not in stored
    entries = desk.access_log.events()
    assert [(each.action, each.what.fields, each.why.reference) for each in entries] == [
        ("seal", ("case_package",), case_id)
    ]


async def test_a_record_that_cannot_go_out_now_is_named_and_the_others_go_on(
    desk: PackagingDesk,
) -> None:
    case_id = await desk.granted(5)
    desk.owners.records |= {"record-0000": "not_reviewed", "record-0001": "changed"}
    del desk.owners.records["record-0002"]
    torn = record(3, withheld=2)
    torn["withheld"] = torn["withheld"][:1]
    desk.owners.records["record-0003"] = torn
    (call,) = await desk.collected(case_id)
    assert {each.record_id: each.reason for each in call.not_collected} == {
        "record-0000": "not_reviewed",
        "record-0001": "changed",
        "record-0002": "unknown_record",
        "record-0003": "marks",
    }
    assert (call.collected, call.remaining, call.case.state) == (1, 4, "collecting")


async def test_what_no_grant_names_is_not_even_asked_for(desk: PackagingDesk) -> None:
    case_id = await desk.granted(2, ("description",))
    await desk.retention.eligible("other")
    await desk.preservation.identify(CARLA, case_id, ["other"], complete=False)
    (call,) = await desk.collected(case_id)
    assert [(each.record_id, each.reason) for each in call.not_collected] == [
        ("other", "not_granted")
    ]
    # The grant does not have the history of jobs.
    assert all(path.endswith("/rendering") for path in desk.owners.paths())


async def test_only_a_worker_of_a_grant_in_force_collects(desk: PackagingDesk) -> None:
    case_id = await desk.granted(1)
    other = Caller("cora", ("custodian",))
    await refused("no_grant", desk.collecting(other, BEARER, case_id))
    await refused("unknown_case", desk.collecting(Caller("a", ("agent",)), BEARER, case_id))
    await refused("unknown_case", desk.collecting(CARLA, BEARER, "no-such-case"))
    (issued,) = desk.file(case_id).grants
    await desk.granting.revoke(CARLA, case_id, issued.grant.grant_id, issued.version, "done")
    await refused("no_grant", desk.collecting(CARLA, BEARER, case_id))
    assert not desk.owners.asked


async def test_a_case_that_is_not_that_far_is_not_collected(desk: PackagingDesk) -> None:
    received = await desk.desk.open_case(CARLA, "public_records", "words", None, None)
    await refused("case_state", desk.collecting(CARLA, BEARER, received.record_id))
    case_id = await desk.granted(1)
    await desk.desk.withdraw(CARLA, case_id)
    await refused("case_closed", desk.collecting(CARLA, BEARER, case_id))
    lars = Caller("lars", ("liaison",))
    police = await desk.desk.open_case(lars, "law_enforcement", "words", None, None)
    await refused("case_state", desk.collecting(lars, BEARER, police.record_id))


async def test_what_was_decided_anew_takes_the_place_of_what_was_collected(
    desk: PackagingDesk,
) -> None:
    case_id = await desk.granted(3)
    await desk.collected(case_id)
    sha256 = await desk.built(case_id)
    desk.owners.records["record-0001"] = record(1, withheld=2)
    (call,) = await desk.collected(case_id, again=True)
    assert (call.asked, call.fresh, call.case.state) == (3, 1, "reviewing")
    assert [each.withheld for each in desk.file(case_id).packages.parts] == [0, 2, 2]
    # A package of what was decided before is not approved any more.
    await refused("package_hash", desk.approve(case_id, sha256))
    assert await desk.built(case_id) != sha256
    (call,) = await desk.collected(case_id, again=True)
    assert (call.fresh, call.case.state) == (0, "packaged")


async def test_while_an_owner_is_away_its_records_wait(desk: PackagingDesk) -> None:
    case_id = await desk.granted(2)
    desk.owners.away = True
    (call,) = await desk.collected(case_id)
    assert [each.reason for each in call.not_collected] == ["unavailable"] * 2
    assert (call.remaining, call.case.state) == (2, "collecting")
    desk.owners.away = False
    (call,) = await desk.collected(case_id)
    assert call.case.state == "reviewing"
    desk.owners.token_refused = True
    await refused("unauthenticated", desk.collecting(CARLA, BEARER, case_id, again=True))


async def test_while_the_log_is_away_nothing_is_sealed(desk: PackagingDesk) -> None:
    case_id = await desk.granted(2)
    desk.access_log.down = True
    with pytest.raises(AuditUnavailableError):
        await desk.collecting(CARLA, BEARER, case_id)
    assert not desk.documents.versions
    assert desk.file(case_id).state == "acknowledged"


async def test_a_kill_between_store_and_case_file_loses_nothing(
    desk: PackagingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = await desk.granted(60)

    async def killed(*_: object) -> None:
        raise KilledError

    for call in range(2):
        with monkeypatch.context() as patched:
            patched.setattr(desk.files, "commit", killed)
            with pytest.raises(KilledError):
                await desk.collecting(CARLA, BEARER, case_id)
        done = await desk.collecting(CARLA, BEARER, case_id)
        assert done.collected == (50, 60)[call]
    parts = desk.file(case_id).packages.parts
    assert len({each.record_id for each in parts}) == 60
    for part in parts:
        assert (case_id, part.sealed_name) in desk.documents.versions
    assert [each["collected"] for each in desk.counts(case_id, "collected")] == [50, 60]
