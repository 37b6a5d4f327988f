"""Two copies of the gateway behind a round robin: what one took, the other answers for."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import httpx
import pytest

from deploy.local.stack import Stack
from tests.support.copies import Copy
from tests.support.county import County, entering, until
from tests.support.submissions import submission

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]

MANY = 40


@dataclass
class RoundRobin:
    """Takes the two in turn, as a balancer without memory does."""

    county: County
    copies: tuple[str, str]
    _turn: Any = field(init=False)

    def __post_init__(self) -> None:
        self._turn = cycle(self.copies)

    async def submit(self, number: int) -> httpx.Response:
        fields = submission(number, client_request_id=f"two-{number}")
        key = self.county.known.api_keys["app"]
        return await self.county.http.post(
            f"{next(self._turn)}/open311/v2/requests.json", data={"api_key": key, **fields}
        )

    async def get(self, path: str, **query: str) -> list[Any]:
        """The two answers to one question."""
        answers = [
            await self.county.http.get(f"{url}/open311/v2/{path}", params=query)
            for url in self.copies
        ]
        return [answer.raise_for_status().json() for answer in answers]


@pytest.fixture(scope="module")
async def robin(stack: Stack) -> AsyncIterator[RoundRobin]:
    with Copy(stack, "intake").running() as copy:
        async with entering(stack) as county:
            await asyncio.to_thread(copy.wait_ready)
            yield RoundRobin(county, (county.known.services["intake"], copy.url))


async def test_both_copies_give_the_same_results_and_each_request_is_told_once(
    robin: RoundRobin,
) -> None:
    county = robin.county
    # Each twice at once: the balancer brings the repeat to the other copy.
    answers = await asyncio.gather(
        *(robin.submit(number) for number in range(MANY) for _ in range(2))
    )
    ids = [answer.raise_for_status().json()[0]["service_request_id"] for answer in answers]
    pairs = list(zip(ids[::2], ids[1::2], strict=True))
    assert all(first == second for first, second in pairs)
    mine = set(ids)
    assert len(mine) == MANY
    for record_id in mine:
        await county.routed(record_id)

    async def same() -> bool:
        first, second = await robin.get("requests.json", service_request_id=",".join(mine))
        return len(first) == MANY and by_id(first) == by_id(second) and all_shown(first)

    await until(same, "both copies show the same")
    lists = await robin.get("requests.json", page_size="100")
    assert lists[0] == lists[1]
    # The copy that says the next word of a request may say its first again, under the same id, when
    # it cannot know that the other has: whoever reads knows it again.
    told: dict[str, set[str]] = {record_id: set() for record_id in mine}
    for message in await county.messages("request.created"):
        if message.key and message.key.decode() in told:
            told[message.key.decode()].add(dict(message.headers)["ce_id"].decode())
    assert {len(events) for events in told.values()} == {1}
    jobs = [await county.job(record_id) for record_id in mine]
    assert {job["revision"] for job in jobs} == {1}


def by_id(rows: list[Any]) -> dict[str, Any]:
    return {row["service_request_id"]: row for row in rows}


def all_shown(rows: list[Any]) -> bool:
    return all(row["lat"] is not None for row in rows)
