"""Holds on entries of the log."""

from collections.abc import Iterable
from datetime import datetime

from direct311.audit.entry import Filter
from direct311.schemas import Instant, Model, replaced
from direct311.schemas import events as ev


class LogHold(Model):
    """A hold on the entries that match `filter`: while it is in force, nothing that keeps one of
    them readable is destroyed. It has no end date; somebody other than the person who placed it
    releases it.

    `too_late`: records that were being destroyed when it was placed. `cleared`: it was released and
    removed from every record.
    """

    hold_id: str
    name: str
    kind: ev.HoldKind
    authority: str
    filter: Filter
    placed_by: str
    placed_at: Instant
    too_late: tuple[str, ...] = ()
    released_by: str | None = None
    released_at: Instant | None = None
    release_reason: str | None = None
    cleared: bool = False

    @property
    def hold_key(self) -> str:
        """The name that this hold has among a record's holds."""
        return f"log:{self.hold_id}"

    def placed_too_late(self, names: Iterable[str]) -> "LogHold":
        """A copy with what was being destroyed when it was placed."""
        return replaced(self, too_late=tuple(names))

    def released(self, by: str, reason: str, at: datetime) -> "LogHold":
        """A copy that somebody has ended, with the reason."""
        return replaced(self, released_by=by, released_at=at, release_reason=reason)

    def lifted(self) -> "LogHold":
        """A copy that was removed from every record."""
        return replaced(self, cleared=True)
