"""Holds that audit asks for."""

from collections.abc import Sequence
from typing import Final

from direct311.retention.holds.domain import Hold
from direct311.retention.holds.handlers.holding import Holding
from direct311.runtime.access.rules import Caller
from direct311.runtime.messaging.broker import Process, Received
from direct311.schemas import Event
from direct311.schemas import events as ev
from direct311.schemas.model import Model

HOLD_TOPICS = ("hold.requested",)

AUDIT: Final = Caller("svc:audit", ("service",), authentication="service")

Failures = Sequence[tuple[Event[Model], Exception]]


def hold_requests(holding: Holding) -> Process:
    """Places the holds that audit asks for; a repeated request is the same hold."""

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
                        placed_by=AUDIT.sub,
                        placed_at=asked.requested_at,
                    ),
                    AUDIT,
                )
        return ()

    return process
