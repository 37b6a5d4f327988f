"""Geo resolves a place again because other boundary sets came into force: the job follows."""

from typing import Any

import pytest

from direct311.routing.assignment.domain.rules import Condition, Outcome, Rule
from direct311.routing.job import Job
from direct311.schemas import Event
from direct311.schemas import events as ev
from tests.unit.routing.assignment.test_routing import DOG, RECORD, located, routing, updated

pytestmark = pytest.mark.anyio
IN_MIAMI = Rule(
    rule="miami",
    when=Condition(service_codes=(DOG,), municipalities=("Miami",)),
    then=Outcome(department="solid_waste", due_working_days=90),
    reason="The city's own.",
)


def again(municipality: str) -> Event[Any]:
    said = located(2)
    data = said.data.model_copy(update={"municipality": municipality, "because": "boundaries"})
    return Event("e2", said.source, said.subject, said.time, data)


async def test_a_job_in_another_area_is_recalled_and_routed_anew() -> None:
    handlers = routing(IN_MIAMI)
    first = await handlers.updated(Job(record_id=RECORD), updated(1))
    assert first is not None
    change = await handlers.located(first.state, located())
    assert change is not None
    assert change.state.department == "solid_waste"
    change = await handlers.located(change.state, again("Coral Gables"))
    assert change is not None
    assert change.state.department != "solid_waste"
    names = [type(each.data) for each in change.events]
    assert names == [ev.RequestRecalled, ev.RequestRecalled, ev.RequestRouted, ev.RequestRouted]


async def test_a_job_in_the_same_area_is_not_announced_again() -> None:
    handlers = routing(IN_MIAMI)
    first = await handlers.updated(Job(record_id=RECORD), updated(1))
    assert first is not None
    second = await handlers.located(first.state, located())
    assert second is not None
    third = await handlers.located(second.state, again("Miami"))
    assert third is not None
    assert third.events == ()
