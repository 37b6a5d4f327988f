"""Numbers whose event failed are filled, some at a time."""

from collections.abc import Sequence

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from direct311.runtime.access.ledger import Access, AuditUnavailableError, Ledger
from direct311.runtime.access.rules import Caller, Decision
from direct311.runtime.clock import SystemClock, TimeOrderedIds
from direct311.runtime.messaging.records import Entry
from direct311.runtime.messaging.signing import Signer
from direct311.runtime.telemetry import Metrics
from direct311.schemas import decode
from direct311.schemas import events as ev

pytestmark = pytest.mark.anyio


class Publisher:
    def __init__(self) -> None:
        self.down = False
        self.sent: list[ev.PiiAccessed] = []

    async def publish_one(self, entry: Entry, seconds: float) -> None:
        if self.down:
            raise TimeoutError
        data = decode(entry.message.headers, entry.message.body).data
        assert isinstance(data, ev.PiiAccessed)
        self.sent.append(data)

    def numbers(self) -> Sequence[tuple[str, int | None]]:
        return [(each.action, each.time.sequence) for each in self.sent]


async def test_numbers_are_filled_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "FILLED_AT_ONCE", 3)
    publisher = Publisher()
    ledger = Ledger(
        service="intake",
        instance="intake-1",
        version="1",
        publisher=publisher,
        signer=Signer("intake", Ed25519PrivateKey.generate()),
        clock=SystemClock(),
        ids=TimeOrderedIds(),
        metrics=Metrics(),
        mask=str,
    )
    access = Access(Caller("ana", ("agent",)), "view", "respond", "test", ("phone",), ("r",))
    decision = Decision(
        allowed=True,
        rule_id="test",
        needed="",
        fields=("phone",),
        obligations=(),
        policy_hash="",
        legal_basis=None,
    )
    await ledger.write(access, decision, "success")
    publisher.down = True
    for _ in range(5):
        with pytest.raises(AuditUnavailableError):
            await ledger.write(access, decision, "success")
    publisher.down = False
    await ledger.fill()
    assert publisher.numbers() == [("view", 1), ("void", 2), ("void", 3), ("void", 4)]
    await ledger.write(access, decision, "success")
    await ledger.fill()
    await ledger.fill()
    assert publisher.numbers()[4:] == [("view", 7), ("void", 5), ("void", 6)]
