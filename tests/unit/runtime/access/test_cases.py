"""An access under a case: its event names the case, and nothing else shows a secret one."""

from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client import generate_latest

from direct311.runtime.access.cases import AccessCase
from direct311.runtime.access.ledger import FURTHER, Access, AuditUnavailableError, Ledger
from direct311.runtime.access.refusals import RefusalLimits
from direct311.runtime.access.rules import Caller, Decision
from direct311.runtime.telemetry import Metrics
from direct311.schemas.secrecy import NO_END
from tests.support.access_log import InMemoryAccessLog
from tests.support.no_trace import WORDS, traces_in
from tests.support.runtime import NOW, SetClock
from tests.support.service_under_test import ServiceUnderTest, unmasked

pytestmark = pytest.mark.anyio
CASE = "0195567e-8f00-7000-8000-0000000000ca"
UNTIL = NOW + timedelta(days=30)
ALLOWED = Decision(
    allowed=True,
    rule_id="test",
    needed="",
    fields=("phone",),
    obligations=(),
    policy_hash="",
    legal_basis=None,
)
REFUSED = replace(ALLOWED, allowed=False, rule_id="refused:test", needed="A case.", fields=())
OPEN = Access(Caller("maria", ("agent",)), "view", "respond", "GET /x", ("phone",), ("r-1",))
SECRET = replace(
    OPEN,
    caller=Caller("officer", ("liaison",)),
    purpose="law_enforcement",
    case=AccessCase(CASE, UNTIL),
)


class Recording:
    """A ledger whose metrics can be read."""

    def __init__(self) -> None:
        service = ServiceUnderTest()
        self.access_log, self.metrics, self.clock = InMemoryAccessLog(), Metrics(), SetClock(NOW)
        self.ledger = Ledger(
            service="intake",
            instance="intake-1",
            version="1",
            publisher=self.access_log,
            signer=service.event_signer,
            clock=self.clock,
            ids=service.ids,
            metrics=self.metrics,
            mask=unmasked,
            limits=RefusalLimits(kinds_of_a_session=2, first_of_a_session=2),
        )

    def counted(self) -> str:
        lines = generate_latest(self.metrics.registry).decode().splitlines()
        return "\n".join(each for each in lines if each.startswith("direct311_pii_accesses_total"))


@pytest.fixture
def recording() -> Recording:
    return Recording()


@pytest.mark.parametrize("until", [None, UNTIL, NO_END])
async def test_the_event_names_the_case_and_until_when_it_is_exempt(
    recording: Recording, until: object
) -> None:
    case = AccessCase(CASE, until)  # type: ignore[arg-type]
    await recording.ledger.write(replace(SECRET, case=case), ALLOWED, "success")
    await recording.ledger.refuse(replace(SECRET, case=case), REFUSED)
    for event in recording.access_log.events():
        assert (event.why.case_id, event.retention.exempt_until) == (CASE, until)


async def test_without_a_case_the_event_names_none(recording: Recording) -> None:
    await recording.ledger.write(OPEN, ALLOWED, "success")
    (event,) = recording.access_log.events()
    assert (event.why.case_id, event.retention.exempt_until) == (None, None)


@pytest.mark.parametrize(
    "access",
    [
        SECRET,
        replace(SECRET, case=None),
        replace(SECRET, purpose="county_business", case=None),
        replace(SECRET, caller=Caller("cora", ("counsel",)), purpose="county_business"),
    ],
)
async def test_metrics_count_a_secret_access_without_its_purpose(
    recording: Recording, access: Access
) -> None:
    await recording.ledger.write(access, ALLOWED, "success")
    await recording.ledger.refuse(access, REFUSED)
    recording.access_log.down = True
    with pytest.raises(AuditUnavailableError):
        await recording.ledger.write(access, ALLOWED, "success")
    counted = recording.counted()
    assert traces_in({"metrics": counted}, (*WORDS, "county_business")) == []
    for outcome in ("success", "denied", "unwritten"):
        assert f'{{outcome="{outcome}",purpose="none"}} 1.0' in counted


async def test_metrics_count_any_other_access_with_its_purpose(recording: Recording) -> None:
    plain = replace(OPEN, purpose="public_records", case=AccessCase(CASE))
    await recording.ledger.write(plain, ALLOWED, "success")
    assert '{outcome="success",purpose="public_records"} 1.0' in recording.counted()


async def test_an_event_for_many_refusals_does_not_name_the_records_of_secret_ones(
    recording: Recording,
) -> None:
    for number in range(9):
        await recording.ledger.refuse(replace(SECRET, record_ids=(f"r-{number}",)), REFUSED)
    open_one = replace(OPEN, caller=SECRET.caller)
    open_one = replace(open_one, caller=Caller("officer", ("agent", "liaison")))
    for number in range(9):
        await recording.ledger.refuse(replace(open_one, record_ids=(f"s-{number}",)), REFUSED)
    recording.clock.at += timedelta(minutes=1)
    await recording.ledger.flush()
    events = recording.access_log.events()
    own = [each for each in events if each.where.operation != FURTHER]
    assert {each.retention.exempt_until for each in own if each.why.purpose != "respond"} == {UNTIL}
    further = [each for each in events if each.where.operation == FURTHER]
    named = {record for each in further for record in each.what.record_ids}
    assert named
    assert not any(record.startswith("r-") for record in named)
    assert sum(each.count or 1 for each in events) == 18


async def test_repeats_count_for_their_own_case(recording: Recording) -> None:
    other = replace(SECRET, case=AccessCase("another", NO_END))
    for access in (SECRET, other, SECRET, other):
        await recording.ledger.refuse(access, REFUSED)
    recording.clock.at += timedelta(minutes=1)
    await recording.ledger.flush()
    told = [
        (each.why.case_id, each.retention.exempt_until, each.count)
        for each in recording.access_log.events()
    ]
    assert sorted(told, key=str) == sorted(
        [(CASE, UNTIL, None), (CASE, UNTIL, 1), ("another", NO_END, None), ("another", NO_END, 1)],
        key=str,
    )
