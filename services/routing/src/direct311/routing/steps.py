"""The steps that a department may report about its job: one table, `data/updates.yaml`."""

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import date
from functools import cached_property
from typing import Any, Literal, get_args

from direct311.routing.states import Actor, Move, States, allowed
from direct311.schemas import Model
from direct311.schemas import events as ev

ConditionalField = Literal[
    "note",
    "assigned_to",
    "scheduled_for",
    "scheduled_until",
    "waiting_for",
    "referred_to",
    "outcome",
    "duplicate_of",
]
CONDITIONAL: tuple[ConditionalField, ...] = get_args(ConditionalField)
"""The fields that only some steps may have, except the note, which some steps need."""


class Step(Model, extra="forbid"):
    """One step: in which statuses it is possible, the status after it, and its fields."""

    step: ev.WorkStep
    start: tuple[ev.RequestStatus, ...]
    end: ev.RequestStatus | Literal["same", "outcome"]
    needs: tuple[ConditionalField, ...] = ()
    may: tuple[ConditionalField, ...] = ()
    moves: Literal["triage", "referred_to"] | None = None

    def after(
        self, current: ev.RequestStatus, outcome: ev.WorkOutcome | None
    ) -> ev.RequestStatus | None:
        """The status after this step from `current`; `None` if its outcome is not given."""
        if self.end == "same":
            return current
        return outcome if self.end == "outcome" else self.end

    def missing(self, update: ev.DepartmentUpdateV2) -> ConditionalField | None:
        """The first field that the step needs and the update does not have."""
        return next((name for name in self.needs if not getattr(update, name)), None)

    def idle(self, update: ev.DepartmentUpdateV2) -> ConditionalField | None:
        """The first field of the update that would have no effect."""
        used = {"note", *self.needs, *self.may}
        given = (name for name in CONDITIONAL if getattr(update, name) is not None)
        return next((name for name in given if name not in used), None)

    def _ends(self, current: ev.RequestStatus) -> tuple[ev.RequestStatus, ...]:
        if self.end == "outcome":
            return get_args(ev.WorkOutcome)
        return (current,) if self.end == "same" else (self.end,)

    def possible(self, current: ev.RequestStatus, states: States) -> bool:
        """Whether the step is possible in this status, with some outcome."""
        return current in self.start and any(
            self.permits(current, end, states) for end in self._ends(current)
        )

    def permits(self, current: ev.RequestStatus, end: ev.RequestStatus, states: States) -> bool:
        """Whether the step may lead from `current` to `end`."""
        if current not in self.start:
            return False
        if self.end == "same":
            return True
        actor: Actor = "routing" if self.moves else "department"
        return allowed(Move(current=current, proposed=end, actor=actor), states)


class Steps(Model, extra="forbid"):
    """The whole table. `triage`: the department to which a job goes that is at the wrong one."""

    updates_of: str
    version: str
    citation: str
    effective_from: date
    effective_until: date | None = None
    triage: str
    updates: tuple[Step, ...]

    @cached_property
    def _by_step(self) -> dict[str, Step]:
        return {each.step: each for each in self.updates}

    def step(self, name: ev.WorkStep) -> Step:
        return self._by_step[name]

    def possible(self, current: ev.RequestStatus, states: States) -> tuple[ev.WorkStep, ...]:
        """The steps that a department may report in this status, in the order of the file."""
        return tuple(each.step for each in self.updates if each.possible(current, states))


def problems(
    steps: Steps, states: States, departments: Collection[str]
) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the table: step, field and reason."""
    if steps.triage not in departments:
        yield "", "triage", "is not a department"
    named: Counter[Any] = Counter(each.step for each in steps.updates)
    for step in get_args(ev.WorkStep):
        if named[step] != 1:
            yield step, "step", "must be there once"
    for each in steps.updates:
        if not each.start:
            yield each.step, "start", "is empty"
        for current in each.start:
            if not each.possible(current, states):
                yield each.step, "start", f"states.yaml has no such move from {current}"
        if (each.moves == "referred_to") != ("referred_to" in each.needs):
            yield each.step, "moves", "referred_to is needed if it moves the job, and only then"
        if (each.end == "outcome") != ("outcome" in each.needs):
            yield each.step, "end", "an outcome is needed if it is the end, and only then"
