"""What a case's decisions withhold of a record: what every `Withheld` promises."""

from collections.abc import Sequence
from typing import Any

import pytest

from direct311.intake.leaks.domain import WithheldText
from direct311.intake.leaks.ports import Withheld
from direct311.runtime.access.ledger import AuditUnavailableError
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.vault.vault import DeniedError
from tests.support.disclosures import CASE, DAY, Office, grant
from tests.support.intake import IntakeUnderTest
from tests.support.intake_stores import InMemoryRequests
from tests.support.withheld import InMemoryWithheld

pytestmark = pytest.mark.anyio

LIA = Caller("lia", ("custodian",), via="svc:retention")
OPERATION = "POST /internal/cases/{case_id}/leaks"
TEXT = "Zora barks at me."
PERSON = {"phone": "305-555-0142", "description": TEXT}


class WithholdingIntake(IntakeUnderTest):
    """A record whose telephone is withheld, and a name in its description; of another, nothing."""

    withheld: Withheld

    async def set_up(self) -> None:
        self.office = Office(self.clock)
        now = self.clock.now()
        given = grant(
            prepared_at=now, valid_until=now + DAY, record_ids=("r-1", "r-2", "r-4"), file_ids=()
        )
        assert await self.office.say(self.office.approved(given)) == []
        for record_id in ("r-1", "r-2", "r-3"):
            await self.request(record_id, PERSON)
        fake = InMemoryWithheld(InMemoryRequests(self.records), self.vault, self.office.owner)
        fake.decided["r-1"] = {"phone": None, "description": [(0, 4), (0, 4)]}
        self.withheld = fake

    async def of(self, record_id: str, caller: Caller = LIA) -> Sequence[WithheldText]:
        return await self.withheld.of(caller, CASE, record_id, OPERATION)


@pytest.fixture
async def intake() -> WithholdingIntake:
    intake = WithholdingIntake()
    await intake.set_up()
    return intake


async def test_each_withheld_text_comes_once_after_an_entry(intake: WithholdingIntake) -> None:
    found = {(each.field, each.whole, each.text) for each in await intake.of("r-1")}
    assert found == {("phone", True, PERSON["phone"]), ("description", False, "Zora")}
    assert len(await intake.of("r-1")) == len(found)
    (event, _) = intake.access_log.events()
    assert (event.where.operation, event.what.record_ids) == (OPERATION, ("r-1",))
    assert (event.why.case_id, event.agent.on_behalf_of) == (CASE, "svc:retention")


async def test_a_record_of_which_all_goes_out_has_none(intake: WithholdingIntake) -> None:
    assert list(await intake.of("r-2")) == []


@pytest.mark.parametrize(
    ("record_id", "caller", "code"),
    [
        ("r-3", LIA, "refused:grant_records"),
        ("r-1", Caller("vera", ("custodian",)), "refused:disclosure_case"),
        ("r-4", LIA, "not_found"),
    ],
)
async def test_nothing_comes_without_a_grant(
    intake: WithholdingIntake, record_id: str, caller: Caller, code: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        await intake.of(record_id, caller)
    assert refused.value.code == code
    assert isinstance(refused.value, DeniedError) == code.startswith("refused:")
    assert intake.keys.fetches == []


async def test_what_was_withheld_at_a_release_needs_a_grant_and_an_entry_too(
    intake: WithholdingIntake,
) -> None:
    then = {"phone": None}
    assert isinstance(intake.withheld, InMemoryWithheld)
    intake.withheld.released["r-1", "d"] = then
    ask = intake.withheld.when_released
    (found,) = await ask(LIA, CASE, "r-1", "d", OPERATION)
    assert (found.field, found.whole, found.text) == ("phone", True, PERSON["phone"])
    assert intake.access_log.events()[-1].what.record_ids == ("r-1",)
    assert list(await ask(LIA, CASE, "r-4", "d", OPERATION)) == []
    with pytest.raises(DeniedError):
        await ask(Caller("vera", ("custodian",)), CASE, "r-1", "d", OPERATION)


async def test_without_the_log_nothing_is_opened(intake: WithholdingIntake) -> None:
    intake.access_log.down = True
    with pytest.raises(AuditUnavailableError):
        await intake.of("r-1")
    assert intake.keys.fetches == []


def test_a_withheld_text_does_not_show_itself() -> None:
    shown: Any = WithheldText("phone", True, "Canary")
    assert "Canary" not in f"{shown}{shown!r}"
