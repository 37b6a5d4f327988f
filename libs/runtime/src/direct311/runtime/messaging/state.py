"""What a service knows of a record, and what a handler may decide: pure, so that domains use it."""

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from pydantic import Field

from direct311.schemas import Event
from direct311.schemas.model import Model

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
    update: dict[str, object] = {"version": before.version + 1}
    version = getattr(event.data, "version", None)
    if version is not None:
        update["seen"] = before.seen | {event.name: version}
    return after.model_copy(update=update)
