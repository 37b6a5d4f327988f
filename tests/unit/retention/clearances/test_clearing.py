"""A leak that is none: counsel clears it with a reason, for this package as it is, and for no
other."""

import pytest
from fastapi import Request
from starlette.testclient import TestClient

from direct311.retention.case_file.clearances import LeakHit, leak_id
from direct311.retention.cases.domain import CaseFile
from direct311.retention.clearances.api import router
from direct311.runtime.access.disclosures import nonce_of_clearance
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.schemas import events as ev
from tests.support.links import bearer
from tests.support.record_owners import record
from tests.unit.retention.packages.fakes import BEARER, CARLA, COLE, OLGA, PackagingDesk

pytestmark = pytest.mark.anyio

NAME = "Ludmila Okonkwo"
RITA = Caller("rita", ("custodian",))


@pytest.fixture
def desk() -> PackagingDesk:
    return PackagingDesk()


async def stopped(desk: PackagingDesk, records: int = 2) -> str:
    """A case whose package has in its first record a name that the second withholds."""
    case_id = await desk.granted(records)
    desk.owners.withheld["record-0001"] = [("name", NAME)]
    desk.owners.records["record-0000"] = record(0, text=f"Ask {NAME} near {{}}.", withheld=0)
    await desk.collected(case_id)
    await refused("leak", desk.built(case_id))
    return case_id


async def refused(code: str, ask: object) -> RefusedError:
    with pytest.raises(RefusedError) as error:
        await ask  # type: ignore[misc]
    assert error.value.code == code
    return error.value


async def clear(
    desk: PackagingDesk,
    case_id: str,
    hit: LeakHit,
    by: Caller = COLE,
    reason: str = "other_person",
    signed_for: str | None = None,
) -> CaseFile:
    nonce = nonce_of_clearance(case_id, hit.leak_id, signed_for or reason)
    token = desk.office.provider.id_token(by.sub, nonce, desk.clock.now())
    return await desk.clearing.clear(by, case_id, hit.leak_id, reason, token)


def hits(desk: PackagingDesk, case_id: str) -> tuple[LeakHit, ...]:
    return desk.file(case_id).clearances.open


async def test_a_stopped_build_says_what_stopped_it_and_not_the_value(desk: PackagingDesk) -> None:
    case_id = await stopped(desk)
    found = {(each.entry, each.record_id, each.kind) for each in hits(desk, case_id)}
    assert found == {
        ("data/records.csv", "record-0001", "name"),
        ("data/records/record-0000.json", "record-0001", "name"),
    }
    assert all(each.places >= 1 and each.leak_id for each in hits(desk, case_id))
    (told,) = desk.counts(case_id, "leak_found")
    assert (told["leaks"], told["cleared"]) == (2, 0)
    text = f"{desk.file(case_id)!r}{desk.steps(case_id)!r}"
    assert "Okonkwo" not in text
    # The same build again says the same.
    before = hits(desk, case_id)
    await refused("leak", desk.built(case_id))
    assert hits(desk, case_id) == before


async def test_what_counsel_clears_stops_the_same_build_no_more(desk: PackagingDesk) -> None:
    case_id = await stopped(desk)
    first, second = hits(desk, case_id)
    await clear(desk, case_id, first)
    # Each hit is cleared by itself.
    await refused("leak", desk.built(case_id))
    assert [each.leak_id for each in hits(desk, case_id)] == [second.leak_id]
    await clear(desk, case_id, second, reason="ordinary_words")
    assert not hits(desk, case_id)
    sha256 = await desk.built(case_id)
    assert await desk.built(case_id) == sha256
    steps = [each for each in desk.steps(case_id) if isinstance(each, ev.DisclosureRecorded)]
    said = [(each.actor, each.codes, each.hashes) for each in steps if each.step == "leak_cleared"]
    assert said == [
        ("cole", ("counsel", "other_person", "name"), {"leak": first.leak_id}),
        ("cole", ("counsel", "ordinary_words", "name"), {"leak": second.leak_id}),
    ]
    assert desk.counts(case_id, "packaged")[-1]["cleared"] == 2
    # And the release is counted with it.
    await desk.approve(case_id, sha256, OLGA)
    await desk.approve(case_id, sha256, COLE)
    await desk.releasing.release(CARLA, case_id, sha256)
    (out,) = [each for each in desk.steps(case_id) if isinstance(each, ev.DisclosureReleased)]
    assert dict(out.counts) == {"records": 2, "withheld": 1, "cleared": 2}


async def test_a_repeat_clears_once(desk: PackagingDesk) -> None:
    case_id = await stopped(desk)
    (hit, _) = hits(desk, case_id)
    await clear(desk, case_id, hit)
    await clear(desk, case_id, hit)
    assert len(desk.file(case_id).clearances.cleared) == 1
    await refused("approved", clear(desk, case_id, hit, Caller("kurt", ("counsel",))))


@pytest.mark.parametrize("changed", ["text", "decisions"])
async def test_a_record_that_changed_is_cleared_anew(desk: PackagingDesk, changed: str) -> None:
    case_id = await stopped(desk)
    for hit in hits(desk, case_id):
        await clear(desk, case_id, hit)
    await desk.built(case_id)
    if changed == "text":
        # Where the value was found.
        desk.owners.records["record-0000"] = record(0, text=f"Call {NAME} {{}}.", withheld=0)
    else:
        # What withholds it.
        desk.owners.records["record-0001"] = record(1, withheld=2)
    await desk.collected(case_id, again=True)
    await refused("leak", desk.built(case_id))
    assert len(hits(desk, case_id)) == 2


async def test_another_leak_still_stops_it(desk: PackagingDesk) -> None:
    case_id = await stopped(desk)
    for hit in hits(desk, case_id):
        await clear(desk, case_id, hit)
    desk.owners.withheld["record-0001"] += [("telephone", "305-555-0142")]
    desk.owners.records["record-0000"] = record(
        0, text=f"Ask {NAME} near {{}}, 305 555 0142.", withheld=0
    )
    await desk.collected(case_id, again=True)
    await refused("leak", desk.built(case_id))
    assert "telephone" in {each.kind for each in hits(desk, case_id)}


async def test_who_prepared_the_package_clears_nothing_in_it(desk: PackagingDesk) -> None:
    case_id = await stopped(desk)
    (hit, _) = hits(desk, case_id)
    for name in ("carla", "Carla"):
        both = Caller(name, ("custodian", "counsel"))
        await refused("same_person", clear(desk, case_id, hit, both))
    await refused("role", clear(desk, case_id, hit, RITA))
    await refused("unknown_case", clear(desk, case_id, hit, Caller("lia", ("liaison",))))
    await refused("fresh_sign_in", clear(desk, case_id, hit, signed_for="ordinary_words"))
    await refused("clear_reason", clear(desk, case_id, hit, reason="because"))
    unknown = hit.model_copy(update={"leak_id": "0" * 64})
    await refused("unknown_leak", clear(desk, case_id, unknown))
    # What cannot be identified again cannot be cleared.
    await refused("unknown_leak", clear(desk, case_id, hit.model_copy(update={"leak_id": ""})))
    assert not desk.file(case_id).clearances.cleared


async def test_the_id_of_a_leak_follows_from_place_and_decisions_alone() -> None:
    hit = LeakHit(number=3, entry="data/records.csv", record_id="r-1", kind="name", places=2)
    one = leak_id("case", hit, "c" * 64, "d" * 64)
    assert one == leak_id("case", hit.model_copy(update={"number": 4}), "c" * 64, "d" * 64)
    others = {
        leak_id("other", hit, "c" * 64, "d" * 64),
        leak_id("case", hit, "e" * 64, "d" * 64),
        leak_id("case", hit, "c" * 64, "e" * 64),
        leak_id("case", hit.model_copy(update={"kind": "email"}), "c" * 64, "d" * 64),
        leak_id("case", hit.model_copy(update={"places": 3}), "c" * 64, "d" * 64),
        leak_id("case", hit.model_copy(update={"record_id": "r-2"}), "c" * 64, "d" * 64),
    }
    assert len(others) == 6
    assert one not in others
    assert leak_id("case", hit, None, "d" * 64) == ""


# ---------------------------------------------------------------- later parts


async def partly_released(desk: PackagingDesk) -> str:
    """A case of which the second record went out, with a name withheld; the first one waits."""
    case_id = await desk.granted(2)
    desk.owners.records["record-0000"] = "not_reviewed"
    await desk.collected(case_id)
    sha256 = await desk.built(case_id, partial=True)
    await desk.approve(case_id, sha256, OLGA)
    await desk.approve(case_id, sha256, COLE)
    await desk.releasing.release(CARLA, case_id, sha256)
    desk.owners.records["record-0000"] = record(0, text=f"Ask {NAME} near {{}}.", withheld=0)
    await desk.collected(case_id)
    return case_id


async def test_a_later_part_is_searched_for_what_an_earlier_one_withheld(
    desk: PackagingDesk,
) -> None:
    case_id = await partly_released(desk)
    part = desk.file(case_id).packages.part("record-0001")
    assert part is not None
    # Today the record withholds nothing any more: what counts is what it withheld then.
    desk.owners.withheld_then["record-0001", part.decisions] = [("name", NAME)]
    stop = await refused("leak", desk.built(case_id))
    assert "data/records/record-0000.json (name)" in stop.detail
    path, question, _, person = desk.owners.asked[-1]
    assert path == f"/internal/cases/{case_id}/leaks"
    assert question.get("released") == [{"record_id": "record-0001", "decisions": part.decisions}]
    assert "record_ids" not in question
    assert person
    for hit in hits(desk, case_id):
        await clear(desk, case_id, hit)
    sha256 = await desk.built(case_id)
    _, shown = await desk.releasing.packages(CARLA, case_id)
    # Nothing is withheld in it, but counsel's clearing needs counsel's approval.
    assert (shown[-1].package.sha256, shown[-1].package.withheld) == (sha256, 0)
    assert shown[-1].missing == ("records_officer", "counsel")


async def test_without_a_grant_for_what_went_out_a_later_part_is_not_built(
    desk: PackagingDesk,
) -> None:
    case_id = await partly_released(desk)
    desk.owners.granted = {"record-0000"}
    version = desk.file(case_id).version
    error = await refused("no_grant", desk.building(CARLA, BEARER, case_id, version))
    assert "earlier" in error.detail
    desk.owners.granted = None
    await desk.built(case_id)


# ---------------------------------------------------------------- over HTTP


@pytest.fixture
def http(desk: PackagingDesk) -> TestClient:
    async def who(request: Request) -> Caller:
        return await desk.authenticator.caller(request.headers.get("authorization"))

    return desk.serve(router(desk.clearing, desk.rules, who))


async def test_over_http_both_desks_read_and_counsel_clears(
    desk: PackagingDesk, http: TestClient
) -> None:
    case_id = await stopped(desk)
    path = f"/v1/cases/{case_id}/leaks"
    answers = [http.get(path, headers=bearer(who)) for who in ("custodian:carla", "counsel:cole")]
    assert [each.status_code for each in answers] == [200, 200]
    assert answers[0].headers["cache-control"] == "no-store"
    found = answers[1].json()
    assert (found["total"], len(found["leaks"]), found["cleared"]) == (2, 2, [])
    assert "other_person" in found["reasons"]
    leak = found["leaks"][0]["leak_id"]
    nonce = nonce_of_clearance(case_id, leak, "other_person")
    token = desk.office.provider.id_token("cole", nonce, desk.clock.now())
    body = {"reason": "other_person", "id_token": token}
    call = f"{path}/{leak}/clearance"
    assert http.post(call, json=body, headers=bearer("custodian:carla")).status_code == 403
    done = http.post(call, json=body, headers=bearer("counsel:cole"))
    assert done.status_code == 200, done.text
    assert len(done.json()["leaks"]) == 1
    (cleared,) = done.json()["cleared"]
    assert (cleared["cleared_by"], cleared["role"], cleared["reason"]) == (
        "cole",
        "counsel",
        "other_person",
    )
    assert http.get(path, headers=bearer("liaison:lia")).status_code == 404
