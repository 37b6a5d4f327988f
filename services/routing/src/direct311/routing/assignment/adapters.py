"""Reads departments, types, rules, calendar and states from their files."""

from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path

from direct311.routing import states, steps
from direct311.routing.assignment.domain.rules import (
    Departments,
    Rulebook,
    Rules,
    Services,
    department_problems,
    rule_problems,
    service_problems,
)
from direct311.routing.deadlines import domain as calendar
from direct311.routing.deadlines.domain import CalendarRules, WorkingCalendar
from direct311.routing.states import States
from direct311.routing.steps import Steps
from direct311.runtime.datafile import load, packaged


@dataclass(frozen=True, slots=True)
class RuleFiles:
    """What was read, and the SHA-256 (hex) of each file by its name."""

    rulebook: Rulebook
    states: States
    steps: Steps
    sha256: dict[str, str]


def load_rules(folder: Path | None = None) -> RuleFiles:
    """The six files of routing, checked separately and against each other. A file in `folder`
    replaces the packaged one with the same name. Raises `DataFileError`.
    """

    def source(name: str) -> Path | Traversable:
        own = folder / name if folder else None
        return own if own and own.exists() else packaged("direct311.routing", name)

    departments = load(Departments, source("departments.yaml"), department_problems)
    services = load(Services, source("services.yaml"), service_problems)
    rules = load(
        Rules,
        source("rules.yaml"),
        lambda each: rule_problems(each, services.content, departments.content),
    )
    days = load(CalendarRules, source("calendar.yaml"), calendar.problems)
    machine = load(States, source("states.yaml"), states.problems)
    codes = {each.department for each in departments.content.departments}
    reported = load(
        Steps,
        source("updates.yaml"),
        lambda each: steps.problems(each, machine.content, codes),
    )
    rulebook = Rulebook(
        rules.content, services.content, departments.content, WorkingCalendar(days.content)
    )
    files = (departments, services, rules, days, machine, reported)
    return RuleFiles(
        rulebook, machine.content, reported.content, {file.name: file.sha256 for file in files}
    )
