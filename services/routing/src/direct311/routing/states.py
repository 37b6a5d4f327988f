"""The states of a request, and who may move it from one to the next."""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from functools import cached_property
from typing import Literal, get_args

from direct311.schemas import Model
from direct311.schemas.events import RequestStatus

Actor = Literal["intake", "routing", "department", "triage", "inspector", "reporter"]


class State(Model, extra="forbid"):
    """A state. `open311` is what GeoReport v2 shows; `final` starts the clock of retention."""

    status: RequestStatus
    open311: Literal["open", "closed"]
    final: bool
    label: str


class Transition(Model, extra="forbid"):
    """Every move from a state in `start` to a state in `end`, by any actor in `by`."""

    transition: str
    start: tuple[RequestStatus, ...]
    end: tuple[RequestStatus, ...]
    by: tuple[Actor, ...]


class States(Model, extra="forbid"):
    """The whole machine."""

    states_of: str
    version: str
    citation: str
    effective_from: date
    effective_until: date | None = None
    states: tuple[State, ...]
    transitions: tuple[Transition, ...]

    @cached_property
    def _by_status(self) -> dict[str, State]:
        return {state.status: state for state in self.states}

    def state(self, status: RequestStatus) -> State:
        return self._by_status[status]

    def next(self, current: RequestStatus, actor: Actor) -> tuple[RequestStatus, ...]:
        """The states to which `actor` may move a request from `current`, in the order of the
        file."""
        ends = {
            end
            for transition in self.transitions
            if actor in transition.by and current in transition.start
            for end in transition.end
        }
        return tuple(state.status for state in self.states if state.status in ends)


class Move(Model):
    """A move that somebody wants to make."""

    current: RequestStatus
    proposed: RequestStatus
    actor: Actor


def allowed(move: Move, states: States) -> bool:
    """Whether the machine lists this move for this actor."""
    return move.proposed in states.next(move.current, move.actor)


def problems(states: States) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the machine: state or transition, field and reason."""
    names = Counter(state.status for state in states.states)
    for state in states.states:
        if names[state.status] > 1:
            yield state.status, "status", "named more than once"
        if state.final != (state.open311 == "closed"):
            yield state.status, "open311", "a final state must be closed, and any other state open"
    for status in get_args(RequestStatus):
        if status not in names:
            yield status, "states", "is missing"
    moves = Counter(each.transition for each in states.transitions)
    for each in states.transitions:
        if moves[each.transition] > 1:
            yield each.transition, "transition", "named more than once"
        for field in ("start", "end", "by"):
            if not getattr(each, field):
                yield each.transition, field, "is empty"
    reached = {end for each in states.transitions for end in each.end}
    for state in states.states:
        if state.status not in {*reached, "received", "identity_required"}:
            yield state.status, "transitions", "no move leads here"
