"""A disclosure case reads the accesses to the records that its grant names, and nothing else."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from direct311.audit.questions.api.cases import cases_router
from direct311.audit.questions.handlers.case_entries import CasePage, CaseQuestion, CaseReading
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import install
from direct311.runtime.http.health import Readiness
from direct311.runtime.telemetry import Metrics
from direct311.schemas.secrecy import NO_END
from tests.support.disclosures import CASE, DAY, Office, grant
from tests.unit.audit.audit_under_test import AuditUnderTest
from tests.unit.audit.events import OTHER, RECORD, THIRD, Producer
from tests.unit.audit.log_contract import audit_service

pytestmark = [pytest.mark.anyio, pytest.mark.policy("P13")]
LIA = Caller("lia", ("custodian",))


class Desk(AuditUnderTest):
    """Audit with its disclosure cases, and a grant for two records."""

    def __init__(self) -> None:
        super().__init__()
        clock = self.stores.clock
        self.office = Office(clock)
        for key in self.office.trusted:
            self.office.trusted[key] = self.office.trust(
                key, "retention", self.office.private, clock.now() + 365 * DAY
            )
        self.producer = Producer()
        service = audit_service(clock, self.access_log)
        self.case_reading = CaseReading(
            audited=self.audited,
            disclosures=self.office.owner,
            log=self.stores.followed,
            entries=self.stores.entries,
            cases=self.secrecy,
            vault=service.vault,
            policy=service.policy,
            clock=clock,
        )

    async def granted(self, **changes: Any) -> None:
        now = self.stores.clock.now()
        given = {
            "record_ids": (RECORD, OTHER),
            "fields": ("audit_entry",),
            "prepared_at": now - timedelta(minutes=1),
            "valid_until": now + DAY,
        }
        assert await self.office.say(self.office.approved(grant(**(given | changes)))) == []

    async def read(
        self,
        record_id: str = RECORD,
        caller: Caller = LIA,
        case_id: str = CASE,
        purpose: Any = "public_records",
        limit: int = 10,
        cursor: str | None = None,
    ) -> CasePage:
        asked = CaseQuestion(caller, "POST /v1/cases", case_id, purpose, record_id)
        return await self.case_reading.page(asked, limit=limit, cursor=cursor)

    async def refused(self, rule: str, **asked: Any) -> None:
        fetched = len(self.keys.fetches)
        with pytest.raises(RefusedError) as refusal:
            await self.read(**asked)
        assert refusal.value.code == f"refused:{rule}"
        assert len(self.keys.fetches) == fetched
        event = self.access_log.events()[-1]
        assert (event.outcome, event.action) == ("denied", "log_read")


@pytest.fixture
async def desk() -> Desk:
    desk = Desk()
    await desk.log(
        desk.producer.access(RECORD, actor="maria"),
        desk.producer.access(RECORD, THIRD, actor="nora"),
        desk.producer.access(THIRD, actor="olga"),
        desk.producer.access(RECORD, actor="officer", purpose="law_enforcement", case_id="D-9"),
        desk.producer.access(RECORD, actor="pia", exempt_until=NO_END),
    )
    return desk


async def test_it_reads_the_accesses_to_a_record_that_the_grant_names(desk: Desk) -> None:
    await desk.granted()
    page = await desk.read()
    found = [(each.row.facts and each.row.facts.actor, bool(each.event)) for each in page.entries]
    # The one about another record too is not opened; the exempt ones are not there.
    assert found == [("nora", False), ("maria", True)]
    assert page.next is None
    event = desk.access_log.events()[-1]
    assert (event.what.record_ids, event.what.fields) == ((RECORD,), ("audit_entry",))
    assert (event.why.purpose, event.why.case_id) == ("public_records", CASE)
    assert event.what.result_count == 2


async def test_pages_leave_no_gap_where_something_is_withheld(desk: Desk) -> None:
    await desk.granted()
    first = await desk.read(limit=1)
    assert [each.row.index for each in first.entries] == [1]
    second = await desk.read(limit=1, cursor=first.next)
    assert ([each.row.index for each in second.entries], second.next) == ([0], None)
    with pytest.raises(RefusedError) as refusal:
        await desk.read(OTHER, cursor=first.next)
    assert refusal.value.code == "cursor_mismatch"


async def test_a_page_for_which_nothing_is_opened_says_so(desk: Desk) -> None:
    await desk.granted()
    fetched = len(desk.keys.fetches)
    (entry,) = (await desk.read(limit=1)).entries
    assert (entry.row.index, entry.event) == (1, None)
    assert len(desk.keys.fetches) == fetched
    assert desk.access_log.events()[-1].what.fields == ()


async def test_nobody_reads_without_a_grant(desk: Desk) -> None:
    await desk.refused("disclosure_case")


@pytest.mark.parametrize(
    ("rule", "asked"),
    [
        ("grant_records", {"record_id": THIRD}),
        ("disclosure_case", {"caller": Caller("carl", ("custodian",))}),
        ("disclosure_case", {"case_id": "case-2"}),
        ("grant_kind", {"purpose": "law_enforcement", "caller": Caller("lia", ("liaison",))}),
        ("role", {"caller": Caller("lia", ("agent",))}),
    ],
)
async def test_the_grant_opens_nothing_else(desk: Desk, rule: str, asked: dict[str, Any]) -> None:
    await desk.granted()
    await desk.refused(rule, **asked)


async def test_a_grant_without_the_field_opens_no_entry(desk: Desk) -> None:
    await desk.granted(fields=("phone",))
    await desk.refused("grant_fields")


async def test_a_revoked_grant_and_an_expired_one_refuse_at_once(desk: Desk) -> None:
    await desk.granted()
    await desk.read()
    desk.stores.clock.at += DAY
    await desk.refused("grant_expired")
    desk.stores.clock.at -= DAY
    await desk.read()
    await desk.office.say(desk.office.revoked())
    await desk.refused("grant_revoked")


async def test_over_http_an_entry_names_only_the_record_asked_for(desk: Desk) -> None:
    async def caller(_: Request) -> Caller:
        return LIA

    await desk.granted()
    app = FastAPI()
    install(app, Readiness(), Metrics())
    app.include_router(cases_router(desk.case_reading, caller))
    client = TestClient(app)
    asked = {"record": RECORD, "purpose": "public_records"}
    answer = client.post(f"/v1/cases/{CASE}/entries", json=asked)
    assert answer.status_code == 200
    assert [each["record_ids"] for each in answer.json()["entries"]] == [[RECORD], [RECORD]]
    assert THIRD not in answer.text
    assert "withheld" not in answer.json()
    wrong = client.post(f"/v1/cases/{CASE}/entries", json=asked | {"purpose": "respond"})
    assert wrong.status_code == 422
