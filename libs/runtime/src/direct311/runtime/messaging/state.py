"""What a service knows of a record, and what a handler may decide: pure, so that domains use it."""

from dataclasses import dataclass
from typing import Generic, Literal, Self, TypeVar

from pydantic import Field

from direct311.schemas import Event
from direct311.schemas.model import Model, replaced

Lifecycle = Literal["active", "destroying", "destroyed"]


class RecordState(Model):
    """What every service keeps of a record. `version` 0: nothing is stored yet.

    `seen` maps an event's name to the highest producer's version that was handled. `holds` are the
    holds in force, as retention announced them.
    """

    record_id: str
    version: int = 0
    seen: dict[str, int] = Field(default_factory=dict)
    lifecycle: Lifecycle = "active"
    holds: tuple[str, ...] = ()
    order_id: str | None = None

    def held(self, *hold_ids: str) -> Self:
        """With these among the holds in force."""
        return replaced(self, holds=tuple(sorted({*self.holds, *hold_ids})))

    def released_from(self, hold_id: str) -> Self:
        """Without a hold that was released."""
        return replaced(self, holds=tuple(each for each in self.holds if each != hold_id))

    def destruction_ordered(self, order_id: str) -> Self:
        """Being destroyed, by this order: takes no event any more."""
        return replaced(self, lifecycle="destroying", order_id=order_id)

    def buried(self) -> Self:
        """A tombstone."""
        return replaced(self, lifecycle="destroyed")

    def written(self, version: int) -> Self:
        """The state that will be stored as this version."""
        return replaced(self, version=version)

    def handled(self, version: int, seen: dict[str, int]) -> Self:
        """The same, with what was seen after an event that carries its producer's version."""
        return replaced(self, version=version, seen=seen)


S = TypeVar("S", bound=RecordState)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event to publish. `topic` where the event's own has a placeholder for a department."""

    data: Model
    topic: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Change(Generic[S]):
    """What a handler decided: the new state and the events that tell of it.

    The runtime sets `version` and `seen`; events about the record carry `state.version + 1` of the
    state that the handler was given.
    """

    state: S
    events: tuple[Outgoing, ...] = ()


def takes(state: RecordState, event: Event[Model]) -> bool:
    """Whether a document takes an event at all.

    A record that is being destroyed or is gone takes nothing, so that a late or repeated event
    brings nothing back. What is not newer than what was seen is dropped.
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
