"""What a service knows about a record, and what a handler may decide. Pure, so that domains may use
it."""

from dataclasses import dataclass
from typing import Generic, Literal, Self, TypeVar

from pydantic import Field

from direct311.schemas import Event
from direct311.schemas.model import Model, replaced

Lifecycle = Literal["active", "destroying", "destroyed"]


class RecordState(Model):
    """What every service keeps about a record. `version` 0: nothing is stored yet.

    `seen` maps an event's name to the highest producer's version handled so far. `holds` are the
    holds in force, as retention announced them.
    """

    record_id: str
    version: int = 0
    seen: dict[str, int] = Field(default_factory=dict)
    lifecycle: Lifecycle = "active"
    holds: tuple[str, ...] = ()
    order_id: str | None = None

    def held(self, *hold_ids: str) -> Self:
        """A copy with these added to the holds in force."""
        return replaced(self, holds=tuple(sorted({*self.holds, *hold_ids})))

    def released_from(self, hold_id: str) -> Self:
        """A copy without a released hold."""
        return replaced(self, holds=tuple(each for each in self.holds if each != hold_id))

    def destruction_ordered(self, order_id: str) -> Self:
        """A copy that is being destroyed by this order, and accepts no more events."""
        return replaced(self, lifecycle="destroying", order_id=order_id)

    def buried(self) -> Self:
        """A copy that is a tombstone."""
        return replaced(self, lifecycle="destroyed")

    def written(self, version: int) -> Self:
        """The state that will be stored as this version."""
        return replaced(self, version=version)

    def handled(self, version: int, seen: dict[str, int]) -> Self:
        """A copy that has seen an event with its producer's version."""
        return replaced(self, version=version, seen=seen)


S = TypeVar("S", bound=RecordState)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event to publish. `topic` is set if the event's own topic has a placeholder for a
    department."""

    data: Model
    topic: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Change(Generic[S]):
    """What a handler decided: the new state and the events that report it.

    The runtime sets `version` and `seen`; events about the record carry `state.version + 1` of the
    state that the handler was given.
    """

    state: S
    events: tuple[Outgoing, ...] = ()


def takes(state: RecordState, event: Event[Model]) -> bool:
    """Whether a document accepts an event at all.

    A record that is destroyed or being destroyed accepts nothing, so that a late or repeated event
    brings nothing back. An event no newer than one already seen is dropped.
    """
    if state.lifecycle != "active":
        return False
    version = getattr(event.data, "version", None)
    return version is None or version > state.seen.get(event.name, 0)


def advanced(before: S, after: S, event: Event[Model]) -> S:
    """The state after one handled event: next version, and the event marked as seen."""
    said = getattr(event.data, "version", None)
    if said is None:
        return after.written(before.version + 1)
    return after.handled(before.version + 1, before.seen | {event.name: said})
