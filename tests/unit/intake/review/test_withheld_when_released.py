"""What was withheld of a record when it went out, whatever became of it since."""

import json

import pytest

from direct311.intake.review.domain.reviews import RecordReviews
from direct311.runtime.access.ledger import AuditUnavailableError
from direct311.runtime.access.rules import Caller
from direct311.runtime.vault.vault import DeniedError
from tests.support.disclosures import CASE, DAY
from tests.support.reviews import CARLA, RECORD, ReviewDesk

pytestmark = pytest.mark.anyio

OPERATION = "POST /internal/cases/{case_id}/leaks"
PLAIN = {"phone": "305-555-0142", "description": "Zora Neale barks at me.", "email": "z@x.example"}
NAME = "description:0-10"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def desk() -> ReviewDesk:
    desk = ReviewDesk()
    await desk.granted()
    await desk.request(PLAIN)
    await desk.review()
    return desk


async def released(desk: ReviewDesk, *items: str) -> str:
    """The hash of the decisions by which the record went out."""
    await desk.decide(*((each, "protected_person") for each in items))
    return (await desk.render()).decisions


async def then(
    desk: ReviewDesk, decisions: str, caller: Caller = CARLA
) -> set[tuple[str, bool, str]]:
    found = await desk.withheld.when_released(caller, CASE, RECORD, decisions, OPERATION)
    assert len(found) == len({*found})
    return {(each.field, each.whole, each.text) for each in found}


EVERYTHING = {("phone", True, PLAIN["phone"]), ("description", False, "Zora Neale")}


async def test_a_record_that_changed_since_is_known_as_it_was(desk: ReviewDesk) -> None:
    first = await released(desk, "phone", NAME)
    assert await then(desk, first) == EVERYTHING
    # Both texts change, and somebody reviews the record again and withholds something else.
    await desk.changed(PLAIN | {"phone": "786-555-0199", "description": "Nothing any more."})
    await desk.review()
    second = await released(desk, "email")
    assert second != first
    assert await then(desk, first) == EVERYTHING
    assert await then(desk, second) == {("email", True, PLAIN["email"])}


async def test_looking_is_an_access_of_the_person_under_the_grant(desk: ReviewDesk) -> None:
    decisions = await released(desk, "phone")
    before = len(desk.told)
    await then(desk, decisions)
    (event,) = desk.told[before:]
    assert (event.action, event.agent.id, event.why.case_id) == ("view", "carla", CASE)
    assert (event.where.operation, event.what.fields) == (OPERATION, ("phone",))
    with pytest.raises(DeniedError):
        await then(desk, decisions, Caller("vera", ("custodian",)))
    desk.intake.access_log.down = True
    with pytest.raises(AuditUnavailableError):
        await then(desk, decisions)


async def test_what_the_grant_does_not_name_any_more_is_refused(desk: ReviewDesk) -> None:
    decisions = await released(desk, "phone")
    desk.intake.clock.advance(2 * DAY)
    await desk.granted(grant_id="later", fields=("email",))
    with pytest.raises(DeniedError) as refused:
        await then(desk, decisions)
    assert refused.value.code == "refused:grant_fields"


async def test_nothing_withheld_opens_nothing(desk: ReviewDesk) -> None:
    decisions = await released(desk)
    before = len(desk.told)
    assert await then(desk, decisions) == set()
    assert len(desk.told) == before


async def test_a_record_that_is_gone_has_nothing_to_look_for(desk: ReviewDesk) -> None:
    found = await desk.withheld.when_released(CARLA, CASE, "gone", "0" * 64, OPERATION)
    assert list(found) == []


async def test_what_is_kept_is_sealed_and_no_text(desk: ReviewDesk) -> None:
    await released(desk, "phone", NAME)
    stored = desk.store.kept[RECORD].model_dump_json()
    assert "Zora" not in stored
    assert "0142" not in stored
    assert json.loads(stored)["cases"][CASE]["renderings"][-1]["kept"]


async def test_a_rendering_from_before_gives_what_has_not_changed(desk: ReviewDesk) -> None:
    decisions = await released(desk, "phone", NAME)
    older = desk.store.kept[RECORD].model_dump(mode="json")
    for each in older["cases"][CASE]["renderings"]:
        del each["kept"]
    desk.store.kept[RECORD] = RecordReviews.model_validate(older)
    assert await then(desk, decisions) == EVERYTHING
    await desk.changed(PLAIN | {"phone": "786-555-0199"})
    assert await then(desk, decisions) == {("description", False, "Zora Neale")}
