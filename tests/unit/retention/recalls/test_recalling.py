"""Recalling a package that went out wrongly: nobody fetches it any more, and its records are
collected anew."""

import pytest
from fastapi import Request

from direct311.retention.recalls.api import router
from direct311.retention.recalls.handlers import Recalling
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.schemas import events as ev
from tests.support.record_owners import record
from tests.unit.retention.packages.fakes import CARLA, COLE, INTAKE, OLGA, PackagingDesk

pytestmark = pytest.mark.anyio

LIA = Caller("lia", ("liaison",))


class Desk(PackagingDesk):
    def __init__(self) -> None:
        super().__init__()
        self.recall = Recalling(self.work)

    async def released(self, records: int = 3) -> tuple[str, str]:
        case_id = await self.granted(records)
        sha256 = await self.approved(case_id)
        await self.releasing.release(CARLA, case_id, sha256)
        return case_id, sha256


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def refused(code: str, ask: object) -> None:
    with pytest.raises(RefusedError) as error:
        await ask  # type: ignore[misc]
    assert error.value.code == code


async def test_nobody_fetches_a_recalled_package_by_the_token(desk: Desk) -> None:
    case_id, sha256 = await desk.released()
    assert (await desk.releasing.fetch_by_token(INTAKE, desk.token)).sha256 == sha256
    opened = len(desk.access_log.events())
    for by in (OLGA, CARLA):
        state, package = await desk.recall(by, case_id, sha256, "wrong_record")
        assert (package.recalled_by, state.state) == ("olga", "released")
    await refused("recalled", desk.releasing.fetch_by_token(INTAKE, desk.token))
    await refused("recalled", desk.releasing.fetch_by_token(INTAKE, desk.token, 1))
    assert len(desk.access_log.events()) == opened
    told = [
        each
        for each in desk.steps(case_id)
        if isinstance(each, ev.DisclosureRecorded) and each.step == "package_recalled"
    ]
    assert [(each.actor, each.codes, dict(each.hashes)) for each in told] == [
        ("olga", ("wrong_record",), {"package": sha256})
    ]


async def test_its_records_are_collected_anew_and_the_next_package_goes_out(desk: Desk) -> None:
    case_id, wrong = await desk.released()
    await desk.recall(CARLA, case_id, wrong, "wrong_record")
    desk.owners.records["record-0001"] = record(1, withheld=3)
    right = await desk.approved(case_id)
    assert right != wrong
    await desk.releasing.release(CARLA, case_id, right)
    fetched = await desk.releasing.fetch_by_token(INTAKE, desk.token)
    assert (fetched.sha256, fetched.number, fetched.of) == (right, 2, 2)
    await refused("recalled", desk.releasing.fetch_by_token(INTAKE, desk.token, 1))


async def test_only_what_went_out_is_recalled_and_only_by_who_may_know_of_it(desk: Desk) -> None:
    case_id = await desk.granted(1)
    await desk.collected(case_id)
    sha256 = await desk.built(case_id)
    await refused("not_released", desk.recall(CARLA, case_id, sha256, "wrong_record"))
    await refused("not_released", desk.recall(COLE, case_id, "0" * 64, "wrong_record"))
    await refused("unknown_case", desk.recall(LIA, case_id, sha256, "wrong_record"))


async def test_over_http(desk: Desk) -> None:
    case_id, sha256 = await desk.released()

    async def who(request: Request) -> Caller:
        return await desk.authenticator.caller(request.headers.get("authorization"))

    http = desk.serve(router(desk.recall, desk.rules, who))
    path = f"/v1/cases/{case_id}/packages/{sha256}/recall"
    order = {"reason": "wrong_record"}
    for role, status in (("agent", 403), ("auditor", 403), ("liaison", 404)):
        headers = {"Authorization": f"Bearer {role}:x"}
        refusal = http.post(path, json=order, headers=headers)
        assert refusal.status_code == status, (role, refusal.text)
    counsel = {"Authorization": "Bearer counsel:x"}
    answer = http.post(path, json=order, headers=counsel)
    assert (answer.status_code, answer.json()["recalled_by"]) == (200, "x"), answer.text
    assert http.post(path, json={}, headers=counsel).status_code == 422
