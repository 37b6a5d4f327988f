"""Long jobs over a collection, which an operator starts, watches, stops and resumes.

A job's progress is stored in the database, so it resumes after a crash in whichever copy of the
service holds the lease. It passes over the collection in the order of ids, again and again until a
whole pass finds nothing to do, so it also covers what was added meanwhile. Each batch may be
repeated and two may run at once, so a lost lease does no harm.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

import structlog

from direct311.runtime.clock import Clock
from direct311.runtime.storage.database import Collection, Document
from direct311.schemas.model import Instant, Model

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one batch did. `last`: the last id it reached, `None` if nothing was left in the pass.
    `failed`: what it could not do; `reason` says why in words that may be shown."""

    last: str | None = None
    done: int = 0
    failed: int = 0
    reason: str | None = None


class Progress(Model):
    """A job's progress. `total`: the work remaining when it was last started, plus the work already
    done. `incomplete`: a whole pass could do nothing more, and `failed` items are left because of
    `reason`."""

    job: str
    state: Literal["never", "running", "stopped", "done", "incomplete"] = "never"
    done: int = 0
    failed: int = 0
    total: int = 0
    reason: str | None = None
    reference: str | None = None
    started_at: Instant | None = None
    updated_at: Instant | None = None


Work = Callable[[str, str], Awaitable[Batch]]
"""Processes the items after an id, under the reference that the job was started with."""


class Job:
    """One job of a service; `left` counts the remaining work."""

    LONGEST_PAUSE = 0.25

    def __init__(
        self,
        name: str,
        collection: Collection,
        batch: Work,
        left: Callable[[], Awaitable[int]],
        clock: Clock,
    ) -> None:
        self.name = name
        self._collection = collection
        self._batch = batch
        self._left = left
        self._clock = clock

    async def progress(self) -> Progress:
        document = await self._collection.find_one({"_id": self.name})
        known = Progress.model_fields.keys()
        return Progress(job=self.name, **{k: v for k, v in (document or {}).items() if k in known})

    async def start(self, reference: str) -> Progress:
        """Begin, or resume where it was stopped. A running job is left as it is."""
        before = await self.progress()
        if before.state == "running":
            return before
        left, now = await self._left(), self._clock.now()
        change: Document = {"state": "running", "reference": reference, "updated_at": now}
        if before.state == "stopped":
            change |= {"total": before.done + left}
        else:
            change |= {"total": left, "started_at": now, "done": 0, "reason": None}
            change |= {"after": "", "moved": 0, "failed": 0}
        await self._collection.update_one({"_id": self.name}, {"$set": change}, upsert=True)
        return await self.progress()

    async def stop(self) -> Progress:
        """Begin no further batch."""
        await self._collection.update_one(
            {"_id": self.name, "state": "running"},
            {"$set": {"state": "stopped", "updated_at": self._clock.now()}},
        )
        return await self.progress()

    async def step(self, mine: Callable[[], Awaitable[bool]]) -> None:
        """Work as long as the job should run and `mine` says that this copy should do it."""
        while document := await self._collection.find_one({"_id": self.name, "state": "running"}):
            began = time.monotonic()
            await self._note(document, await self._batch(document["after"], document["reference"]))
            # Answers to residents come first: the job gets at most half of the time.
            await asyncio.sleep(min(time.monotonic() - began, self.LONGEST_PAUSE))
            if not await mine():
                return

    async def _note(self, document: Document, batch: Batch) -> None:
        now = self._clock.now()
        if batch.done:
            await self._collection.update_one(
                {"_id": self.name}, {"$inc": {"done": batch.done, "moved": batch.done}}
            )
        change: Document = {"updated_at": now}
        if batch.reason:
            change["reason"] = batch.reason
        if batch.last is not None:
            change |= {"after": batch.last, "failed": document["failed"] + batch.failed}
        elif document["moved"]:
            change |= {"after": "", "moved": 0, "failed": 0, "reason": None}
        else:
            change["state"] = "incomplete" if document["failed"] else "done"
        # Only if progress is still where this batch began: another copy may be ahead, or in the
        # next pass.
        result = await self._collection.update_one(
            {"_id": self.name, "state": "running", "after": document["after"]}, {"$set": change}
        )
        if result.modified_count and "state" in change:
            _log.info("job.ended", job=self.name, state=change["state"], done=document["done"])
