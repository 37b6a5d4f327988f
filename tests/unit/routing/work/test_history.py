"""A disclosure case reads the history of the jobs that its grant names, and nothing else."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from fastapi import Request

from direct311.routing.job import Job
from direct311.routing.work.api import router
from direct311.routing.work.handlers.history import JobHistories
from direct311.runtime.access.rules import Caller
from direct311.runtime.vault.vault import DeniedError, Door
from tests.support.disclosures import CASE, DAY, Office, grant
from tests.support.runtime import NOW
from tests.support.service_under_test import ServiceUnderTest

pytestmark = [pytest.mark.anyio, pytest.mark.policy("P13")]
LIA = Caller("lia", ("custodian",))
NOT_OPENED = {"place", "text", "attributes", "media", "remarks"}


class Jobs:
    """Jobs, and how often they were looked up."""

    def __init__(self, *jobs: Job) -> None:
        self._jobs = {job.record_id: job for job in jobs}
        self.looked_up = 0

    async def get(self, record_id: str) -> Job | None:
        self.looked_up += 1
        return self._jobs.get(record_id)

    async def queue(
        self, department: str, statuses: Sequence[str], after: str | None, limit: int
    ) -> Sequence[Job]:
        raise NotImplementedError

    async def count(self) -> dict[str, int]:
        raise NotImplementedError


class Desk(ServiceUnderTest):
    """Routing with two jobs and a grant for one of them."""

    def __init__(self) -> None:
        super().__init__("routing")
        self.office = Office(self.clock)
        self.jobs = Jobs(*(Job(record_id=each, department="parks") for each in ("a", "b")))
        door = Door(self.ledger, self.policy, self.clock)
        self.histories = JobHistories(self.jobs, self.office.owner, door)

    async def granted(self, **changes: Any) -> None:
        given = {"record_ids": ("a", "c"), "fields": ("job_history",)} | changes
        assert await self.office.say(self.office.approved(grant(**given))) == []

    async def refused(
        self,
        rule: str,
        record_id: str = "a",
        caller: Caller = LIA,
        purpose: Any = "public_records",
        case_id: str = CASE,
    ) -> None:
        looked_up = self.jobs.looked_up
        with pytest.raises(DeniedError) as refusal:
            await self.histories.read(caller, record_id, purpose, case_id)
        assert refusal.value.code == f"refused:{rule}"
        assert self.jobs.looked_up == looked_up
        assert self.access_log.events()[-1].outcome == "denied"


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_it_reads_the_history_that_the_grant_names(desk: Desk) -> None:
    await desk.granted()
    found = await desk.histories.read(LIA, "a", "public_records", CASE)
    assert (found.record_id, found.department) == ("a", "parks")
    assert NOT_OPENED.isdisjoint(found.model_dump())
    (event,) = desk.access_log.events()
    assert (event.action, event.outcome, event.agent.id) == ("view", "success", "lia")
    assert (event.what.record_ids, event.what.fields) == (("a",), ("job_history",))
    assert (event.why.purpose, event.why.case_id) == ("public_records", CASE)


async def test_nobody_reads_without_a_grant(desk: Desk) -> None:
    await desk.refused("disclosure_case")


@pytest.mark.parametrize(
    ("rule", "asked"),
    [
        ("grant_records", {"record_id": "b"}),
        ("disclosure_case", {"caller": Caller("carl", ("custodian",))}),
        ("disclosure_case", {"case_id": "case-2"}),
        ("grant_kind", {"purpose": "law_enforcement", "caller": Caller("lia", ("liaison",))}),
        ("role", {"caller": Caller("lia", ("agent",))}),
    ],
)
async def test_the_grant_opens_nothing_else(desk: Desk, rule: str, asked: dict[str, Any]) -> None:
    await desk.granted()
    await desk.refused(rule, **asked)


async def test_a_grant_without_the_field_opens_no_history(desk: Desk) -> None:
    await desk.granted(fields=("updates", "work_notes"))
    await desk.refused("grant_fields")


async def test_a_revoked_grant_and_an_expired_one_refuse_at_once(desk: Desk) -> None:
    await desk.granted()
    await desk.histories.read(LIA, "a", "public_records", CASE)
    desk.clock.at = NOW + DAY
    await desk.refused("grant_expired")
    desk.clock.at = NOW + timedelta(minutes=1)
    await desk.office.say(desk.office.revoked())
    await desk.refused("grant_revoked")


async def test_over_http_the_question_names_its_purpose_and_its_case(desk: Desk) -> None:
    async def caller(_: Request) -> Caller:
        return LIA

    await desk.granted()
    client = desk.serve(
        router(desk.jobs, desk.histories, caller, caller, desk.clock, timedelta(days=1))
    )
    question = {"purpose": "public_records", "reference": CASE}
    answer = client.post("/v1/jobs/a/history", json=question)
    assert (answer.status_code, answer.json()["department"]) == (200, "parks")
    assert client.post("/v1/jobs/c/history", json=question).status_code == 404
    assert client.post("/v1/jobs/b/history", json=question).status_code == 403
    for wrong in ({"purpose": "respond", "reference": CASE}, {"purpose": "public_records"}):
        assert client.post("/v1/jobs/a/history", json=wrong).status_code == 422
