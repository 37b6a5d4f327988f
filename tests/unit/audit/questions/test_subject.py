"""A resident sees who has seen their request, as far as the law lets them, and no name."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import get_args

import pytest
from httpx import Response

from direct311.audit.entry import Filter
from direct311.audit.index.handlers.secrecy import CaseSecrecy
from direct311.audit.questions.api.subject import subject_router
from direct311.audit.questions.domain.cursors import cursor_of
from direct311.audit.questions.handlers.subject import SubjectReading
from direct311.runtime.http.api import caller_of
from direct311.schemas import Encoded
from direct311.schemas import events as ev
from tests.support.links import bearer
from tests.unit.audit.events import OTHER, RECORD, START, Producer
from tests.unit.audit.fakes import InMemoryBodyKeys, InMemoryCaseExemptions, InMemoryLog
from tests.unit.audit.log_contract import audit_service, in_memory

pytestmark = pytest.mark.anyio


class ResidentsAudit:
    def __init__(self) -> None:
        self.entries, self.keys = InMemoryLog(), InMemoryBodyKeys()
        self.stores = in_memory(self.entries, self.keys)
        self.clock = self.stores.clock
        service = audit_service(self.clock)
        self.exemptions = InMemoryCaseExemptions()
        self.secrecy = CaseSecrecy(self.exemptions, self.stores.keyring, self.clock)
        self.access_log, self.events = service.access_log, service.access_log.events
        self.link_signer = service.link_signer
        reading = SubjectReading(
            log=self.stores.followed,
            entries=self.entries,
            cases=self.secrecy,
            vault=service.vault,
            policy=service.policy,
            clock=self.clock,
        )
        caller_of_call = caller_of(service.authenticator, residents=True)
        self.http = service.serve(subject_router(reading, caller_of_call))

    async def log(self, *messages: Encoded) -> list[str]:
        ids = await self.stores.arrive(messages)
        await self.stores.sequence()
        return ids

    def exempt(self, event_id: str, until: datetime) -> None:
        """As an entry looks whose event said so."""
        for entry in self.entries.entries.values():
            if entry.row.event_id == event_id and entry.row.facts is not None:
                facts = entry.row.facts.model_copy(update={"exempt_until": until})
                entry.row = replace(entry.row, facts=facts)

    def link(self, record_id: str = RECORD) -> dict[str, str]:
        return bearer(self.link_signer.issue(record_id).token)

    def ask(
        self, record_id: str = RECORD, headers: Mapping[str, str] | None = None, **query: str
    ) -> Response:
        answer: Response = self.http.get(
            f"/v1/subject/{record_id}/accesses",
            headers=self.link(record_id) if headers is None else headers,
            params=query,
        )
        return answer


@pytest.fixture
def audit() -> ResidentsAudit:
    return ResidentsAudit()


@pytest.mark.policy("P13")
async def test_a_resident_sees_when_why_and_in_which_office_and_never_who(
    audit: ResidentsAudit,
) -> None:
    producer = Producer()
    await audit.log(
        producer.access(RECORD, actor="olga", department="parks", fields=("phone", "email")),
        producer.access(OTHER, actor="olga"),
        producer.access(RECORD, actor="ada", purpose="unknown", outcome="denied", fields=()),
    )
    answer = audit.ask()
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    denied, read = answer.json()["accesses"]
    assert read == {
        "at": "2026-03-02T14:00:00Z",
        "purpose": "respond",
        "sentence": "Information is used to respond to the service request.",
        "roles": ["agent"],
        "department": "parks",
        "action": "view",
        "outcome": "success",
        "fields": ["phone", "email"],
        "count": 1,
    }
    assert (denied["outcome"], denied["sentence"]) == ("denied", "")
    assert "olga" not in answer.text
    assert answer.json()["next"] is None


async def test_a_resident_sees_refusals_of_staff_with_their_count_and_none_of_strangers(
    audit: ResidentsAudit,
) -> None:
    producer = Producer()

    def stranger(count: int | None = None) -> Encoded:
        return producer.access(
            RECORD,
            actor=f"link:{OTHER}",
            authentication="signed_link",
            roles=("resident",),
            outcome="denied",
            count=count,
        )

    await audit.log(
        producer.access(RECORD, actor="ada", outcome="denied", fields=()),
        producer.access(RECORD, actor="ada", outcome="denied", fields=(), count=79),
        *(stranger() for _ in range(120)),
        stranger(500),
        producer.access(RECORD, actor=f"link:{RECORD}", roles=("resident",)),
    )
    page = audit.ask(limit="2").json()
    following = audit.ask(limit="2", cursor=page["next"]).json()
    seen = [*page["accesses"], *following["accesses"]]
    assert [(each["outcome"], each["count"]) for each in seen] == [
        ("success", 1),
        ("denied", 79),
        ("denied", 1),
    ]
    assert following["next"] is None


async def test_the_question_is_an_access_and_opens_no_entry(audit: ResidentsAudit) -> None:
    await audit.log(Producer().access(RECORD))
    assert audit.ask().status_code == 200
    (event,) = audit.events()
    assert (event.action, event.why.purpose, event.outcome) == (
        "log_read",
        "subject_access",
        "success",
    )
    assert (event.agent.id, event.what.record_ids) == (f"link:{RECORD}", (RECORD,))
    assert event.what.result_count == 1
    assert audit.keys.fetches == []


async def test_what_the_law_withholds_leaves_no_trace(audit: ResidentsAudit) -> None:
    producer = Producer()
    now = audit.clock.now()
    seen, police, exempt, past = await audit.log(
        producer.access(RECORD, at=START),
        producer.access(RECORD, purpose="law_enforcement", at=START + timedelta(seconds=1)),
        producer.access(RECORD, at=START + timedelta(seconds=2)),
        producer.access(RECORD, purpose="public_records", at=START + timedelta(seconds=3)),
    )
    audit.exempt(exempt, now + timedelta(days=1))
    audit.exempt(past, now - timedelta(days=1))
    answer = audit.ask()
    assert [each["purpose"] for each in answer.json()["accesses"]] == ["public_records", "respond"]
    assert "law_enforcement" not in answer.text
    assert audit.events()[0].what.result_count == 2
    # Pages neither: the withheld ones fill no place.
    first = audit.ask(limit="1").json()
    second = audit.ask(limit="1", cursor=first["next"]).json()
    assert [len(first["accesses"]), len(second["accesses"]), second["next"]] == [1, 1, None]
    audit.clock.advance(timedelta(days=2))
    assert len(audit.ask().json()["accesses"]) == 3
    assert seen != police


async def test_a_hold_does_not_tell_of_its_matter(audit: ResidentsAudit) -> None:
    await audit.log(Producer("audit").access(RECORD, action="hold", purpose="retention", fields=()))
    assert audit.ask().json()["accesses"] == []


@pytest.mark.parametrize("act", get_args(ev.RecordAct))
async def test_no_act_about_the_record_is_told(audit: ResidentsAudit, act: ev.RecordAct) -> None:
    """None is an access, and a hold may serve an inquiry of the police."""
    await audit.log(
        Producer("retention").acted(RECORD, act=act, case_id="case-7"), Producer().access(RECORD)
    )
    seen = audit.ask()
    assert [each["action"] for each in seen.json()["accesses"]] == ["view"]
    assert "case-7" not in seen.text
    assert "counsel" not in seen.text


async def test_pages_follow_each_other_whatever_comes_meanwhile(audit: ResidentsAudit) -> None:
    producer = Producer()
    await audit.log(
        *(
            producer.access(RECORD, OTHER) if number % 3 else producer.access(OTHER)
            for number in range(40)
        )
    )
    shown: list[str] = []
    cursor: dict[str, str] = {}
    pages = 0
    while True:
        page = audit.ask(RECORD, None, limit="7", **cursor).json()
        shown += [each["at"] for each in page["accesses"]]
        pages += 1
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
        await audit.log(producer.access(RECORD))
    assert (len(shown), pages) == (26, 4)


async def test_a_long_run_of_withheld_entries_hides_nothing_behind_it(
    audit: ResidentsAudit,
) -> None:
    producer = Producer()
    await audit.log(producer.access(RECORD))
    await audit.log(*(producer.access(RECORD, purpose="law_enforcement") for _ in range(700)))
    assert len(audit.ask(limit="3").json()["accesses"]) == 1


@pytest.mark.parametrize("cursor", ["nonsense", "1.0000000000000000", "x" * 60])
async def test_a_cursor_of_another_question_is_refused(audit: ResidentsAudit, cursor: str) -> None:
    await audit.log(Producer().access(RECORD))
    assert audit.ask(cursor=cursor).status_code == 400
    others = cursor_of(Filter(record_ids=(OTHER,)), 1)
    assert audit.ask(cursor=others).status_code == 400


@pytest.mark.parametrize("token", ["auditor:ada", "agent:olga", "admin:root"])
async def test_the_question_is_the_links_alone(audit: ResidentsAudit, token: str) -> None:
    await audit.log(Producer().access(RECORD))
    refused = [audit.ask(headers=bearer(token)), audit.ask(headers=audit.link(OTHER))]
    assert [answer.status_code for answer in refused] == [403, 403]
    assert audit.ask(headers={}).status_code == 401
    assert [event.outcome for event in audit.events()] == ["denied", "denied"]


async def test_a_record_that_nobody_has_seen_has_an_empty_list(audit: ResidentsAudit) -> None:
    assert audit.ask("never").json()["accesses"] == []


async def test_nothing_is_told_that_cannot_be_written_down(audit: ResidentsAudit) -> None:
    await audit.log(Producer().access(RECORD))
    audit.access_log.down = True
    answer = audit.ask()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "accesses" not in answer.json()


async def test_the_destruction_of_a_record_is_no_access(audit: ResidentsAudit) -> None:
    producer = Producer("retention")
    await audit.log(producer.certified(RECORD), Producer().destroyed(RECORD))
    assert audit.ask().json()["accesses"] == []
