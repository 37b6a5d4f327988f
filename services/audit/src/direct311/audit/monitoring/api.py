"""`/v1/reconciliation`: key fetches compared with the log."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from direct311.audit.monitoring.domain.fetches import Fetch
from direct311.audit.monitoring.handlers.reconcile import Reconciler
from direct311.runtime.access.rules import Caller
from direct311.runtime.clock import Clock
from direct311.runtime.http.api import PROBLEMS, require
from direct311.runtime.parameters import AskedInstant
from direct311.schemas import Model


class ReconciliationState(Model):
    """Fetches with their event, fetches without one (`without_event`: the oldest thousand;
    `unlogged`: how many), and events that opened nothing."""

    fetches: int
    without_event: tuple[Fetch, ...]
    unlogged: int
    authorised_not_opened: int
    not_opened: tuple[str, ...]


def reconciliation_router(
    reconciler: Reconciler, clock: Clock, caller: Callable[[Request], Awaitable[Caller]]
) -> APIRouter:
    """For the role auditor. Opens nothing."""
    router = APIRouter(prefix="/v1", tags=["log"], responses=PROBLEMS)

    async def auditor(who: Annotated[Caller, Depends(caller)]) -> None:
        require(who, "auditor", "counsel")

    @router.get("/reconciliation", dependencies=[Depends(auditor)])
    async def reconciliation(since: AskedInstant | None = None) -> ReconciliationState:
        """Whether every key fetch has its event, and which events logged since an instant (default:
        a day ago) authorized a fetch but opened nothing."""
        state = await reconciler.state(since or clock.now() - timedelta(days=1))
        return ReconciliationState(
            fetches=state.fetches,
            without_event=tuple(state.without_event),
            unlogged=state.unlogged,
            authorised_not_opened=state.authorised_not_opened,
            not_opened=tuple(state.not_opened),
        )

    return router
