"""A purpose for every access: who may open which sealed field, decided from a file of rules.

The file (`data/access.yaml`, or the county's own) lists purposes, roles and fields; this module
knows the kinds of conditions, and the minimum that every file must require. Deciding is pure: the
same question always gets the same answer, and the answer names the rule and the rule set it came
from.
"""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field

from direct311.runtime.access.approvals import NotApprovedError, approvers_of
from direct311.runtime.access.grants import CaseGrant, GrantedUse, lacking
from direct311.runtime.access.reasons import (
    A_REASON,
    A_REFERENCE,
    IN_DANGER,
    as_reference,
    is_emergency_reason,
    is_reason,
    is_reference,
)
from direct311.runtime.datafile import Problem, load, packaged
from direct311.schemas import Model
from direct311.schemas.claims import holder_of
from direct311.schemas.unicode import normalized

Authentication = Literal["oidc", "service", "signed_link", "api_key", "none"]
Precondition = Literal["none", "assigned", "disclosure_case", "signed_link"]
Obligation = Literal["open_review"]
Sensitivity = Literal["contact", "content"]

SUBJECT = "access-rules"
"""The purpose named in the approvals of a file of rules."""


# ---------------------------------------------------------------- the question


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `sub` comes from the token; for a service it is `svc:` and the name that the
    principals file gives its client id. `via` is the service that brought the request; `issuer` is
    the identity provider that issued the token `token_id`; `link_record_id` is the record that a
    resident's signed link opens; `address` is a keyed hash of where the request came from. `source`
    is the same, for residents too; it is used for limits in memory and never written down."""

    sub: str
    roles: tuple[str, ...] = ()
    department: str | None = None
    token_id: str | None = None
    authentication: Authentication = "oidc"
    via: str | None = None
    issuer: str | None = None
    link_record_id: str | None = None
    address: str | None = None
    source: str | None = dataclasses.field(default=None, compare=False, repr=False)

    def behind(self, service: str) -> "Caller":
        """A copy for the same person, whose request the service `service` brings."""
        return replace(self, via=service)


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """What the decision needs to know about the record; `record_id` and `assigned_department` are
    `None` for a search over all records. `desks`: for a case file, the roles whose desk keeps it.
    It is assigned to them, and nobody else opens it.

    For a disclosure case: `grants` are the case's genuine grants; `file_id` is the one file to
    open; `search` is the kind of search, and `searched` how many of that kind came before it.
    """

    record_id: str | None = None
    assigned_department: str | None = None
    desks: tuple[str, ...] = ()
    grants: tuple[CaseGrant, ...] = ()
    file_id: str | None = None
    search: str | None = None
    searched: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer. `rule_id`: the grant that allowed, or the kind of refusal.

    `needed`: what the caller lacks, in words that may be shown; empty if allowed. `fields`: what
    may be opened, a subset of what was requested; empty if refused. `obligations`: what must
    follow. `policy_hash`: SHA-256 (hex) of the file of rules. `legal_basis`: the purpose's
    citation. `sensitivity` of the requested fields: `contact`, `content`, or `None` if there are
    none. `unsaid`: the part of the question that is missing, `reference` or `justification`.
    `roles`: the caller's roles that allowed it.
    """

    allowed: bool
    rule_id: str
    needed: str
    fields: tuple[str, ...]
    obligations: tuple[str, ...]
    policy_hash: str
    legal_basis: str | None
    sensitivity: Sensitivity | None = None
    unsaid: str | None = None
    roles: tuple[str, ...] = ()


# ---------------------------------------------------------------- the file


class SealedField(Model, extra="forbid"):
    """A field that may be requested. `contact`: it reaches or locates the person."""

    field: str
    contact: bool
    description: str


class Purpose(Model, extra="forbid"):
    """A purpose that the policy or the law gives, and what it requires. `reference_form`: a regular
    expression that the whole reference must match, instead of the file's."""

    purpose: str
    sentence: str
    citation: str
    precondition: Precondition
    unless_roles: tuple[str, ...] = ()
    reference: str | None = None
    reference_form: str | None = None
    justification: str | None = None
    obligations: tuple[Obligation, ...] = ()
    effective_from: date | None = None
    effective_until: date | None = None


class Grant(Model, extra="forbid"):
    """A role may use a purpose for these fields; `subjects` narrows it to callers of that `sub`.
    `svc:NAME` is the service NAME, known by its client id."""

    rule: str
    purpose: str
    fields: tuple[str, ...]
    subjects: tuple[str, ...] = ()
    effective_from: date | None = None
    effective_until: date | None = None


_RATE = r"^[1-9]\d{0,6}/(second|minute|hour|day)$"


class Rate(Model, extra="forbid"):
    """How many openings, such as `600/hour`, for one person and for everybody with the role, in
    each copy of a service."""

    person: Annotated[str, Field(pattern=_RATE)]
    role: Annotated[str, Field(pattern=_RATE)]


class Role(Model, extra="forbid"):
    role: str
    title: str
    grants: tuple[Grant, ...]
    rate: Rate | None = None


class AccessRules(Model, extra="forbid"):
    """The whole file. Dates are UTC days; `effective_until` is the last day in force.
    `reference_form`: a pattern that every whole reference must match, in addition to the general
    rules."""

    access: str
    version: str
    citation: str
    effective_from: date
    effective_until: date | None = None
    reference_form: str | None = None
    fields: tuple[SealedField, ...]
    purposes: tuple[Purpose, ...]
    roles: tuple[Role, ...]


@dataclass(frozen=True, slots=True)
class Floor:
    """The minimum that any file must require for a purpose. `unless_roles`: roles that a file may
    exempt from the precondition. `danger`: a justification of a word or two is enough.
    `persons`: whether the purpose may open contact fields and the search by person.
    `never_persons`: roles that, for this purpose, may not."""

    precondition: Precondition = "none"
    reference: bool = False
    justification: bool = False
    review: bool = False
    persons: bool = True
    unless_roles: frozenset[str] = frozenset()
    danger: bool = False
    never_persons: frozenset[str] = frozenset()


BY_CASE = frozenset({"counsel", "custodian"})
"""Roles that reach a person only through the grant of a disclosure case. A reference that nobody
checks is none."""

PERSON_INDEX = "person_index"
"""The field that stands for the search by person."""

TIED = frozenset({"department", "inspector"})
"""Roles that may open only what is assigned to their department now, for every purpose and whatever
a file says."""


def works_for(caller: Caller, department: str | None) -> bool:
    """Whether the caller has a role tied to a department, and it is this department."""
    return (
        bool(department) and caller.department == department and not TIED.isdisjoint(caller.roles)
    )


PURPOSES: Mapping[str, Floor] = MappingProxyType(
    {
        "respond": Floor("assigned", unless_roles=frozenset({"agent", "service"})),
        "county_business": Floor(
            "assigned",
            reference=True,
            unless_roles=frozenset({"agent", "counsel", "custodian", "admin", "service"}),
            never_persons=BY_CASE,
        ),
        "public_safety": Floor(justification=True, review=True, danger=True),
        "emergency_assistance": Floor(justification=True, review=True, danger=True),
        "public_records": Floor("disclosure_case", reference=True),
        "law_enforcement": Floor("disclosure_case", reference=True),
        "authorised_audit": Floor(reference=True),
        "retention": Floor(persons=False),
        "subject_access": Floor("signed_link"),
    }
)
"""The closed list. A purpose may be added only here, in public, with a decision record."""

_TRADE = re.compile(
    r"\b(?:re)?(?:market\w*|commerc\w*|sale|sales|sell\w*|sold|exchang\w*|advert\w*|moneti[sz]\w*"
    r"|promot\w*|telemarket\w*|broker\w*|mercad\w*|comerc\w*|publicid\w*|ventas?|vend\w*)"
)
"""English and Spanish words for trade in personal information, which the policy forbids (P12)."""


def problems(rules: AccessRules) -> Iterator[Problem]:
    """What is wrong with a file of rules: entry, field and reason."""
    contact = {each.field: each.contact for each in rules.fields}
    declared = {each.purpose: each for each in rules.purposes}
    yield from _once("fields", (each.field for each in rules.fields))
    yield from _once("purposes", (each.purpose for each in rules.purposes))
    yield from _once("roles", (each.role for each in rules.roles))
    yield from _once("grants", (grant.rule for role in rules.roles for grant in role.grants))
    yield from (("", *rest) for rest in _form_problems(rules.reference_form))
    for purpose in rules.purposes:
        yield from ((purpose.purpose, *rest) for rest in _purpose_problems(purpose))
    for role in rules.roles:
        yield from ((role.role, *rest) for rest in _trade({"role": role.role, "title": role.title}))
        for grant in role.grants:
            entry = f"{role.role}: grants[{grant.rule}]"
            trade = list(_trade({"purpose": grant.purpose, "rule": grant.rule}))
            yield from ((entry, *rest) for rest in trade)
            if grant.purpose not in declared and not trade:
                yield entry, "purpose", "is not a purpose in this file"
            elif role.role in TIED and not _asks(declared.get(grant.purpose)):
                yield entry, "purpose", "this role needs a purpose that requires the assignment"
            for field in grant.fields:
                if field not in contact:
                    yield entry, "fields", f"{field} is not a field in this file"
                    continue
                if not _reaches_people(field, contact[field]):
                    continue
                floor = PURPOSES.get(grant.purpose, Floor())
                if not floor.persons:
                    yield entry, "fields", f"{field} reaches the person, which this purpose may not"
                elif role.role in floor.never_persons:
                    yield (
                        entry,
                        "fields",
                        f"{field} reaches the person, which this role may only under the grant of "
                        "a disclosure case",
                    )


def _asks(purpose: Purpose | None) -> bool:
    return purpose is None or purpose.precondition != "none"


def _purpose_problems(purpose: Purpose) -> Iterator[tuple[str, str]]:
    trade = list(_trade({"purpose": purpose.purpose, "sentence": purpose.sentence}))
    yield from trade
    floor = PURPOSES.get(purpose.purpose)
    if floor is None:
        if not trade:
            yield "purpose", f"is not in the closed list ({', '.join(PURPOSES)})"
        return
    if not purpose.citation.strip():
        yield "citation", "a purpose needs the sentence of policy or law that it comes from"
    if floor.precondition not in ("none", purpose.precondition):
        yield "precondition", f"must be {floor.precondition}"
    unfree = set(purpose.unless_roles)
    # A precondition that the file adds may exempt anybody except roles tied to a department.
    unfree &= TIED if floor.precondition == "none" else unfree - floor.unless_roles
    if unfree:
        yield "unless_roles", f"cannot exempt {', '.join(sorted(unfree))} from the precondition"
    if floor.reference and not (purpose.reference or "").strip():
        yield "reference", "must be asked for"
    yield from _form_problems(purpose.reference_form)
    if purpose.reference_form is not None and not (purpose.reference or "").strip():
        yield "reference_form", "describes a reference that is not required"
    if floor.justification and not (purpose.justification or "").strip():
        yield "justification", "must be asked for"
    if floor.review and "open_review" not in purpose.obligations:
        yield "obligations", "must require a review"


def _form_problems(form: str | None) -> Iterator[tuple[str, str]]:
    if form is None:
        return
    try:
        re.compile(form)
    except re.error:
        yield "reference_form", "is not a regular expression"


def _trade(texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for field, text in texts.items():
        plain = normalized("NFKD", text).encode("ascii", "ignore").decode().lower()
        words = re.sub(r"[^a-z]+", " ", plain)
        if _TRADE.search(words) or _TRADE.search(words.replace(" ", "")):
            yield (
                field,
                "personal information is never used for marketing, and never sold, exchanged or "
                "distributed for it (P12): no such purpose can be loaded",
            )


def _once(where: str, names: Iterable[str]) -> Iterator[Problem]:
    for name, times in Counter(names).items():
        if times > 1:
            yield name, where, "named more than once"


# ---------------------------------------------------------------- the answer


class AccessPolicy:
    """Decides by one set of rules. Immutable; `hash` is the SHA-256 of the file's bytes, and
    `approved_by` names the people who approved the county's own file."""

    def __init__(self, rules: AccessRules, sha256: str, approved_by: tuple[str, ...] = ()) -> None:
        self.rules = rules
        self.hash = sha256
        self.approved_by = approved_by
        self._purposes = {each.purpose: each for each in rules.purposes}
        self._fields = {each.field: each.contact for each in rules.fields}
        self._roles = {each.role: each for each in rules.roles}

    def known(self, purpose: str, fields: Iterable[str]) -> tuple[str, tuple[str, ...]]:
        """The parts of a question that may be written down: names from the lists, and `unknown` in
        place of any other purpose. A caller could make up anything, even a person's name."""
        found = tuple(name for name in dict.fromkeys(fields) if name in self._fields)
        return (purpose if purpose in self._purposes else "unknown"), found

    def decide(
        self,
        caller: Caller,
        purpose: str,
        fields: Iterable[str],
        facts: RecordFacts,
        *,
        reference: str | None = None,
        justification: str | None = None,
        at: datetime,
    ) -> Decision:
        """Whether `caller` may open `fields` of the record for `purpose`, and what it lacks.

        All or nothing: one field too many leads to a refusal that names it. The answer repeats
        nothing from the question except field names from the closed list.
        """
        asked = tuple(dict.fromkeys(fields))
        on = at.astimezone(UTC).date()
        rule = self._purposes.get(purpose)
        sensitivity = self._sensitivity(asked)

        def refuse(rule_id: str, needed: str, unsaid: str | None = None) -> Decision:
            return Decision(
                allowed=False,
                rule_id=f"refused:{rule_id}",
                needed=needed,
                fields=(),
                obligations=(),
                policy_hash=self.hash,
                legal_basis=rule.citation if rule else None,
                sensitivity=sensitivity,
                unsaid=unsaid,
            )

        if not _in_force(on, self.rules.effective_from, self.rules.effective_until):
            return refuse("rules-not-in-force", "These rules are not in force on this day.")
        if rule is None or not _in_force(on, rule.effective_from, rule.effective_until):
            return refuse("purpose-unknown", f"A purpose of the list: {', '.join(self._purposes)}.")
        if not self._fields.keys() >= set(asked):
            return refuse("field-unknown", "Only fields from the list can be opened.")
        granted = [
            (role, grant)
            for role in caller.roles
            if role in self._roles and (role != "service" or caller.authentication == "service")
            for grant in self._roles[role].grants
            if grant.purpose == purpose
            and (not grant.subjects or caller.sub in grant.subjects)
            and _in_force(on, grant.effective_from, grant.effective_until)
        ]
        if not granted:
            return refuse("role", "A role that may use this purpose.")
        if missing := _uncovered(asked, granted):
            needed = f"Not for this purpose and role: {', '.join(missing)}."
            roles = {role for role, _ in granted}
            if roles <= PURPOSES[purpose].never_persons and any(map(self._reaches, missing)):
                needed += f" {_BY_CASE_ONLY}"
            return refuse("fields", needed)
        if rule.reference and not self._refers(rule, reference):
            return refuse("reference", f"Say {rule.reference}. {A_REFERENCE}", "reference")
        if rule.justification and not self._justifies(purpose, justification):
            wanted = IN_DANGER if PURPOSES[purpose].danger else A_REASON
            return refuse("justification", f"Say {rule.justification}. {wanted}", "justification")
        use = GrantedUse(
            caller.sub,
            purpose,
            asked,
            reference,
            at,
            facts.record_id,
            facts.file_id,
            facts.search,
            facts.searched,
        )
        unmet = {role: _unmet(rule, role, caller, facts, use) for role, _ in granted}
        granted = [(role, grant) for role, grant in granted if unmet[role] is None]
        if not granted or _uncovered(asked, granted):
            return refuse(*next(filter(None, unmet.values())))
        used = dict.fromkeys(
            grant.rule
            for _, grant in granted
            if not asked or any(field in grant.fields for field in asked)
        )
        return Decision(
            allowed=True,
            rule_id="+".join(used),
            needed="",
            fields=asked,
            obligations=rule.obligations,
            policy_hash=self.hash,
            legal_basis=rule.citation,
            sensitivity=sensitivity,
            roles=tuple(dict.fromkeys(role for role, _ in granted)),
        )

    def held_elsewhere(self, decision: Decision) -> Decision:
        """Turns an allowed decision into a refusal, because another service holds the fields."""
        return replace(
            decision,
            allowed=False,
            rule_id="refused:field-unknown",
            needed="Only fields that this service holds can be opened here.",
            fields=(),
            obligations=(),
        )

    def _justifies(self, purpose: str, justification: str | None) -> bool:
        enough = is_emergency_reason if PURPOSES[purpose].danger else is_reason
        return enough(justification)

    def _refers(self, rule: Purpose, reference: str | None) -> bool:
        """Whether it is a reference, and has the form that these rules require."""
        form = rule.reference_form or self.rules.reference_form
        return is_reference(reference) and (
            form is None or re.fullmatch(form, as_reference(reference or "")) is not None
        )

    def too_often(self, decision: Decision, seconds: int) -> Decision:
        """Turns an allowed decision into a refusal, because there were too many before it."""
        return replace(
            decision,
            allowed=False,
            rule_id="refused:rate",
            needed=f"Too many openings; the next is possible in {seconds} seconds.",
            fields=(),
            obligations=(),
        )

    @property
    def rates(self) -> Mapping[str, Rate]:
        """The rates by role."""
        return {name: role.rate for name, role in self._roles.items() if role.rate is not None}

    def _reaches(self, field: str) -> bool:
        """Whether the field reaches, locates or finds a person."""
        return _reaches_people(field, self._fields[field])

    def _sensitivity(self, fields: Iterable[str]) -> Sensitivity | None:
        contact = [self._fields[name] for name in fields if name in self._fields]
        return ("contact" if any(contact) else "content") if contact else None


def _reaches_people(field: str, contact: bool) -> bool:
    """Whether a field reaches, locates or finds the people of a request. The contact data in a case
    file is that of whoever asked for records; its desk answers them."""
    return (contact or field == PERSON_INDEX) and holder_of(field) != "retention"


_BY_CASE_ONLY = (
    "As county business, counsel and custodians open no contact data and search for no person. "
    "That needs the grant of a disclosure case, with the purpose public_records or "
    "law_enforcement."
)


def _uncovered(asked: tuple[str, ...], granted: list[tuple[str, Grant]]) -> list[str]:
    covered = {field for _, grant in granted for field in grant.fields}
    return [field for field in asked if field not in covered]


def _unmet(
    rule: Purpose, role: str, caller: Caller, facts: RecordFacts, use: GrantedUse
) -> tuple[str, str] | None:
    """What the role lacks, as a rule and in words; `None` if it lacks nothing."""
    if role in TIED and not _is_assigned(caller, facts):
        return "assigned", _NOT_ASSIGNED
    if facts.desks:
        if role not in facts.desks:
            return "assigned", "The case file must be kept at your desk."
        if rule.precondition == "assigned":
            return None
    if role in rule.unless_roles:
        return None
    if rule.precondition == "disclosure_case":
        return lacking(facts.grants, use)
    needed = _needed(rule.precondition, caller, facts)
    return None if needed is None else (rule.precondition, needed)


_NOT_ASSIGNED = "The request must be assigned to your department."


def _is_assigned(caller: Caller, facts: RecordFacts) -> bool:
    """Whether the record belongs to the caller's department now. A search is not about any
    record."""
    return bool(
        facts.record_id and caller.department and caller.department == facts.assigned_department
    )


def _needed(precondition: Precondition, caller: Caller, facts: RecordFacts) -> str | None:
    if precondition == "assigned":
        return None if _is_assigned(caller, facts) else _NOT_ASSIGNED
    if precondition == "signed_link":
        if (
            caller.authentication == "signed_link"
            and caller.link_record_id is not None
            and caller.link_record_id == facts.record_id
        ):
            return None
        return "The signed link of this very request."
    return None


def _in_force(on: date, start: date | None, end: date | None) -> bool:
    return (start is None or start <= on) and (end is None or on <= end)


def load_access_policy(
    path: Path | None = None, approvers: Path | None = None, *, rules_only: bool = False
) -> AccessPolicy:
    """The county's own file at `path`, or the one packaged here. `approvers`: the file of
    approvers, two of whom must have approved the county's own file. `rules_only` checks only the
    rules, for people who are about to approve them.

    :raises DataFileError: the file is invalid. :raises NotApprovedError: two people have not
    approved it.
    """
    file = load(AccessRules, path or packaged("direct311.runtime", "access.yaml"), problems)
    if path is None or rules_only:
        return AccessPolicy(file.content, file.sha256)
    if approvers is None:
        raise NotApprovedError(f"{path.name} needs a file of approvers; set …_APPROVERS_FILE too")
    return AccessPolicy(file.content, file.sha256, approvers_of(SUBJECT, path, approvers))
