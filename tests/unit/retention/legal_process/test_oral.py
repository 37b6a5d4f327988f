"""Nobody was there to decide: what emergency staff opened, whom they told, and what must follow."""

from datetime import UTC, timedelta
from typing import Any

import pytest

from direct311.retention.cases.domain import CaseFile
from direct311.runtime.access.openings import opening_case
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.schemas import events as ev
from tests.unit.retention.cases.fakes import CaseDeskUnderTest
from tests.unit.retention.legal_process.fakes import AGENCY, CARLA, DORA, HASH, LARS, LegalOffice

pytestmark = [pytest.mark.anyio, pytest.mark.policy("P18")]

WORDS = "canary: told the sheriff's dispatcher the telephone number"


class Night(CaseDeskUnderTest):
    """The county at night: nobody but the duty officer."""

    def __init__(self) -> None:
        super().__init__()
        self.legal = LegalOffice(self)

    async def said(
        self, caller: Caller = DORA, agency: str | None = AGENCY, **more: Any
    ) -> CaseFile:
        given: dict[str, Any] = {
            "record_id": "r1",
            "opened_by": None,
            "opened_at": self.clock.now() - timedelta(hours=2),
            "threat": "life" if agency else None,
            "words": WORDS,
        }
        return await self.legal.oral.record(caller, agency=agency, **(given | more))


@pytest.fixture
async def night() -> Night:
    night = Night()
    await night.retention.eligible("r1", "r2")
    return night


async def test_what_was_told_is_a_case_that_an_instrument_must_follow(night: Night) -> None:
    state = await night.said()
    at = night.clock.now() - timedelta(hours=2)
    assert state.record_id == opening_case("dora", "r1", at.astimezone(UTC).date())
    assert (state.state, state.legal and state.legal.told_before) == ("released", True)
    assert state.legal is not None
    assert state.legal.follow_up_due_at == at + timedelta(hours=48)
    (link,) = state.legal.hand_overs
    assert (link.how, link.agency, link.handed_by, link.receipt) == ("oral", AGENCY, "dora", None)
    # The case is exempt, and its words are sealed.
    told = [each.data for each in night.files.said(state.record_id)]
    steps = [each for each in told if isinstance(each, ev.DisclosureRecorded)]
    assert [(each.step, each.exemption.exempt) for each in steps] == [("opened", True)]
    assert "canary" not in str(state.model_dump()) + str(told)
    assert (await night.desk.read_case(LARS, state.record_id)).request == WORDS


async def test_it_ends_with_the_instrument_and_the_receipt(night: Night) -> None:
    state = await night.said()
    case_id = state.record_id
    night.clock.at += timedelta(hours=46)
    assert list(await night.legal.follow_ups.overdue()) == [case_id]
    await night.legal.deposited(case_id)
    await night.legal.called(case_id, "follow_up", document=HASH)
    assert case_id not in await night.legal.follow_ups.overdue()
    assert state.legal is not None
    sha256 = state.legal.hand_overs[0].sha256
    await night.legal.custody.hand_over(LARS, case_id, "in_person", sha256, "SPD-9", "Det. Sample")
    assert night.files.state(case_id).state == "receipted"
    await night.preservation.identify(LARS, case_id, ["r1"], complete=True)
    closed = await night.desk.close(LARS, case_id, "full")
    assert closed.outcome == "full"


async def test_the_same_opening_is_said_once_and_nothing_else_about_it(night: Night) -> None:
    first = await night.said()
    again = await night.said(opened_at=night.clock.now() - timedelta(hours=1))
    assert (again.record_id, again.version) == (first.record_id, first.version)
    with pytest.raises(RefusedError) as refused:
        await night.said(agency=None)
    assert refused.value.code == "changed"


async def test_somebody_who_told_nobody_says_that_and_the_liaison_closes_the_file(
    night: Night,
) -> None:
    state = await night.said(agency=None)
    assert (state.state, state.legal and state.legal.awaits_follow_up) == ("received", False)
    closed = await night.desk.close(LARS, state.record_id, "withdrawn")
    assert closed.state == "closed"


async def test_the_desk_explains_what_somebody_else_opened_and_nobody_else_does(
    night: Night,
) -> None:
    with pytest.raises(RefusedError) as refused:
        await night.said(opened_by="maria")
    assert refused.value.code == "role"
    state = await night.said(caller=LARS, opened_by="dora")
    assert state.legal is not None
    assert state.legal.oral is not None
    assert state.legal.oral.opened_by == "dora"
    with pytest.raises(RefusedError):
        await night.desk.read_case(CARLA, state.record_id)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"record_id": "r9"}, "unknown_record"),
        ({"agency": "nobody"}, "agency"),
        ({"threat": "canary"}, "unlisted"),
        ({"threat": None}, "unlisted"),
        ({"agency": None, "threat": "life"}, "unlisted"),
    ],
)
async def test_what_is_in_no_list_is_refused(
    night: Night, change: dict[str, Any], code: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        await night.said(**change)
    assert refused.value.code == code
    assert "canary" not in str(refused.value)


async def test_nobody_says_what_will_be_opened(night: Night) -> None:
    with pytest.raises(RefusedError) as refused:
        await night.said(opened_at=night.clock.now() + timedelta(minutes=1))
    assert refused.value.code == "received_at"
