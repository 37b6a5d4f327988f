"""Which department gets a request and by when: rules read from files, decided here."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Literal

from direct311.routing.deadlines.domain import WorkingCalendar, working_days
from direct311.schemas import Model, replaced, routed_topic

PlaceKind = Literal["unincorporated", "municipality", "unresolved", "outside"]

OWNER = "owner"
"""Instead of a department: the department that represents the type's owner."""

_DEPARTMENT = re.compile(r"[a-z][a-z0-9_]{1,40}")
_TELEPHONE = re.compile(r"[2-9][0-9]{9}")


# ---------------------------------------------------------------- files


class Department(Model, extra="forbid"):
    """Who takes requests. `owners` are names in the county's own records."""

    department: str
    name: str
    alias: str
    topic: str
    county_number: str | None = None
    owners: tuple[str, ...] = ()


class Departments(Model, extra="forbid"):
    """`public_telephones`: the county's own numbers, in ten digits. They stay in notes."""

    departments_of: str
    version: str
    citation: str
    effective_from: date
    effective_until: date | None = None
    departments: tuple[Department, ...]
    public_telephones: frozenset[str] = frozenset()


class ServiceFacts(Model, extra="forbid"):
    """What routing knows about a request type. `goal_days` are working days."""

    service_code: str
    group: str
    goal_days: int
    owner: str


class Services(Model, extra="forbid"):
    services_of: str
    version: str
    citation: str
    effective_from: date
    effective_until: date | None = None
    services: tuple[ServiceFacts, ...]


class Condition(Model, extra="forbid"):
    """Every given condition must hold; a list means any of its values; no condition always
    holds."""

    service_codes: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    place: tuple[PlaceKind, ...] = ()
    municipalities: tuple[str, ...] = ()
    layers: Mapping[str, tuple[str, ...]] = {}


class Outcome(Model, extra="forbid"):
    """`department` or `owner`; working days instead of the type's goal, if given."""

    department: str
    due_working_days: int | None = None


class Rule(Model, extra="forbid"):
    """One rule, for requests whose clock starts within its dates."""

    rule: str
    when: Condition
    then: Outcome
    reason: str
    effective_from: date | None = None
    effective_until: date | None = None

    def in_force(self, on: date) -> bool:
        return (self.effective_from or on) <= on <= (self.effective_until or on)


class Rules(Model, extra="forbid"):
    """The rules, in order; the first that matches decides."""

    rules_of: str
    version: str
    citation: str
    effective_from: date
    effective_until: date | None = None
    rules: tuple[Rule, ...]


# ---------------------------------------------------------------- deciding


class Facts(Model):
    """What is known about a request when it is routed; the place is as geo resolved it."""

    service_code: str
    received_at: datetime
    outcome: Literal["resolved", "unresolved", "outside"]
    municipality: str | None = None
    unincorporated: bool = False
    layers: Mapping[str, str] = {}

    @property
    def place(self) -> PlaceKind:
        """What kind of place it is. A point in neither kind of area has not been resolved."""
        if self.outcome != "resolved":
            return self.outcome
        if self.unincorporated:
            return "unincorporated"
        return "municipality" if self.municipality else "unresolved"


class Decision(Model):
    """Which department has the job, by which rule, its due date (a day in the county), and why in
    one sentence."""

    department: str
    rule_id: str
    rules_version: str
    due_on: date
    reason: str

    def handed_to(self, department: str, rule_id: str, reason: str) -> "Decision":
        """A copy for another department. The due date stays: it was promised to the reporter."""
        return replaced(self, department=department, rule_id=rule_id, reason=reason)


class Rulebook:
    """All the files combined, for decisions. Immutable."""

    def __init__(
        self,
        rules: Rules,
        services: Services,
        departments: Departments,
        calendar: WorkingCalendar,
    ) -> None:
        self.rules = rules
        self.calendar = calendar
        self.public_telephones = departments.public_telephones
        self.departments = {each.department: each for each in departments.departments}
        self.services = {each.service_code: each for each in services.services}
        self.department_of_owner = {
            owner: each.department for each in departments.departments for owner in each.owners
        }


def decide(facts: Facts, rulebook: Rulebook) -> Decision:
    """The first rule that matches. Every request gets a department, because the last rule matches
    everything. A type that is not in the files matches only rules without a type.
    """
    service = rulebook.services.get(facts.service_code)
    start = rulebook.calendar.starts_on(facts.received_at)
    for rule in rulebook.rules.rules:
        department = rule.then.department
        if department == OWNER:
            department = rulebook.department_of_owner.get(service.owner, "") if service else ""
        if not department or not rule.in_force(start) or not _fits(rule.when, facts, service):
            continue
        days = rule.then.due_working_days
        if days is None:
            days = service.goal_days if service else 0
        return Decision(
            department=department,
            rule_id=rule.rule,
            rules_version=rulebook.rules.version,
            due_on=working_days(rulebook.calendar, start, days),
            reason=rule.reason,
        )
    raise AssertionError("a checked rulebook ends with a rule that fits everything")


def _fits(when: Condition, facts: Facts, service: ServiceFacts | None) -> bool:
    return (
        (not when.service_codes or facts.service_code in when.service_codes)
        and (not when.owners or (service is not None and service.owner in when.owners))
        and (not when.groups or (service is not None and service.group in when.groups))
        and (not when.place or facts.place in when.place)
        and (not when.municipalities or _in_any(facts, when.municipalities))
        and all(
            layer in facts.layers and (not values or facts.layers[layer] in values)
            for layer, values in when.layers.items()
        )
    )


def _in_any(facts: Facts, municipalities: Iterable[str]) -> bool:
    if facts.place != "municipality" or facts.municipality is None:
        return False
    here = plain_name(facts.municipality)
    return any(plain_name(name) == here for name in municipalities)


def plain_name(municipality: str) -> str:
    """Makes `City_of_Opa-Locka` and `Opa-locka` the same city."""
    words = re.sub(r"[^a-z]+", " ", municipality.lower()).strip()
    return re.sub(r"^(?:city|town|village) of ", "", words)


# ---------------------------------------------------------------- checking


def department_problems(departments: Departments) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the departments: department, field and reason."""
    if not all(map(_TELEPHONE.fullmatch, departments.public_telephones)):
        yield "", "public_telephones", "must have ten digits each"
    codes = Counter(each.department for each in departments.departments)
    owners = Counter(owner for each in departments.departments for owner in each.owners)
    for each in departments.departments:
        code = each.department
        if not _DEPARTMENT.fullmatch(code) or code == OWNER:
            yield code, "department", "only a-z, 0-9 and _, beginning with a letter"
        if codes[code] > 1:
            yield code, "department", "named more than once"
        if each.topic != routed_topic(code):
            yield code, "topic", f"must be {routed_topic(code)}"
        for owner in each.owners:
            if owners[owner] > 1:
                yield code, "owners", f"{owner} stands for more than one department"


def service_problems(services: Services) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the services: service code, field and reason."""
    codes = Counter(each.service_code for each in services.services)
    for each in services.services:
        if codes[each.service_code] > 1:
            yield each.service_code, "service_code", "named more than once"
        if each.goal_days < 0:
            yield each.service_code, "goal_days", "is negative"


def rule_problems(
    rules: Rules, services: Services, departments: Departments
) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the rules, alone and with the other files: rule, field and reason."""
    names = Counter(each.rule for each in rules.rules)
    known = {each.department for each in departments.departments}
    owners = {each.owner for each in services.services}
    placed = {owner for each in departments.departments for owner in each.owners}
    groups = {each.group for each in services.services}
    codes = {each.service_code for each in services.services}
    for each in rules.rules:
        if names[each.rule] > 1:
            yield each.rule, "rule", "named more than once"
        if each.then.department not in {*known, OWNER}:
            yield each.rule, "then.department", "is not one of the departments"
        if (each.then.due_working_days or 0) < 0:
            yield each.rule, "then.due_working_days", "is negative"
        if not each.reason.strip():
            yield each.rule, "reason", "is empty"
        for field, used, existing in (
            ("owners", each.when.owners, owners),
            ("groups", each.when.groups, groups),
            ("service_codes", each.when.service_codes, codes),
        ):
            for value in used:
                if value not in existing:
                    yield each.rule, f"when.{field}", f"no type has {value}"
    for owner in sorted(owners - placed):
        yield "", "rules", f"no department stands for the owner {owner}"
    for each in rules.rules[:-1]:
        if _fits_everything(each):
            yield each.rule, "when", "matches everything, so no later rule is ever reached"
    if not rules.rules or not _fits_everything(rules.rules[-1]):
        yield (
            rules.rules[-1].rule if rules.rules else "",
            "when",
            "the last rule must match everything, without end date, and name a department",
        )


def _fits_everything(rule: Rule) -> bool:
    return (
        rule.when == Condition()
        and rule.then.department != OWNER
        and rule.effective_from is None
        and rule.effective_until is None
    )
