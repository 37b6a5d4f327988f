"""`/internal/index`: rebuilds the query index from the log. For administrators."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request

from direct311.audit.index.domain import Rebuild
from direct311.audit.index.handlers.rebuild import Rebuilding
from direct311.audit.log.ports.log import IndexLostError, Log
from direct311.runtime.access.reasons import Reference
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS, require
from direct311.schemas import Instant, Model


class RebuildQuestion(Model, extra="forbid"):
    """`reference`: the number of the work order for this; the log cites it."""

    reference: Reference


class RebuildState(Model):
    """`size`: entries in the log, 0 until it has begun; `next`: how many were verified; `mended`:
    entries that were missing or wrong in the index; `unnamed`: those whose event id is no longer
    known; `problem`: why it failed, and at which entry."""

    state: Literal["running", "done", "failed"]
    reference: str
    started_by: str
    started_at: Instant
    finished_at: Instant | None
    size: int
    next: int
    mended: int
    unnamed: int
    problem: str | None


def answering(log: Log) -> Callable[[], Awaitable[None]]:
    """A dependency that answers 503 if the query index cannot be used."""

    async def whole() -> None:
        if await log.indexed() is None:
            raise IndexLostError

    return whole


def index_router(
    rebuilding: Rebuilding,
    wake: Callable[[], None],
    caller: Callable[[Request], Awaitable[Caller]],
) -> APIRouter:
    """For the role admin, which starts it and sees counts; whatever is opened for it is the
    service's own access."""
    router = APIRouter(
        prefix="/internal/index",
        tags=["internal"],
        responses={
            status: PROBLEMS[status] for status in (400, 401, 403, 404, 408, 413, 422, 429, 503)
        },
    )
    Who = Annotated[Caller, Depends(caller)]  # noqa: N806 - a type

    @router.post("/rebuild", status_code=202)
    async def start(who: Who, question: RebuildQuestion) -> RebuildState:
        """Rebuild the index. In the meantime nothing is appended and no question is answered;
        events wait. Returns the rebuild in progress, if there is one."""
        require(who, "admin")
        started = await rebuilding.start(who, question.reference)
        wake()
        return _state(started)

    @router.get("/rebuild")
    async def state(who: Who) -> RebuildState:
        """The progress of the last rebuild."""
        require(who, "admin")
        return _state(await rebuilding.state())

    return router


def _state(rebuild: Rebuild) -> RebuildState:
    return RebuildState.model_validate(rebuild.model_dump(exclude={"step", "frontier"}))
