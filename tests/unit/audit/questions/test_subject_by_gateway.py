"""The gateway passes a resident's question on: only intake may, and only with the link."""

from datetime import timedelta

import pytest
from httpx import Response

from direct311.audit.index.handlers.secrecy import CaseSecrecy
from direct311.audit.questions.api.subject import internal_subject_router
from direct311.audit.questions.handlers.subject import SubjectReading
from direct311.runtime.http.api import caller_of
from direct311.schemas import Encoded
from tests.support.links import LIFETIME, bearer
from tests.unit.audit.events import OTHER, RECORD, Producer
from tests.unit.audit.fakes import InMemoryBodyKeys, InMemoryCaseExemptions, InMemoryLog
from tests.unit.audit.log_contract import audit_service, in_memory

pytestmark = pytest.mark.anyio

GATEWAY = bearer("service:svc-intake")


class Asked:
    """Audit's internal question, over memory."""

    def __init__(self) -> None:
        entries = InMemoryLog()
        self.stores = in_memory(entries, InMemoryBodyKeys())
        self.clock = self.stores.clock
        service = audit_service(self.clock)
        self.access_log, self.link_signer = service.access_log, service.link_signer
        reading = SubjectReading(
            log=self.stores.followed,
            entries=entries,
            cases=CaseSecrecy(InMemoryCaseExemptions(), self.stores.keyring, self.clock),
            vault=service.vault,
            policy=service.policy,
            clock=self.clock,
        )
        asking = caller_of(service.authenticator)
        self.http = service.serve(
            internal_subject_router(reading, service.links, timedelta(seconds=60), asking)
        )

    async def log(self, *messages: Encoded) -> None:
        await self.stores.arrive(messages)
        await self.stores.sequence()

    def link(self, record_id: str = RECORD) -> str:
        return self.link_signer.issue(record_id).token

    def ask(self, link: str, headers: dict[str, str] = GATEWAY, **question: object) -> Response:
        body = {"link": link, **question}
        answer: Response = self.http.post("/internal/subject/accesses", json=body, headers=headers)
        return answer


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.mark.policy("P13")
async def test_the_gateway_gets_what_the_resident_would_get(asked: Asked) -> None:
    producer = Producer()
    await asked.log(
        producer.access(RECORD, actor="olga", department="parks", fields=("phone",)),
        producer.access(OTHER, actor="olga"),
        producer.access(RECORD, actor="olga", purpose="law_enforcement"),
    )
    answer = asked.ask(asked.link())
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    said = answer.json()
    assert (said["record_id"], said["late_by_seconds"], said["next"]) == (RECORD, 60, None)
    (access,) = said["accesses"]
    assert (access["roles"], access["department"], access["fields"]) == (
        ["agent"],
        "parks",
        ["phone"],
    )
    assert "olga" not in answer.text
    assert "law_enforcement" not in answer.text


async def test_the_question_is_the_residents_access_and_names_the_gateway(asked: Asked) -> None:
    await asked.log(Producer().access(RECORD))
    asked.ask(asked.link())
    (event,) = asked.access_log.events()
    assert (event.action, event.why.purpose, event.outcome) == (
        "log_read",
        "subject_access",
        "success",
    )
    assert (event.agent.id, event.agent.on_behalf_of) == (f"link:{RECORD}", "svc:intake")
    assert (event.agent.authentication, event.what.record_ids) == ("signed_link", (RECORD,))
    assert event.where.operation == "POST /internal/subject/accesses"


async def test_pages_follow_each_other(asked: Asked) -> None:
    producer = Producer()
    await asked.log(*(producer.access(RECORD) for _ in range(3)))
    first = asked.ask(asked.link(), limit=2).json()
    second = asked.ask(asked.link(), limit=2, cursor=first["next"]).json()
    assert [len(first["accesses"]), len(second["accesses"]), second["next"]] == [2, 1, None]
    wrong = asked.ask(asked.link(), cursor="nonsense")
    assert (wrong.status_code, wrong.json()["field"]) == (400, "cursor")


@pytest.mark.parametrize("token", ["agent:olga", "auditor:ada", "service:svc-media"])
async def test_nobody_but_intake_may_ask(asked: Asked, token: str) -> None:
    await asked.log(Producer().access(RECORD))
    assert asked.ask(asked.link(), bearer(token)).status_code == 403
    assert asked.ask(asked.link(), bearer(asked.link())).status_code == 403
    assert asked.ask(asked.link(), {}).status_code == 401


@pytest.mark.parametrize("wrong", ["expired", "tampered", "a record", "a token"])
async def test_intakes_word_alone_opens_nothing(asked: Asked, wrong: str) -> None:
    await asked.log(Producer().access(RECORD))
    good = asked.link()
    link = {
        "expired": good,
        "tampered": f"{good[:-6]}AAAAAA",
        "a record": RECORD,
        "a token": "service:svc-intake",
    }[wrong]
    if wrong == "expired":
        asked.clock.advance(LIFETIME + timedelta(days=1))
    answer = asked.ask(link)
    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:direct311:problem:signed_link"
    assert link not in answer.text


async def test_a_question_without_a_link_is_malformed(asked: Asked) -> None:
    answer = asked.http.post("/internal/subject/accesses", json={}, headers=GATEWAY)
    assert answer.status_code == 422


async def test_nothing_is_told_that_cannot_be_written_down(asked: Asked) -> None:
    await asked.log(Producer().access(RECORD))
    asked.access_log.down = True
    answer = asked.ask(asked.link())
    assert (answer.status_code, "accesses" in answer.json()) == (503, False)
