"""Calls that arrive together share one: what has come while one is under way goes out as the next.

A journaled write waits for the disk, and a query for the network, whatever their size.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from direct311.runtime.errors import TransientError

Q = TypeVar("Q")
A = TypeVar("A")


class Grouped(Generic[Q, A]):
    """One call for many callers. `call` gives the answers in the order of what it is asked.

    Where it raises, whatever it raises, each of its callers gets a `TransientError`.
    """

    LARGEST = 256
    TURNS = 4
    """How many turns of the event loop a group stays open."""
    MOST_WAITING = 5_000
    """More than these, and who comes is sent away: the other side is away or too slow."""

    def __init__(self, what: str, call: Callable[[Sequence[Q]], Awaitable[Sequence[A]]]) -> None:
        self._what = what
        self._call = call
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, question: Q) -> A:
        """:raises TransientError: it did not work, or too many wait."""
        if len(self._waiting) >= self.MOST_WAITING:
            raise TransientError(f"{self._what}: too many wait")
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name=self._what)
        return await answer

    async def _work(self) -> None:
        try:
            while self._waiting:
                # Who is about to ask, because one answer has set many going, comes along.
                for _ in range(self.TURNS):
                    await asyncio.sleep(0)
                group = self._waiting[: self.LARGEST]
                del self._waiting[: self.LARGEST]
                await self._answer(group)
        finally:
            self._task = None
            left, self._waiting = self._waiting, []
            self._fail(left)

    async def _answer(self, group: Sequence[tuple[Q, "asyncio.Future[A]"]]) -> None:
        try:
            answers = await self._call([question for question, _ in group])
            for (_, future), answer in zip(group, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
        except BaseException as error:
            self._fail(group)
            if not isinstance(error, Exception):
                raise

    def _fail(self, group: Sequence[tuple[Q, "asyncio.Future[A]"]]) -> None:
        for _, future in group:
            if not future.done():
                future.set_exception(TransientError(f"{self._what}: no answer"))
