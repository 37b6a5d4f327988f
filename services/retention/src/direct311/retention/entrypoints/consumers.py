"""Which events the service takes."""

from collections.abc import Callable, Sequence

from direct311.retention.domain.holds import Hold
from direct311.retention.handlers.holding import Holding
from direct311.runtime.messaging.broker import Process, Received
from direct311.schemas import Event
from direct311.schemas import events as ev
from direct311.schemas.model import Model

TOPICS = (
    "request.created",
    "request.updated",
    "location.resolved",
    "media.stored",
    "media.rejected",
    "request.routed",
    "request.recalled",
    "work.updated",
    "record.destroyed",
)
HOLD_TOPICS = ("hold.requested",)

Failures = Sequence[tuple[Event[Model], Exception]]


def inventorying(apply: Process, answered: Callable[[], None]) -> Process:
    """Applies events to the inventory, and says so where holders have answered."""

    async def process(batch: Sequence[Received]) -> Failures:
        failed = await apply(batch)
        if any(isinstance(item.event.data, ev.RecordDestroyed) for item in batch):
            answered()
        return failed

    return process


def hold_requests(holding: Holding) -> Process:
    """Places what audit asks for; a repeated request is the same hold."""

    async def process(batch: Sequence[Received]) -> Failures:
        for item in batch:
            asked = item.event.data
            if isinstance(asked, ev.HoldRequested):
                await holding.place(
                    Hold(
                        hold_id=asked.hold_id,
                        name=f"case {asked.case_id}",
                        kind=asked.kind,
                        authority=asked.authority,
                        record_ids=asked.record_ids,
                        case_id=asked.case_id,
                        placed_by="svc:audit",
                        placed_at=asked.requested_at,
                    )
                )
        return ()

    return process
