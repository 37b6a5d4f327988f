"""The proof of a case's own entries: offline good, without anybody's sign-in, and silent about an
exempt case."""

import json
from typing import Any

import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from direct311.audit.questions.api.case_proof import case_proof_router
from direct311.audit.questions.handlers.case_proof import CaseProof
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import install
from direct311.runtime.http.health import Readiness
from direct311.runtime.telemetry import Metrics
from direct311.schemas import events as ev
from direct311.verifier.bundle import verify_bundle
from tests.support.audit_log import TRUST
from tests.unit.audit.audit_under_test import whole
from tests.unit.audit.events import START, producers
from tests.unit.audit.log_contract import LOG_KEYS, audit_service
from tests.unit.audit.questions.test_register import DAY, EXEMPT, PACKAGE, Registry, approval

pytestmark = [pytest.mark.anyio, pytest.mark.policy("P13")]

# The numbers of cases, since they are the reference of the question.
ASKED, RELEASED, SECRET, NOBODY = (f"0195567e-8f00-7000-8000-0000000000{n}a" for n in "abcd")
RETENTION = Caller("svc:retention", ("service",), authentication="service")


class Proving(Registry):
    def __init__(self) -> None:
        super().__init__()
        service = audit_service(self.stores.clock, self.access_log)
        self.proof = CaseProof(
            audited=self.audited,
            log=self.stores.followed,
            files=self.stores.files,
            published=self.stores.published,
            log_keys=LOG_KEYS,
            producers=producers(),
            cases=self.secrecy,
            vault=service.vault,
            clock=self.stores.clock,
        )

    async def fill(self) -> None:
        await self.say(
            self.step(ASKED, 1, "opened", "received"),
            self.step(RELEASED, 1, "opened", "received"),
            self.granted(RELEASED, 2),
            ev.DisclosureRevoked(
                case_id=RELEASED,
                version=3,
                kind="public_records",
                grant_id="grant-2",
                revoked_by="raul",
                reason="done",
                revoked_at=START + DAY,
            ),
            ev.DisclosureReleased(
                case_id=RELEASED,
                version=4,
                kind="public_records",
                package=PACKAGE,
                counts={"records": 2},
                recipient="requester",
                released_by="carla",
                approvals=(approval("raul", START + 2 * DAY),),
                released_at=START + 2 * DAY,
            ),
            self.step(SECRET, 1, "opened", "received", kind="law_enforcement", exemption=EXEMPT),
            self.granted(SECRET, 2, kind="law_enforcement", exemption=EXEMPT),
        )

    async def of(self, case_id: str, caller: Caller = RETENTION) -> dict[str, Any]:
        return dict(json.loads(await whole(await self.proof(caller, case_id))))


@pytest.fixture
async def audit() -> Proving:
    audit = Proving()
    await audit.fill()
    return audit


async def test_a_cases_steps_are_disclosed_and_its_approvals_stay_sealed(audit: Proving) -> None:
    found = await audit.of(RELEASED)
    shown = [each["event"] for each in found["receipts"] if each["event"]]
    assert len(shown) == 2
    assert {each["subject"] for each in shown} == {RELEASED}
    kinds = {each["type"].removeprefix("gov.miamidade.direct311.") for each in shown}
    assert kinds == {"disclosure.recorded.v1", "disclosure.revoked.v1"}
    # Grants and releases are there, without the ID tokens in them.
    assert len([each for each in found["receipts"] if each["event"] is None]) == 2
    assert "id_token" not in json.dumps(found)
    assert [each["index"] for each in found["receipts"]] == sorted(
        each["index"] for each in found["receipts"]
    )


async def test_it_is_good_offline(audit: Proving) -> None:
    data = await whole(await audit.proof(RETENTION, RELEASED))
    report = verify_bundle(data, TRUST)
    assert report.ok, report.text


async def test_an_exempt_case_stays_sealed_whole(audit: Proving) -> None:
    found = await audit.of(SECRET)
    assert found["receipts"]
    assert all(each["event"] is None for each in found["receipts"])
    # And the question itself is withheld with it.
    event = audit.access_log.events()[-1]
    assert (event.why.case_id, event.retention.exempt_until is not None) == (SECRET, True)


async def test_the_question_is_an_entry_first(audit: Proving) -> None:
    await audit.of(ASKED)
    event = audit.access_log.events()[-1]
    assert (event.agent.id, event.action, event.why.reference) == ("svc:retention", "export", ASKED)
    audit.access_log.down = True
    with pytest.raises(RefusedError):
        await audit.of(ASKED)


async def test_nobody_else_gets_it_and_there_is_no_proof_of_nothing(audit: Proving) -> None:
    with pytest.raises(RefusedError) as refused:
        await audit.of(ASKED, Caller("svc:intake", ("service",), authentication="service"))
    assert refused.value.code.startswith("refused:")
    with pytest.raises(RefusedError) as refused:
        await audit.of(NOBODY)
    assert refused.value.code == "not_found"


@pytest.mark.parametrize(
    ("caller", "status"),
    [
        (RETENTION, 200),
        (Caller("svc:intake", ("service",), authentication="service"), 403),
        (Caller("ada", ("auditor",)), 403),
        (Caller("svc:retention", ("service",), via="svc:intake", authentication="service"), 403),
    ],
)
async def test_over_http_only_retention_itself_asks(
    audit: Proving, caller: Caller, status: int
) -> None:
    async def who(_: Request) -> Caller:
        return caller

    app = FastAPI()
    install(app, Readiness(), Metrics())
    app.include_router(case_proof_router(audit.proof, who))
    answer = TestClient(app).post(f"/internal/cases/{RELEASED}/proof", json={})
    assert answer.status_code == status
