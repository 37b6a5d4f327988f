"""A rate holds back one person, and all of a role together; of several roles the most generous."""

import pytest

from direct311.runtime.access.rates import Rates
from direct311.runtime.access.rules import Rate

pytestmark = pytest.mark.anyio


def rates(**given: tuple[str, str]) -> Rates:
    return Rates({name: Rate(person=person, role=role) for name, (person, role) in given.items()})


async def test_a_person_is_held_back_and_told_how_long() -> None:
    counted = rates(agent=("2/hour", "100/hour"))
    assert [await counted.take("a", ["agent"]) for _ in range(2)] == [None, None]
    wait = await counted.take("a", ["agent"])
    assert wait is not None
    assert 3_590 <= wait <= 3_600
    assert await counted.take("b", ["agent"]) is None


async def test_all_of_a_role_are_held_back_together() -> None:
    counted = rates(agent=("2/hour", "3/hour"))
    taken = [await counted.take(person, ["agent"]) for person in "aabb"]
    assert [each is None for each in taken] == [True, True, True, False]


async def test_what_was_refused_is_not_counted() -> None:
    counted = rates(agent=("1/hour", "2/hour"))
    taken = [await counted.take(person, ["agent"]) for person in "aaaab"]
    assert [each is None for each in taken] == [True, False, False, False, True]


async def test_a_second_role_has_a_rate_of_its_own() -> None:
    counted = rates(agent=("1/hour", "9/hour"), emergency=("1/hour", "9/hour"))
    taken = [await counted.take("a", ["agent", "emergency"]) for _ in range(3)]
    assert [each is None for each in taken] == [True, True, False]


async def test_a_role_without_a_rate_is_not_limited() -> None:
    counted = rates(agent=("1/hour", "1/hour"))
    assert [await counted.take("svc:intake", ["service"]) for _ in range(50)] == [None] * 50
    assert [await counted.take("a", ["agent", "service"]) for _ in range(5)] == [None] * 5
