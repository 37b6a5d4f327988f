"""The one door: written down before it is read, and closed when it cannot be written."""

import asyncio
import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from direct311.runtime.access.ledger import Access, AuditUnavailableError
from direct311.runtime.access.rules import (
    AccessPolicy,
    Caller,
    Rate,
    RecordFacts,
    load_access_policy,
)
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.http.problem_codes import status_of
from direct311.runtime.messaging.signing import Principals, PublicKey, SignatureError, Signer
from direct311.runtime.storage.database import DatabaseError
from direct311.runtime.vault.keys import FileKeyProvider, KeyProviderError
from direct311.runtime.vault.vault import DeniedError, RecordKey, VaultError
from direct311.schemas import decode
from tests.support.service_under_test import ServiceUnderTest

pytestmark = pytest.mark.anyio
PHONE = b"+1 305 555 0142"
AGENT = Caller("agent-7", ("agent",))
STRANGER = Caller("nobody", ())


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class SealingService(ServiceUnderTest):
    """A service that seals telephone numbers. `agents`: how much one agent may open."""

    def __init__(self, agents: str = "1200/hour") -> None:
        self.private = Ed25519PrivateKey.generate()
        super().__init__(
            signer=Signer("intake-1", self.private),
            mask=lambda text: text.replace("305", "[number]"),
            policy=_rules(agents),
        )

    async def record(self, record_id: str) -> dict[str, bytes]:
        key, data_key = await self.vault.new_key(record_id)
        await self.keys.insert([key])
        return {"phone": data_key.seal("phone", PHONE)}


def _rules(agents: str) -> AccessPolicy:
    """The packaged rules with another rate for one agent."""
    policy = load_access_policy()
    rate = Rate(person=agents, role="30000/hour")
    roles = tuple(
        role.model_copy(update={"rate": rate}) if role.role == "agent" else role
        for role in policy.rules.roles
    )
    return AccessPolicy(policy.rules.model_copy(update={"roles": roles}), policy.hash)


def asking(record_id: str, caller: Caller = AGENT, purpose: str = "respond") -> Access:
    return Access(
        caller,
        action="view",
        purpose=purpose,
        operation="test",
        fields=("phone",),
        record_ids=(record_id,),
        justification="call back about 305",
    )


async def test_what_was_sealed_opens_and_the_event_names_no_value() -> None:
    service = SealingService()
    sealed = await service.record("r1")
    assert PHONE not in sealed["phone"]
    opened = await service.vault.open(asking("r1"), RecordFacts("r1"), sealed)
    assert opened == {"phone": PHONE}
    (event,) = service.access_log.events()
    assert (event.outcome, event.what.fields, event.what.record_ids) == (
        "success",
        ("phone",),
        ("r1",),
    )
    assert event.why.justification == "call back about [number]"
    assert PHONE not in service.access_log.entries[0].message.body
    assert [fetch.event_id for fetch in service.keys.fetches] == [service.access_log.entries[0].id]


@pytest.mark.policy("P20")
async def test_a_log_that_cannot_be_written_keeps_the_door_closed() -> None:
    service = SealingService()
    sealed = await service.record("r1")
    service.access_log.down = True
    with pytest.raises(AuditUnavailableError) as caught:
        await service.vault.open(asking("r1"), RecordFacts("r1"), sealed)
    assert (status_of(caught.value), caught.value.retry_after) == (503, 5)
    assert service.keys.fetches == []


@pytest.mark.policy("P4")
async def test_a_refusal_is_written_down_and_opens_nothing() -> None:
    service = SealingService()
    sealed = await service.record("r1")
    with pytest.raises(DeniedError) as caught:
        await service.vault.open(asking("r1", STRANGER), RecordFacts("r1"), sealed)
    assert status_of(caught.value) == 403
    (event,) = service.access_log.events()
    assert (event.outcome, event.what.record_ids) == ("denied", ("r1",))
    assert service.keys.fetches == []


async def test_a_refusal_names_only_what_is_on_the_lists() -> None:
    service = SealingService()
    sealed = await service.record("r1")
    made_up = replace(asking("r1", purpose="Maria Lopez"), fields=("phone", "Maria Lopez"))
    with pytest.raises(DeniedError):
        await service.vault.open(made_up, RecordFacts("r1"), sealed)
    (event,) = service.access_log.events()
    assert (event.why.purpose, event.what.fields) == ("unknown", ("phone",))
    assert b"Maria" not in service.access_log.entries[0].message.body


async def test_a_refusal_that_cannot_be_written_says_so() -> None:
    service = SealingService()
    sealed = await service.record("r1")
    service.access_log.down = True
    with pytest.raises(AuditUnavailableError):
        await service.vault.open(asking("r1", STRANGER), RecordFacts("r1"), sealed)


@pytest.mark.parametrize("purpose", ["marketing", "sale", "public_records", "law_enforcement"])
async def test_no_purpose_outside_the_policy_opens_anything(purpose: str) -> None:
    service = SealingService()
    sealed = await service.record("r1")
    with pytest.raises(RefusedError):
        await service.vault.open(asking("r1", purpose=purpose), RecordFacts("r1"), sealed)
    assert service.keys.fetches == []


async def test_a_shredded_key_opens_nothing_and_the_failure_is_written_down() -> None:
    service = SealingService()
    sealed = await service.record("r1")
    await service.keys.destroy("r1")
    with pytest.raises(VaultError):
        await service.vault.open(asking("r1"), RecordFacts("r1"), sealed)
    first, second = service.access_log.events()
    assert (first.outcome, second.outcome) == ("success", "error")
    assert second.correlation.cause == service.access_log.entries[0].id


async def test_records_are_opened_together_under_one_event_and_only_what_was_decided() -> None:
    service = SealingService()
    sealed = {name: await service.record(name) for name in ("r1", "r2", "r3", "r4")}
    other = {"email": sealed["r1"]["phone"]}
    sealed["r3"] = {"phone": sealed["r1"]["phone"]}
    await service.keys.destroy("r4")
    asked = replace(asking("r1"), record_ids=tuple(sealed))
    opened = await service.vault.open_each(
        asked, RecordFacts(), {**sealed, "r2": sealed["r2"] | other}
    )
    assert opened == {"r1": {"phone": PHONE}, "r2": {"phone": PHONE}}
    first, *failures = service.access_log.events()
    assert first.what.record_ids == tuple(sealed)
    assert {(each.outcome, each.what.record_ids) for each in failures} == {
        ("error", ("r3",)),
        ("error", ("r4",)),
    }
    assert [fetch.record_id for fetch in service.keys.fetches] == ["r1", "r2", "r3"]


async def test_records_are_not_opened_together_by_who_may_open_none_of_them() -> None:
    service = SealingService()
    sealed = {"r1": await service.record("r1")}
    with pytest.raises(DeniedError):
        await service.vault.open_each(asking("r1", STRANGER), RecordFacts(), sealed)
    assert service.keys.fetches == []


async def test_bytes_that_do_not_open_are_written_down_too() -> None:
    """`success` means authorised: what then fails is told by a second event."""
    service = SealingService()
    sealed = await service.record("r1")
    changed = {"phone": sealed["phone"][:-1] + bytes([sealed["phone"][-1] ^ 1])}
    with pytest.raises(VaultError):
        await service.vault.open(asking("r1"), RecordFacts("r1"), changed)
    first, second = service.access_log.events()
    assert (first.outcome, second.outcome) == ("success", "error")
    assert second.correlation.cause == service.access_log.entries[0].id


async def test_bytes_that_do_not_open_with_an_unlocked_key_are_written_down_too() -> None:
    service = SealingService()
    sealed = await service.record("r1")
    with pytest.raises(VaultError):
        async with service.vault.unlock(asking("r1"), RecordFacts("r1")) as key:
            key.open("email", sealed["phone"])
    first, second = service.access_log.events()
    assert (first.outcome, second.outcome) == ("success", "error")
    assert second.correlation.cause == service.access_log.entries[0].id
    assert second.decision.reason == "VaultError"
    assert second.what.record_ids == ("r1",)


async def test_an_unlocked_key_opens_and_seals_under_one_event_written_down_first() -> None:
    service = SealingService()
    sealed = await service.record("r1")
    async with service.vault.unlock(asking("r1"), RecordFacts("r1")) as key:
        assert key.open("phone", sealed["phone"]) == PHONE
        again = key.seal("phone", PHONE)
    assert [event.outcome for event in service.access_log.events()] == ["success"]
    assert await service.vault.open(asking("r1"), RecordFacts("r1"), {"phone": again})
    service.access_log.down = True
    with pytest.raises(AuditUnavailableError):
        async with service.vault.unlock(asking("r1"), RecordFacts("r1")):
            raise AssertionError("no key is given before the event is durable")


async def test_what_else_goes_wrong_with_an_unlocked_key_is_no_failure_to_open() -> None:
    service = SealingService()
    await service.record("r1")
    with pytest.raises(TransientError):
        async with service.vault.unlock(asking("r1"), RecordFacts("r1")):
            raise TransientError("away")
    assert [event.outcome for event in service.access_log.events()] == ["success"]


@pytest.mark.parametrize("error", [TransientError("away"), DatabaseError("away"), OSError("away")])
async def test_a_fetch_that_fails_is_written_down_and_may_be_tried_again(error: Exception) -> None:
    service = SealingService()
    sealed = await service.record("r1")

    async def fail(record_id: str, event_id: str, at: datetime) -> RecordKey | None:
        raise error

    service.keys.fetch = fail  # type: ignore[method-assign]
    with pytest.raises(type(error)):
        await service.vault.open(asking("r1"), RecordFacts("r1"), sealed)
    first, second = service.access_log.events()
    assert (first.outcome, second.outcome) == ("success", "error")
    assert second.correlation.cause == service.access_log.entries[0].id
    assert second.decision.reason == type(error).__name__


async def test_a_fetch_that_fails_as_the_log_does_says_what_failed_first() -> None:
    service = SealingService()
    sealed = await service.record("r1")

    async def fail(record_id: str, event_id: str, at: datetime) -> RecordKey | None:
        service.access_log.down = True
        raise TransientError("away")

    service.keys.fetch = fail  # type: ignore[method-assign]
    with pytest.raises(TransientError):
        await service.vault.open(asking("r1"), RecordFacts("r1"), sealed)


async def test_a_ciphertext_belongs_to_its_record_and_field() -> None:
    service = SealingService()
    sealed = await service.record("r1")
    await service.record("r2")
    with pytest.raises(VaultError):
        await service.vault.open(asking("r2"), RecordFacts("r2"), sealed)
    moved = {"email": sealed["phone"]}
    access = Access(
        AGENT, "view", "respond", "test", ("email",), ("r1",), justification="call back now"
    )
    with pytest.raises(VaultError):
        await service.vault.open(access, RecordFacts("r1"), moved)


async def test_access_events_are_numbered_without_a_gap() -> None:
    service = SealingService()
    sealed = await service.record("r1")
    for _ in range(3):
        await service.vault.open(asking("r1"), RecordFacts("r1"), sealed)
    events = service.access_log.events()
    assert [event.time.sequence for event in events] == [1, 2, 3]
    assert len({event.time.producer for event in events}) == 1


async def test_an_access_event_is_signed_by_its_service() -> None:
    service = SealingService()
    sealed = await service.record("r1")
    await service.vault.open(asking("r1"), RecordFacts("r1"), sealed)
    message = service.access_log.entries[0].message
    public = service.private.public_key()
    always = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC))
    principals = Principals({"intake-1": PublicKey("intake-1", "intake", public, *always)})
    event = decode(message.headers, message.body)
    assert principals.check(event, message.headers, message.body) == "intake"
    with pytest.raises(SignatureError):
        principals.check(event, message.headers, message.body.replace(b"agent-7", b"agent-8"))
    stranger = Principals({"intake-1": PublicKey("intake-1", "media", public, *always)})
    with pytest.raises(SignatureError):
        stranger.check(event, message.headers, message.body)


async def test_a_wrong_key_file_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "kek.json"
    wrong: tuple[object, ...] = (
        {"keys": {}},
        {"current": "a", "keys": {}},
        {"current": "a", "keys": {"a": "AAAA"}},
        [],
    )
    for document in wrong:
        path.write_text(json.dumps(document))
        with pytest.raises(KeyProviderError):
            FileKeyProvider.from_file(path)
    path.write_text(
        json.dumps({"current": "a", "keys": {"a": base64.b64encode(bytes(32)).decode()}})
    )
    assert await FileKeyProvider.from_file(path).current() == "a"


async def test_a_key_wrapped_by_another_key_does_not_open() -> None:
    one = FileKeyProvider("kek-1", {"kek-1": bytes(32)})
    other = FileKeyProvider("kek-1", {"kek-1": bytes([1]) * 32})
    key_id, wrapped = await one.wrap(bytes(32), "r1")
    assert await one.unwrap(key_id, wrapped, "r1") == bytes(32)
    with pytest.raises(KeyProviderError):
        await other.unwrap(key_id, wrapped, "r1")
    with pytest.raises(KeyProviderError):
        await one.unwrap(key_id, wrapped, "r2")


# --- numbers that were not sent


async def test_events_of_a_process_lie_in_one_partition_whatever_they_are_about() -> None:
    service = SealingService()
    for record_id in ("r1", "r2"):
        await service.vault.open(
            asking(record_id), RecordFacts(record_id), await service.record(record_id)
        )
    messages = [entry.message for entry in service.access_log.entries]
    assert {message.key for message in messages} == {service.ledger.producer.encode()}
    assert [message.headers["ce_subject"] for message in messages] == ["r1", "r2"]


async def test_a_number_that_was_not_sent_is_filled_by_a_void_event() -> None:
    service = SealingService()
    sealed = await service.record("r1")
    service.access_log.down = True
    for _ in range(2):
        with pytest.raises(AuditUnavailableError):
            await service.vault.open(asking("r1"), RecordFacts("r1"), sealed)
    with pytest.raises(TimeoutError):
        await service.ledger.fill()
    service.access_log.down = False
    await service.vault.open(asking("r1"), RecordFacts("r1"), sealed)
    await service.ledger.fill()
    await service.ledger.fill()
    events = service.access_log.events()
    assert sorted(event.time.sequence for event in events) == [1, 2, 3]
    assert [event.action for event in events] == ["view", "void", "void"]
    assert all(event.what.record_ids == () for event in events if event.action == "void")


async def test_what_cannot_be_an_event_uses_no_number() -> None:
    service = SealingService()
    sealed = await service.record("r1")
    with pytest.raises(ValidationError):
        await service.vault.open(asking("no such/id"), RecordFacts("r1"), sealed)
    await service.vault.open(asking("r1"), RecordFacts("r1"), sealed)
    await service.ledger.fill()
    assert [event.time.sequence for event in service.access_log.events()] == [1]


async def test_a_caller_who_hangs_up_leaves_no_gap() -> None:
    service = SealingService()
    sealed = await service.record("r1")
    service.access_log.hangs = True
    opening = asyncio.ensure_future(service.vault.open(asking("r1"), RecordFacts("r1"), sealed))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    service.access_log.hangs = False
    await service.ledger.fill()
    assert [(e.time.sequence, e.action) for e in service.access_log.events()] == [(1, "void")]
    assert service.keys.fetches == []


# --- what must be said, and how often


async def test_a_reason_that_is_missing_is_named_and_the_refusal_written_down() -> None:
    service = SealingService()
    sealed = await service.record("r1")
    for purpose, field in (
        ("county_business", "reference"),
        ("emergency_assistance", "justification"),
    ):
        unsaid = replace(asking("r1", purpose=purpose), justification=None)
        with pytest.raises(DeniedError) as caught:
            await service.vault.open(unsaid, RecordFacts("r1"), sealed)
        assert (status_of(caught.value), caught.value.field) == (422, field)
    assert [event.outcome for event in service.access_log.events()] == ["denied"] * 2
    assert service.keys.fetches == []


async def test_too_many_openings_are_refused_for_a_while_and_written_down() -> None:
    service = SealingService(agents="2/hour")
    sealed = await service.record("r1")
    for _ in range(2):
        await service.vault.open(asking("r1"), RecordFacts("r1"), sealed)
    with pytest.raises(DeniedError) as caught:
        await service.vault.open(asking("r1"), RecordFacts("r1"), sealed)
    assert status_of(caught.value) == 429
    assert caught.value.retry_after is not None
    assert 3_590 < caught.value.retry_after <= 3_600
    last = service.access_log.events()[-1]
    assert (last.outcome, last.decision.rule) == ("denied", "refused:rate")
    assert len(service.keys.fetches) == 2


async def test_the_event_says_how_sensitive_the_fields_are() -> None:
    service = SealingService()
    sealed = await service.record("r1")
    await service.vault.open(asking("r1"), RecordFacts("r1"), sealed)
    text = replace(asking("r1"), fields=("description",))
    await service.vault.open(text, RecordFacts("r1"), {})
    with pytest.raises(DeniedError):
        await service.vault.open(asking("r1", STRANGER), RecordFacts("r1"), sealed)
    assert [event.what.sensitivity for event in service.access_log.events()] == [
        "contact",
        "content",
        "contact",
    ]
