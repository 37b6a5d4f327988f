"""A few worker processes, so that the event loop never decodes a stranger's file.

Frames on a worker's standard input and output: 4 bytes of length (big endian), a JSON head, then as
many bytes as the head's `size`.
"""

import asyncio
import contextlib
import json
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable
from typing import Any, BinaryIO, TypeVar

from direct311.runtime.confinement import allow_cpu

T = TypeVar("T")
Head = dict[str, Any]
Framed = tuple[Head, bytes]


class WorkerDiedError(Exception):
    """The worker died over the file. `timed_out`: because it used up its seconds of the
    processor."""

    def __init__(self, *, timed_out: bool) -> None:
        super().__init__("the worker died")
        self.timed_out = timed_out


def frame(head: Head, body: bytes) -> bytes:
    text = json.dumps({**head, "size": len(body)}).encode()
    return len(text).to_bytes(4) + text + body


def serve(
    answer: Callable[[Head, bytes], Framed],
    requests: BinaryIO,
    answers: BinaryIO,
    cpu_seconds: int,
) -> None:
    """What a worker does: answers frames until its input ends."""
    while (request := _read(requests)) is not None:
        allow_cpu(cpu_seconds)
        answers.write(frame(*answer(*request)))
        answers.flush()


def _read(stream: BinaryIO) -> Framed | None:
    length = stream.read(4)
    if len(length) < 4:
        return None
    head = json.loads(stream.read(int.from_bytes(length)))
    return head, stream.read(head["size"])


class ConfinedWorkers:
    """Processes that run `python -m <module> <limits>`. At most `processes` work at a time.

    A worker gets no environment. One that does not answer within `patience` seconds of wall-clock
    time, or whose answer is not what it should be, is ended.
    """

    def __init__(self, module: str, limits: str, *, processes: int, patience: float) -> None:
        self._module = module
        self._limits = limits
        self._patience = patience
        self._free = asyncio.Semaphore(processes)
        self._idle: list[Process] = []
        self._running: set[Process] = set()

    async def ask(self, head: Head, body: bytes, read: Callable[[Head, bytes], T]) -> T:
        """What `read` makes of a worker's answer. `read` runs in a thread, because it takes
        milliseconds for an honest answer but a second for ten hostile megabytes.

        :raises WorkerDiedError: the worker died. :raises TimeoutError: there was no answer in time;
        the machine may just be busy.
        """
        async with self._free:
            worker = self._idle.pop() if self._idle else await self._start()
            answered = False
            try:
                async with asyncio.timeout(self._patience):
                    answer = await _exchange(worker, frame(head, body))
                found = await asyncio.to_thread(read, *answer)
                answered = True
            except (EOFError, OSError) as error:
                if isinstance(error, TimeoutError):
                    raise
                raise WorkerDiedError(timed_out=await _used_up(worker)) from None
            finally:
                if answered:
                    self._idle.append(worker)
                else:
                    await self._end(worker)
            return found

    async def aclose(self) -> None:
        """Ends all workers. Their unfinished work is dropped."""
        for worker in tuple(self._running):
            await self._end(worker)

    async def _start(self) -> Process:
        # Isolated mode and an empty environment: none of the service's settings are passed on.
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", self._module, self._limits),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env={},
        )
        self._running.add(worker)
        return worker

    async def _end(self, worker: Process) -> None:
        self._running.discard(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        if worker.returncode is None:
            worker.kill()
        await worker.wait()


async def _used_up(worker: Process) -> bool:
    """Whether the kernel ended it for the time that it used. One that only closed its output is
    ended by us."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1):
            await worker.wait()
    return worker.returncode == -signal.SIGXCPU


async def _exchange(worker: Process, request: bytes) -> Framed:
    if worker.stdin is None or worker.stdout is None:
        raise EOFError
    worker.stdin.write(request)
    await worker.stdin.drain()
    length = await worker.stdout.readexactly(4)
    head = json.loads(await worker.stdout.readexactly(int.from_bytes(length)))
    return head, await worker.stdout.readexactly(head["size"])
