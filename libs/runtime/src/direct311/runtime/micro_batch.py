"""Calls that arrive together share one call: calls that arrive while one is in progress go out
together as the next.

A journaled write waits for the disk, and a query waits for the network, whatever their size.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from direct311.runtime.errors import TransientError

Q = TypeVar("Q")
A = TypeVar("A")


class MicroBatcher(Generic[Q, A]):
    """One call for many callers. `call` returns the answers in the order of the questions.

    `at_once`: how many batches may be in progress. With two, a batch goes out as soon as half of
    the recent callers wait in it, so the process has work while the other side answers.

    If `call` raises anything, each of its callers gets a `TransientError`.
    """

    LARGEST = 256
    TURNS = 4
    """How many turns of the event loop a batch stays open if no other is in progress."""
    MOST_WAITING = 5_000
    """Above this number of waiting callers, a new one is refused: the other side is down or too
    slow."""
    FADING = 0.95
    """How fast, batch by batch, the number of simultaneous callers is forgotten."""

    def __init__(
        self,
        what: str,
        call: Callable[[Sequence[Q]], Awaitable[Sequence[A]]],
        *,
        at_once: int = 1,
    ) -> None:
        self._what = what
        self._call = call
        self._at_once = at_once
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._unanswered = 0
        self._most = 1.0
        self._batches: set[asyncio.Task[None]] = set()
        self._gathering: asyncio.Task[None] | None = None

    async def __call__(self, question: Q) -> A:
        """:raises TransientError: the call failed, or too many callers are waiting."""
        if len(self._waiting) >= self.MOST_WAITING:
            raise TransientError(f"{self._what}: too many wait")
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        self._unanswered += 1
        self._most = max(self._most, self._unanswered)
        self._go_on()
        return await answer

    def _go_on(self) -> None:
        """Send a batch if it is time; otherwise wait for callers that are about to ask."""
        if not self._waiting:
            return
        part = min(self._most / self._at_once, self.LARGEST)
        free = self._at_once > 1 and len(self._batches) < self._at_once
        if free and len(self._waiting) >= part:
            self._send()
        elif not self._batches and self._gathering is None:
            self._gathering = asyncio.create_task(self._gather(), name=self._what)

    async def _gather(self) -> None:
        try:
            # One answer may have started many callers; those about to ask come along.
            for _ in range(self.TURNS):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            left, self._waiting = self._waiting, []
            self._fail(left)
            raise
        finally:
            self._gathering = None
        if self._waiting and not self._batches:
            self._send()

    def _send(self) -> None:
        batch = self._waiting[: self.LARGEST]
        del self._waiting[: self.LARGEST]
        self._most *= self.FADING
        task = asyncio.create_task(self._answer(batch), name=self._what)
        self._batches.add(task)
        task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._batches.discard(task)
        if task.cancelled():
            # The task is ending: nobody may wait forever.
            left, self._waiting = self._waiting, []
            self._fail(left)
        self._go_on()

    async def _answer(self, batch: Sequence[tuple[Q, "asyncio.Future[A]"]]) -> None:
        try:
            answers = await self._call([question for question, _ in batch])
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
            self._unanswered -= len(batch)
        except BaseException as error:
            self._fail(batch)
            if not isinstance(error, Exception):
                raise

    def _fail(self, batch: Sequence[tuple[Q, "asyncio.Future[A]"]]) -> None:
        self._unanswered -= len(batch)
        for _, future in batch:
            if not future.done():
                future.set_exception(TransientError(f"{self._what}: no answer"))
