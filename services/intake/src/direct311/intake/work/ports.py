"""What the staff API needs from outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from direct311.intake.request import ServiceRequest
from direct311.intake.work.domain.listing import Position, WorkQuery


@dataclass(frozen=True, slots=True)
class Page:
    """Requests in the list's order, without anything sealed. `end`: where the next page begins;
    `None` if nothing follows. A page may have fewer rows than were asked for, even none, although
    more follow: each page reads a bounded part of the time."""

    rows: Sequence[ServiceRequest]
    end: Position | None


class WorkList(Protocol):
    """Requests as staff find them."""

    async def page(self, query: WorkQuery, today: date) -> Page:
        """One page. `today`: what is due earlier is overdue."""
        ...
