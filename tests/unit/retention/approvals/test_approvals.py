"""What waits for somebody's approval: theirs and nobody else's, the longest waiting first."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from fastapi import Request

from direct311.retention.approvals.api import router
from direct311.retention.approvals.domain import Waiting
from direct311.retention.approvals.handlers import WaitingApprovals
from direct311.retention.case_file.clearances import LeakHit, StoppedBuild
from direct311.retention.case_file.denials import DeniedItem
from direct311.retention.case_file.legal import LegalScope
from direct311.retention.denials.handlers import Denying
from direct311.runtime.access.exemptions import load_exemptions
from direct311.runtime.access.fresh_sign_in import Approvals
from direct311.runtime.access.rules import Caller
from tests.support.disclosures import CLIENT, ISSUER
from tests.unit.retention.approvals.fakes import InMemoryOpenCases
from tests.unit.retention.cases.fakes import InMemoryCases
from tests.unit.retention.deliveries.fakes import FIELDS, DeliveringDesk
from tests.unit.retention.legal_process.fakes import CARLA, COLE, DORA, LARS, OLGA

pytestmark = pytest.mark.anyio

BOTH = Caller("carla", ("custodian", "records_officer", "counsel"))
"""Who prepared it, in every role."""


class Desk(DeliveringDesk):
    """Cases of both kinds, and the list of what waits."""

    def __init__(self) -> None:
        super().__init__()
        self.list = WaitingApprovals(
            self.work,
            InMemoryOpenCases(self.files),
            self.retention.holds,
            self.legal.desk.door,
        )
        self.denying = Denying(
            self.work,
            load_exemptions(local=True),
            InMemoryCases(self.files),
            Approvals(ISSUER, CLIENT),
            self.office.provider,
            ZoneInfo("America/New_York"),
        )

    async def waiting(self, caller: Caller) -> list[Waiting]:
        return [each for each, _ in (await self.list.waiting(caller, 100)).waiting]

    async def seen(self, caller: Caller) -> list[tuple[str, str | None]]:
        return [(each.what, each.case_id) for each in await self.waiting(caller)]

    async def scoped(self) -> str:
        """A case under warrant with a prepared grant."""
        case_id = await self.legal.opened()
        ids = await self.identified(case_id)
        await self.legal.scoped(case_id, LegalScope(record_ids=tuple(ids), fields=FIELDS))
        await self.granted_to(case_id, ids, FIELDS)
        return case_id


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_a_grant_for_law_enforcement_waits_for_those_who_decide_in_it(desk: Desk) -> None:
    case_id = await desk.scoped()
    for caller in (COLE, OLGA):
        (found,) = await desk.waiting(caller)
        assert (found.what, found.case_id, found.kind) == ("grant", case_id, "law_enforcement")
        assert (found.roles, found.prepared_by) == (caller.roles, "lars")
    for other in (CARLA, LARS, DORA, Caller("lars", ("counsel",)), Caller("LARS", ("counsel",))):
        assert await desk.seen(other) == []
    # Whoever has approved it has nothing to do any more.
    issued = desk.file(case_id).grants[0]
    (shown,) = (await desk.granting.grants(COLE, case_id))[1]
    token = desk.office.provider.id_token("cole", shown.nonce, desk.clock.now())
    await desk.granting.approve(COLE, case_id, issued.grant.grant_id, 1, token)
    assert (await desk.seen(COLE), await desk.seen(OLGA)) == ([], [("grant", case_id)])


async def test_a_grant_that_may_not_be_approved_now_does_not_wait(desk: Desk) -> None:
    case_id = await desk.scoped()
    desk.clock.at += timedelta(hours=4)
    assert await desk.seen(OLGA) == []
    assert desk.file(case_id).grants[0].state(desk.clock.now()) == "expired"


async def test_an_exigent_grant_waits_for_the_duty_officer(desk: Desk) -> None:
    case_id = await desk.exigent()
    await desk.granted_to(case_id, ["record-0000"], ("phone",))
    assert await desk.seen(DORA) == [("grant", case_id)]
    assert await desk.seen(OLGA) == []


async def test_a_package_waits_for_its_approvers_and_then_for_its_release(desk: Desk) -> None:
    case_id = await desk.granted(3)
    await desk.collected(case_id)
    sha256 = await desk.built(case_id)
    for caller in (OLGA, COLE):
        (found,) = await desk.waiting(caller)
        assert (found.what, found.number, found.prepared_by) == ("package", sha256, "carla")
    assert await desk.seen(BOTH) == []
    await desk.approve(case_id, sha256, OLGA)
    assert (await desk.seen(OLGA), await desk.seen(COLE)) == ([], [("package", case_id)])
    await desk.approve(case_id, sha256, COLE)
    assert await desk.seen(COLE) == []
    # The desk releases what the public asked for.
    assert await desk.seen(CARLA) == [("release", case_id)]
    await desk.releasing.release(CARLA, case_id, sha256)
    assert await desk.seen(CARLA) == []


async def test_a_third_person_releases_what_law_enforcement_gets_once_it_is_encrypted(
    desk: Desk,
) -> None:
    case_id = await desk.under_warrant()
    sha256 = await desk.package_of(case_id)
    for each in (COLE, OLGA):
        assert ("package", case_id) in await desk.seen(each)
        await desk.approve(case_id, sha256, each)
    assert await desk.seen(OLGA) == []
    await desk.encrypted(case_id, sha256)
    assert await desk.seen(OLGA) == [("release", case_id)]
    assert await desk.seen(COLE) == await desk.seen(LARS) == await desk.seen(CARLA) == []
    await desk.legal.scopes.object(LARS, case_id, "privilege")
    assert await desk.seen(OLGA) == []


async def test_a_denial_waits_for_those_whom_it_needs(desk: Desk) -> None:
    case_id = await desk.granted(1)
    version = desk.file(case_id).version
    item = DeniedItem(reason="not_held")
    await desk.denying.prepare(CARLA, case_id, version, "part", [item], "It is not held.")
    (found,) = await desk.waiting(OLGA)
    assert (found.what, found.roles) == ("denial", ("records_officer",))
    assert await desk.seen(COLE) == await desk.seen(BOTH) == []


async def test_leaks_wait_for_counsel_who_has_not_built_it(desk: Desk) -> None:
    case_id = await desk.granted(3)
    hit = LeakHit(leak_id="a" * 64, number=1, kind="phone", places=1)
    stopped = StoppedBuild(
        hits=(hit,), leaks=1, prepared_by=("carla",), stopped_at=desk.clock.now()
    )
    file = desk.file(case_id)
    await desk.files.put(file.clearing(file.clearances.stopped_by(stopped)), desk.clock.now())
    assert await desk.seen(COLE) == [("leaks", case_id)]
    assert await desk.seen(OLGA) == await desk.seen(BOTH) == []
    # Somebody has redacted it instead, and a later build went through.
    await desk.releasing.release(CARLA, case_id, await desk.approved(case_id))
    assert await desk.seen(COLE) == []


async def test_a_hold_waits_once_its_case_need_not_keep_it(desk: Desk) -> None:
    case_id = await desk.granted(1)
    assert await desk.seen(OLGA) == []
    desk.clock.at += timedelta(days=31)
    for caller in (OLGA, COLE):
        (found,) = [each for each in await desk.waiting(caller) if each.what == "hold_release"]
        # It reads `case <id>`, as every hold.
        assert (found.case_id, found.kind, found.prepared_by) == (case_id, None, None)
    assert await desk.seen(BOTH) == []
    assert await desk.seen(CARLA) == []


async def test_a_closed_case_waits_for_nobody(desk: Desk) -> None:
    case_id = await desk.scoped()
    await desk.desk.withdraw(LARS, case_id)
    assert await desk.seen(OLGA) == await desk.seen(COLE) == []


async def test_over_http_the_longest_waiting_is_first_and_has_its_age(desk: Desk) -> None:
    first = await desk.scoped()
    desk.clock.at += timedelta(hours=1)
    second = await desk.granted(2)
    await desk.collected(second)
    await desk.built(second)
    fetched = len(desk.keys.fetches)

    async def who(request: Request) -> Caller:
        return await desk.authenticator.caller(request.headers.get("authorization"))

    http = desk.serve(router(desk.list, who))
    olga = {"Authorization": "Bearer records_officer:olga"}
    answer = http.get("/v1/approvals", headers=olga)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    found = answer.json()
    assert [each["case_id"] for each in found["approvals"]] == [first, second]
    assert (found["total"], found["complete"]) == (2, True)
    assert [each["age_days"] for each in found["approvals"]] == [0, 0]
    less = http.get("/v1/approvals", params={"limit": 1}, headers=olga).json()
    assert ([each["case_id"] for each in less["approvals"]], less["total"]) == ([first], 2)
    for role, status in (("liaison", 403), ("agent", 403), ("auditor", 403), ("custodian", 200)):
        somebody = {"Authorization": f"Bearer {role}:s"}
        assert http.get("/v1/approvals", headers=somebody).status_code == status
    # Nothing was opened.
    assert len(desk.keys.fetches) == fetched
