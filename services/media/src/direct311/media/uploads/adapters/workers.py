"""The cleaner: a few worker processes, so that the event loop never decodes a picture."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from typing import Any

from direct311.media.record import CleanCopy, RejectionReason
from direct311.media.uploads.adapters.picture_worker import WorkerLimits, frame
from direct311.media.uploads.adapters.pictures import require_bare_parts
from direct311.media.uploads.domain import Accepted, Rejected, Verdict
from direct311.media.uploads.ports import CleanerBusyError, UncleanCopyError

_WORKER = "direct311.media.uploads.adapters.picture_worker"
_CRASHES_BEFORE_DAMAGED = 2


class CleanerProcesses:
    """Implements `Cleaner`. At most `processes` files are examined at a time.

    A file that kills its worker (a decoder's crash, the memory and CPU limits) is tried once more
    in a new process; the second time the file is `damaged`. A worker that takes longer than
    `patience` seconds of wall-clock time may just be on a busy machine: `CleanerBusyError`. A
    worker's clean copy is parsed again here, by its bytes alone; a worker that returned anything
    else is ended.
    """

    def __init__(
        self, *, processes: int = 2, limits: WorkerLimits | None = None, patience: float = 120.0
    ) -> None:
        self._limits = limits or WorkerLimits()
        self._patience = patience
        self._free = asyncio.Semaphore(processes)
        self._idle: list[Process] = []
        self._running: set[Process] = set()

    async def clean(self, data: bytes, declared: str) -> Verdict:
        async with self._free:
            for _ in range(_CRASHES_BEFORE_DAMAGED):
                verdict = await self._ask(data, declared)
                if verdict is not None:
                    return verdict
        return Rejected(reason=RejectionReason.DAMAGED)

    async def aclose(self) -> None:
        """Ends all workers. Their unfinished work is dropped."""
        for worker in tuple(self._running):
            await self._end(worker)

    async def _ask(self, data: bytes, declared: str) -> Verdict | None:
        """The worker's verdict, or `None` if it died over the file."""
        worker = self._idle.pop() if self._idle else await self._start()
        answered = False
        try:
            async with asyncio.timeout(self._patience):
                head, body = await _exchange(worker, frame({"declared": declared}, data))
            # In a thread, because it takes milliseconds for an honest copy but a second for ten
            # hostile megabytes.
            verdict = await asyncio.to_thread(_verdict, head, body)
            answered = True
        except TimeoutError:
            raise CleanerBusyError("no verdict in time") from None
        except (EOFError, OSError):
            return None
        finally:
            if answered:
                self._idle.append(worker)
            else:
                await self._end(worker)
        return verdict

    async def _start(self) -> Process:
        # Isolated mode and an empty environment: none of the service's settings are passed on.
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", _WORKER, self._limits.model_dump_json()),
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


async def _exchange(worker: Process, request: bytes) -> tuple[dict[str, Any], bytes]:
    if worker.stdin is None or worker.stdout is None:
        raise EOFError
    worker.stdin.write(request)
    await worker.stdin.drain()
    length = await worker.stdout.readexactly(4)
    head = json.loads(await worker.stdout.readexactly(int.from_bytes(length)))
    return head, await worker.stdout.readexactly(head["size"])


def _verdict(head: dict[str, Any], body: bytes) -> Verdict:
    if head.get("unclean"):
        raise UncleanCopyError("a clean copy was not clean")
    if "reason" in head:
        return Rejected(reason=RejectionReason(head["reason"]))
    copy = CleanCopy(data=body, **head["copy"]) if "copy" in head else None
    if copy is not None:
        require_bare_parts(copy.data, copy.content_type)
    return Accepted(content_type=head["content_type"], clean_copy=copy)
