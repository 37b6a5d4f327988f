"""The first version of updates is read as before: its published examples get the same answers."""

import json

import pytest

from direct311.runtime.messaging.broker import Received
from direct311.schemas import decode, updates_topic
from direct311.schemas import events as ev
from direct311.schemas.published import FOLDER
from tests.unit.routing.work.test_consumers import RoutingUnderTest

pytestmark = pytest.mark.anyio


async def given(name: str) -> tuple[RoutingUnderTest, Received]:
    """Routing when the example is sent, and the example."""
    routing, one = RoutingUnderTest(), golden(name)
    routing.clock.at = one.event.time
    await routing.job(one.event.subject, department="public_works")
    return routing, one


def golden(name: str) -> Received:
    found = json.loads((FOLDER / "examples" / f"department.update.v1.{name}.json").read_text())
    headers, body = found["headers"], json.dumps(found["data"]).encode()
    event = decode(headers, body)
    return Received(event, headers, body, updates_topic("public_works"), 0, 0)


async def test_the_minimal_example_is_accepted_and_answered_in_its_own_version() -> None:
    routing, one = await given("minimal")
    assert await routing.process([one]) == []
    accepted, work = await routing.answers()
    assert isinstance(accepted, ev.UpdateAccepted)
    assert isinstance(work, ev.WorkUpdated)


async def test_the_full_example_repeats_itself_and_is_refused_in_its_own_version() -> None:
    routing, one = await given("full")
    assert await routing.process([one]) == []
    (refused,) = await routing.answers()
    assert isinstance(refused, ev.UpdateRefused)
    assert refused.code == "malformed"
    assert "duplicate_of" in refused.reason


async def test_a_referral_of_the_first_version_still_needs_no_department() -> None:
    routing, one = await given("minimal")
    data = one.event.data.model_copy(update={"status": "referred"})
    object.__setattr__(one.event, "data", data)
    assert await routing.process([one]) == []
    assert isinstance((await routing.answers())[0], ev.UpdateAccepted)
