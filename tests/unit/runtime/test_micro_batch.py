"""Calls that arrive together share one, and each caller has its own answer."""

import asyncio
from collections.abc import Sequence

import pytest

from direct311.runtime.errors import TransientError
from direct311.runtime.micro_batch import MicroBatcher

pytestmark = pytest.mark.anyio


class Doubling:
    """Doubles numbers; remembers the groups that it was given; fails as it is told."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.failures: list[BaseException] = []
        self.asked = asyncio.Event()
        self.free = asyncio.Event()
        self.free.set()

    async def __call__(self, numbers: Sequence[int]) -> Sequence[int]:
        self.batches.append(len(numbers))
        self.asked.set()
        await self.free.wait()
        if self.failures:
            raise self.failures.pop()
        return [2 * number for number in numbers]


async def test_each_has_the_answer_to_its_own_question() -> None:
    doubling = Doubling()
    ask = MicroBatcher("doubling", doubling)
    assert await asyncio.gather(*map(ask, range(20))) == [2 * n for n in range(20)]
    assert doubling.batches == [20]
    assert await ask(21) == 42


async def test_what_comes_while_one_is_under_way_goes_out_as_the_next() -> None:
    doubling = Doubling()
    doubling.free.clear()
    ask = MicroBatcher("doubling", doubling)
    first = asyncio.create_task(ask(1))
    await doubling.asked.wait()
    later = [asyncio.create_task(ask(n)) for n in range(2, 300)]
    await asyncio.sleep(0.01)
    doubling.free.set()
    assert await asyncio.gather(first, *later) == [2 * n for n in range(1, 300)]
    assert doubling.batches == [1, MicroBatcher.LARGEST, 298 - MicroBatcher.LARGEST]


async def test_of_two_groups_at_once_each_takes_half_of_those_who_ask() -> None:
    """So that while one is under way the others are at work on what they ask next."""
    doubling = Doubling()
    ask = MicroBatcher("doubling", doubling, at_once=2)

    async def asking(number: int) -> None:
        for _ in range(50):
            assert await ask(number) == 2 * number
            await asyncio.sleep(0)

    await asyncio.gather(*map(asking, range(8)))
    assert sum(doubling.batches) == 400
    usual = sorted(doubling.batches)[len(doubling.batches) // 2]
    assert usual in (4, 5)


async def test_no_more_than_two_groups_are_under_way() -> None:
    doubling = Doubling()
    doubling.free.clear()
    ask = MicroBatcher("doubling", doubling, at_once=2)
    told = [asyncio.create_task(ask(n)) for n in range(40)]
    await asyncio.sleep(0.01)
    assert doubling.batches == [1, 1]
    doubling.free.set()
    assert await asyncio.gather(*told) == [2 * n for n in range(40)]
    assert doubling.batches == [1, 1, 38]


async def test_one_who_asks_alone_does_not_wait_for_others() -> None:
    doubling = Doubling()
    ask = MicroBatcher("doubling", doubling, at_once=2)
    await asyncio.gather(*map(ask, range(64)))
    for _ in range(100):
        await ask(1)
    before = len(doubling.batches)
    asked = asyncio.create_task(ask(1))
    # Its own turn and its group's; a group that gathers takes more.
    for _ in range(2):
        await asyncio.sleep(0)
    assert len(doubling.batches) == before + 1
    assert await asked == 2


async def test_where_one_of_two_groups_fails_the_other_has_its_answers() -> None:
    doubling = Doubling()
    doubling.free.clear()
    ask = MicroBatcher("doubling", doubling, at_once=2)
    first, second = (asyncio.create_task(ask(n)) for n in (1, 2))
    await asyncio.sleep(0.01)
    doubling.failures.append(ValueError("secret"))
    doubling.free.set()
    told = await asyncio.gather(first, second, return_exceptions=True)
    assert sorted(type(each).__name__ for each in told) == ["TransientError", "int"]


@pytest.mark.parametrize("failure", [ValueError("secret"), TransientError("away")])
async def test_a_failure_is_told_to_its_own_group_alone(failure: Exception) -> None:
    doubling = Doubling()
    ask = MicroBatcher("doubling", doubling)
    doubling.failures.append(failure)
    told = await asyncio.gather(ask(1), ask(2), return_exceptions=True)
    assert [(type(each), str(each)) for each in told] == [
        (TransientError, "doubling: no answer")
    ] * 2
    assert await ask(3) == 6


async def test_who_has_gone_takes_nobody_along() -> None:
    doubling = Doubling()
    ask = MicroBatcher("doubling", doubling)
    gone, there = asyncio.create_task(ask(1)), asyncio.create_task(ask(2))
    await asyncio.sleep(0)
    gone.cancel()
    assert await there == 4
    assert gone.cancelled()


async def test_who_asks_while_too_many_wait_is_sent_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(MicroBatcher, "MOST_WAITING", 2)
    ask = MicroBatcher("doubling", Doubling())
    answers = await asyncio.gather(*map(ask, range(5)), return_exceptions=True)
    assert answers[:2] == [0, 2]
    assert all(isinstance(each, TransientError) for each in answers[2:])
    assert await ask(5) == 10


async def test_a_wrong_number_of_answers_is_a_failure() -> None:
    async def short(_: Sequence[int]) -> Sequence[int]:
        return []

    with pytest.raises(TransientError):
        await MicroBatcher("short", short)(1)


async def test_where_the_work_is_ended_nobody_waits_for_ever() -> None:
    doubling = Doubling()
    doubling.free.clear()
    ask = MicroBatcher("doubling", doubling)
    first = asyncio.create_task(ask(1))
    await doubling.asked.wait()
    later = asyncio.create_task(ask(2))
    await asyncio.sleep(0)
    for task in asyncio.all_tasks():
        if task.get_name() == "doubling":
            task.cancel()
    told = await asyncio.gather(first, later, return_exceptions=True)
    assert all(isinstance(each, TransientError) for each in told)
    doubling.free.set()
    assert await ask(3) == 6
