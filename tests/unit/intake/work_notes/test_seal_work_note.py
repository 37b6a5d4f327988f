"""A department's note: sealed once in its own words, and only routing brings it."""

import asyncio
import json
from collections.abc import Sequence

import pytest

from direct311.intake.request import WORK_NOTES, ServiceRequest
from direct311.intake.work_notes import handlers
from direct311.intake.work_notes.api import work_notes_router
from direct311.intake.work_notes.domain import HandedNote
from direct311.intake.work_notes.handlers import SealWorkNote
from direct311.runtime.access.ledger import AuditUnavailableError
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import caller_of
from direct311.runtime.messaging.records import Write
from direct311.runtime.vault.vault import VaultError
from tests.support.intake import IntakeUnderTest
from tests.support.links import bearer
from tests.support.memory import InMemoryRecords

pytestmark = pytest.mark.anyio

ROUTING = Caller("svc:routing", ("service",), authentication="service")
WORDS = "Spoke to Notburga Zettelkasten, 754-555-0186; card 4012 8888 8888 1881.\x00\u200b"
OPERATION = "POST /internal/work-notes"


class NotingIntake(IntakeUnderTest):
    """Intake with the use case that seals a note."""

    def __init__(self, records: InMemoryRecords[ServiceRequest] | None = None) -> None:
        super().__init__(records=records)
        self.seal = SealWorkNote(
            processor=self.processor,
            vault=self.vault,
            ids=self.ids,
            content_key=self.indexes.content_key,
        )

    async def sealed_now(self, note: HandedNote) -> bool:
        return await self.seal(note, ROUTING, OPERATION)

    def held(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = json.loads(self.unsealed(WORK_NOTES))
        return found


def handed(
    update_id: str = "u-1", note: str = WORDS, department: str = "parks", record_id: str = "r-1"
) -> HandedNote:
    return HandedNote(record_id, department, update_id, note)


async def refusal(intake: NotingIntake, note: HandedNote) -> str:
    with pytest.raises(RefusedError) as refused:
        await intake.sealed_now(note)
    assert "Notburga" not in f"{refused.value.detail}{refused.value}"
    return refused.value.code


async def test_a_note_is_sealed_exactly_as_it_came_and_written_down_before() -> None:
    intake = NotingIntake()
    before = await intake.request()
    assert await intake.sealed_now(handed())
    note = {"department": "parks", "update_id": "u-1", "note": WORDS}
    assert intake.held() == {"parks-u-1": note}
    (event,) = intake.access_log.events()
    assert (event.action, event.what.fields, event.what.record_ids) == (
        "seal",
        (WORK_NOTES,),
        ("r-1",),
    )
    assert (event.agent.id, event.agent.on_behalf_of) == ("svc:intake", "svc:routing")
    assert (event.why.purpose, event.what.version_seen) == ("respond", before.version)
    assert "Notburga" not in event.model_dump_json()
    # Nobody sees a change, and no other service hears of it.
    after = intake.state()
    assert (after.updated_at, after.notes, intake.said()) == (before.updated_at, (), [])
    assert "Notburga" not in repr(after)


async def test_a_repeat_changes_nothing_and_opens_nothing() -> None:
    intake = NotingIntake()
    await intake.request()
    assert await intake.sealed_now(handed())
    once = intake.state()
    for _ in range(3):
        assert not await intake.sealed_now(handed())
    assert intake.state() == once
    assert len(intake.access_log.events()) == 1
    assert len(intake.keys.fetches) == 1


async def test_the_same_id_with_another_note_is_refused() -> None:
    intake = NotingIntake()
    await intake.request()
    await intake.sealed_now(handed())
    assert await refusal(intake, handed(note="Something else.")) == "idempotency_key"
    assert list(intake.held()) == ["parks-u-1"]


async def test_each_department_has_its_own_ids_and_each_note_its_place() -> None:
    intake = NotingIntake()
    await intake.request()
    assert await intake.sealed_now(handed())
    assert await intake.sealed_now(handed(department="solid_waste", note="Ours."))
    assert await intake.sealed_now(handed("u-2"))
    assert [each["note"] for each in intake.held().values()] == [WORDS, "Ours.", WORDS]


@pytest.mark.parametrize(
    ("lifecycle", "code"), [("destroying", "destroyed"), ("destroyed", "destroyed")]
)
async def test_nothing_is_sealed_into_a_record_that_ends(lifecycle: str, code: str) -> None:
    intake = NotingIntake()
    await intake.request(lifecycle=lifecycle)
    assert await refusal(intake, handed()) == code
    assert await refusal(intake, handed(record_id="nowhere")) == "unknown_record"
    assert intake.access_log.events() == []
    assert WORK_NOTES not in intake.state().sealed


async def test_a_request_has_an_end_of_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "MOST_SEALED", 250)
    intake = NotingIntake()
    await intake.request()
    assert await intake.sealed_now(handed())
    assert await intake.sealed_now(handed("u-2"))
    assert await refusal(intake, handed("u-3")) == "full"
    # A repeat is recognized all the same.
    assert not await intake.sealed_now(handed("u-2"))


async def test_without_the_log_or_the_key_nothing_is_sealed() -> None:
    intake = NotingIntake()
    await intake.request()
    intake.access_log.down = True
    with pytest.raises(AuditUnavailableError):
        await intake.sealed_now(handed())
    intake.access_log.down = False
    await intake.keys.destroy("r-1")
    with pytest.raises(VaultError):
        await intake.sealed_now(handed())
    assert intake.state().work_notes == ()


async def test_two_calls_at_once_seal_it_once() -> None:
    intake = NotingIntake()
    await intake.request()
    now = await asyncio.gather(*(intake.sealed_now(handed()) for _ in range(4)))
    assert sorted(now) == [False, False, False, True]
    assert len(intake.held()) == len(intake.state().work_notes) == 1


class Dying(InMemoryRecords[ServiceRequest]):
    """Dies at the next write, before or after it."""

    def __init__(self, after: bool) -> None:
        super().__init__()
        self.after = after
        self.dies = False

    async def commit(self, writes: Sequence[Write[ServiceRequest]]) -> set[str]:
        if not self.dies:
            return await super().commit(writes)
        self.dies = False
        if self.after:
            await super().commit(writes)
        raise ConnectionResetError


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after it"])
async def test_a_call_that_is_interrupted_may_be_repeated(after: bool) -> None:
    records = Dying(after)
    intake = NotingIntake(records)
    await intake.request()
    records.dies = True
    with pytest.raises(ConnectionResetError):
        await intake.sealed_now(handed())
    assert await intake.sealed_now(handed()) is not after
    assert [each["note"] for each in intake.held().values()] == [WORDS]
    assert len(intake.state().work_notes) == 1


# ---------------------------------------------------------------- who may


BODY = {"record_id": "r-1", "department": "parks", "update_id": "u-1", "note": WORDS}


async def test_routing_is_answered_201_and_then_200() -> None:
    intake = NotingIntake()
    await intake.request()
    http = intake.serve(work_notes_router(intake.seal, caller_of(intake.authenticator)))
    routing = bearer("service:svc-routing")
    answers = [http.post("/internal/work-notes", json=BODY, headers=routing) for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 200]
    assert answers[0].json() == answers[1].json() == {"record_id": "r-1", "update_id": "u-1"}
    other = http.post("/internal/work-notes", json={**BODY, "note": "x"}, headers=routing)
    assert (other.status_code, other.json()["type"]) == (
        409,
        "urn:direct311:problem:idempotency_key",
    )


@pytest.mark.parametrize(
    "token", ["service:svc-media", "service:svc-audit", "agent:ana", "department:dora"]
)
async def test_nobody_but_routing_brings_notes(token: str) -> None:
    intake = NotingIntake()
    await intake.request()
    http = intake.serve(work_notes_router(intake.seal, caller_of(intake.authenticator)))
    answer = http.post("/internal/work-notes", json=BODY, headers=bearer(token))
    assert answer.status_code == 403
    assert WORK_NOTES not in intake.state().sealed


@pytest.mark.parametrize(
    "wrong",
    [
        {"note": ""},
        {"note": "a" * 4_001},
        {"update_id": ""},
        {"department": "Parks & More"},
        {"record_id": "../r-1"},
        {"more": "x"},
    ],
    ids=str,
)
async def test_a_body_that_routing_never_sends_is_refused(wrong: dict[str, str]) -> None:
    intake = NotingIntake()
    await intake.request()
    http = intake.serve(work_notes_router(intake.seal, caller_of(intake.authenticator)))
    answer = http.post(
        "/internal/work-notes", json=BODY | wrong, headers=bearer("service:svc-routing")
    )
    assert answer.status_code == 422
    assert "Notburga" not in answer.text


# ---------------------------------------------------------------- who may read


@pytest.mark.parametrize(
    ("role", "purpose", "allowed"),
    [
        ("agent", "respond", True),
        ("custodian", "county_business", True),
        ("custodian", "retention", True),
        ("counsel", "county_business", True),
        ("auditor", "authorised_audit", True),
        ("custodian", "public_records", False),
        ("liaison", "law_enforcement", False),
        ("admin", "county_business", False),
        ("resident", "subject_access", False),
    ],
)
async def test_the_rules_say_who_opens_notes(role: str, purpose: str, allowed: bool) -> None:
    intake = NotingIntake()
    decision = intake.policy.decide(
        Caller("somebody", (role,), authentication="oidc"),
        purpose,
        [WORK_NOTES],
        RecordFacts("r-1", "parks"),
        reference="26-114 CA 01",
        justification="A tree has fallen on a house.",
        at=intake.clock.now(),
    )
    assert decision.allowed is allowed


@pytest.mark.parametrize(("department", "allowed"), [("parks", True), ("solid_waste", False)])
def test_a_department_opens_the_notes_of_its_own_requests(department: str, allowed: bool) -> None:
    intake = NotingIntake()
    for role in ("department", "inspector"):
        decision = intake.policy.decide(
            Caller("dora", (role,), department),
            "county_business",
            [WORK_NOTES],
            RecordFacts("r-1", "parks"),
            reference="WO-1",
            at=intake.clock.now(),
        )
        assert decision.allowed is allowed
