"""Numbers whose event failed are filled, some at a time."""

from collections.abc import Sequence

import pytest

from direct311.runtime.access.ledger import Access, AuditUnavailableError, Ledger
from direct311.runtime.access.rules import Caller, Decision
from tests.support.access_log import InMemoryAccessLog
from tests.support.service_under_test import ServiceUnderTest

pytestmark = pytest.mark.anyio


def numbers(access_log: InMemoryAccessLog) -> Sequence[tuple[str, int | None]]:
    return [(each.action, each.time.sequence) for each in access_log.events()]


async def test_numbers_are_filled_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "FILLED_AT_ONCE", 3)
    intake = ServiceUnderTest()
    ledger, access_log = intake.ledger, intake.access_log
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
    access_log.down = True
    for _ in range(5):
        with pytest.raises(AuditUnavailableError):
            await ledger.write(access, decision, "success")
    access_log.down = False
    await ledger.fill()
    assert numbers(access_log) == [("view", 1), ("void", 2), ("void", 3), ("void", 4)]
    await ledger.write(access, decision, "success")
    await ledger.fill()
    await ledger.fill()
    assert numbers(access_log)[4:] == [("view", 7), ("void", 5), ("void", 6)]
