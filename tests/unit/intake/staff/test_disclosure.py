"""For a disclosure case, staff open at the gateway what its grant names, and the entry names the
case."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, cast

import pytest

from direct311.intake.lifecycle.ports import Requests
from direct311.intake.staff.handlers.contact import Contact
from direct311.runtime.access.rules import Caller
from direct311.runtime.vault.vault import DeniedError
from direct311.schemas import events as ev
from tests.support.disclosures import CASE, DAY, Office, grant
from tests.support.reporters import ReporterIntake

pytestmark = pytest.mark.anyio

RECORD = "record-1"
PERSON = {"first_name": "Maria", "phone": "+13055550100", "email": "maria@example.org"}
LIA = Caller("lia", ("custodian",))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Desk:
    """The gateway's staff calls, and a retention that grants."""

    def __init__(self) -> None:
        self.intake = ReporterIntake()
        self.office = Office(self.intake.clock)
        requests = cast(Requests, self.intake.requests)
        self.contact = Contact(requests, self.intake.vault, self.intake.indexes, self.office.owner)

    async def granted(self, **changes: Any) -> None:
        now = self.intake.clock.now()
        given = {"prepared_at": now, "valid_until": now + DAY} | changes
        assert await self.office.say(self.office.approved(grant(**given))) == []

    async def read(
        self, *fields: str, caller: Caller = LIA, purpose: str = "public_records"
    ) -> Mapping[str, str]:
        return await self.contact.read(
            caller,
            RECORD,
            purpose=purpose,
            fields=fields,
            reference=CASE,
            justification=None,
            operation="POST /v1/requests/{record_id}/contact",
        )

    @property
    def told(self) -> Sequence[ev.PiiAccessed]:
        return self.intake.access_log.events()


@pytest.fixture
async def desk() -> Desk:
    desk = Desk()
    await desk.intake.request(RECORD, PERSON)
    return desk


@pytest.mark.policy("P13")
async def test_what_the_case_names_opens_and_the_entry_names_the_case(desk: Desk) -> None:
    await desk.granted()
    assert await desk.read("phone") == {"phone": PERSON["phone"]}
    (event,) = desk.told
    assert (event.outcome, event.why.case_id) == ("success", CASE)
    assert event.retention.exempt_until is None


async def test_an_access_for_an_exempt_case_is_withheld_as_long(desk: Desk) -> None:
    until = desk.intake.clock.now() + timedelta(days=30)
    exemption = ev.CaseExemption(exempt=True, until=until)
    given = grant(kind="law_enforcement", prepared_at=desk.intake.clock.now())
    await desk.office.say(desk.office.approved(given, exemption=exemption))
    await desk.read("phone", caller=Caller("lia", ("liaison",)), purpose="law_enforcement")
    with pytest.raises(DeniedError):
        await desk.read("email", caller=Caller("lia", ("liaison",)), purpose="law_enforcement")
    assert [event.outcome for event in desk.told] == ["success", "denied"]
    assert {event.retention.exempt_until for event in desk.told} == {until}


@pytest.mark.parametrize(
    ("changes", "fields", "rule"),
    [
        ({}, ("email",), "grant_fields"),
        ({"record_ids": ("record-2",)}, ("phone",), "grant_records"),
        ({"case_id": "case-2"}, ("phone",), "disclosure_case"),
        ({"workers": ("vera",)}, ("phone",), "disclosure_case"),
        ({"kind": "law_enforcement"}, ("phone",), "grant_kind"),
    ],
)
async def test_nothing_else_opens(
    desk: Desk, changes: dict[str, Any], fields: tuple[str, ...], rule: str
) -> None:
    await desk.granted(**changes)
    with pytest.raises(DeniedError) as refused:
        await desk.read(*fields)
    assert refused.value.code == f"refused:{rule}"
    assert [event.outcome for event in desk.told] == ["denied"]


async def test_a_revoked_or_expired_grant_refuses_at_once(desk: Desk) -> None:
    await desk.granted()
    await desk.read("phone")
    await desk.office.say(desk.office.revoked())
    with pytest.raises(DeniedError) as refused:
        await desk.read("phone")
    assert refused.value.code == "refused:grant_revoked"
    desk.intake.clock.at += DAY
    await desk.granted(grant_id="grant-2")
    desk.intake.clock.at += DAY
    with pytest.raises(DeniedError) as refused:
        await desk.read("phone")
    assert refused.value.code == "refused:grant_expired"
