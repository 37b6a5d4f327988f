"""The cleaner: examines uploads in worker processes."""

from direct311.media.pictures import require_bare_parts
from direct311.media.ports import UncleanCopyError
from direct311.media.record import CleanCopy, RejectionReason
from direct311.media.uploads.adapters.picture_worker import WorkerLimits
from direct311.media.uploads.domain import Accepted, Rejected, Verdict
from direct311.media.uploads.ports import CleanerBusyError
from direct311.media.workers import ConfinedWorkers, Head, WorkerDiedError

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
        told = (limits or WorkerLimits()).model_dump_json()
        self._workers = ConfinedWorkers(_WORKER, told, processes=processes, patience=patience)

    async def clean(self, data: bytes, declared: str) -> Verdict:
        for _ in range(_CRASHES_BEFORE_DAMAGED):
            try:
                return await self._workers.ask({"declared": declared}, data, _verdict)
            except WorkerDiedError:
                continue
            except TimeoutError:
                raise CleanerBusyError("no verdict in time") from None
        return Rejected(reason=RejectionReason.DAMAGED)

    async def aclose(self) -> None:
        """Ends all workers. Their unfinished work is dropped."""
        await self._workers.aclose()


def _verdict(head: Head, body: bytes) -> Verdict:
    if head.get("unclean"):
        raise UncleanCopyError("a clean copy was not clean")
    if "reason" in head:
        return Rejected(reason=RejectionReason(head["reason"]))
    copy = CleanCopy(data=body, **head["copy"]) if "copy" in head else None
    if copy is not None:
        require_bare_parts(copy.data, copy.content_type)
    return Accepted(content_type=head["content_type"], clean_copy=copy)
