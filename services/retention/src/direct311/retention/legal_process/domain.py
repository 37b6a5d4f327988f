"""The rules of a legal process: what each instrument needs and opens, whom a liaison calls back,
and what a grant may name."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import chain
from types import MappingProxyType
from typing import Final, Literal

from direct311.retention.case_file.legal import (
    EXIGENT_REQUEST,
    INTERNAL_REFERRAL,
    LegalProcess,
    LegalScope,
)
from direct311.retention.cases.domain import (
    MOST_APPROVERS,
    CaseFile,
    CaseRules,
    CaseState,
    DocumentKind,
)
from direct311.runtime.errors import RefusedError
from direct311.schemas import Model, OnDate, replaced
from direct311.schemas import events as ev
from direct311.schemas.model import Code

Verified = Literal["instrument", "officer"]
NoticeRule = Literal["none", "delayed", "open"]
Problem = tuple[str, str, str]

MOST_PERSONS: Final = ev.MOST_IN_A_GRANT
MOST_HOURS: Final = 366 * 24
NOT_VERIFIED: Final = frozenset[CaseState]({"received", "verifying", "refused"})
"""The states of a case whose instrument and officer nobody has confirmed."""


DENIED: Final[Mapping[Verified, str]] = MappingProxyType(
    {"instrument": "not_genuine", "officer": "not_the_officer"}
)
"""Why the county refuses when the agency says no."""
SPOKEN: Final = frozenset({EXIGENT_REQUEST, INTERNAL_REFERRAL})
"""Instruments that nobody serves on paper; each has a call of its own."""


class FieldClass(Model, extra="forbid"):
    """Sealed fields that an instrument opens together."""

    opens: Code
    fields: tuple[str, ...]


class Instrument(Model, extra="forbid"):
    """By what somebody asks; see `data/instruments.yaml`."""

    instrument: Code
    title: str
    documents: tuple[DocumentKind, ...]
    issuer: str
    verify: tuple[Verified, ...]
    opens: tuple[Code, ...]
    most_persons: int
    approvers: tuple[str, ...]
    grant_hours: int | None = None
    follow_up_hours: int | None = None
    notice: NoticeRule
    citation: str
    confirmed: bool

    @property
    def longest_grant(self) -> timedelta | None:
        """For how long a grant is in force at most, if it says so itself."""
        return timedelta(hours=self.grant_hours) if self.grant_hours else None

    def follow_up_due(self, at: datetime) -> datetime | None:
        """When an instrument must have followed a grant that took effect then."""
        return at + timedelta(hours=self.follow_up_hours) if self.follow_up_hours else None


class InstrumentRules(Model, extra="forbid"):
    """The instruments, the classes of fields, and the codes."""

    instruments: str
    version: str
    citation: str
    effective_from: date
    effective_until: date | None = None
    classes: tuple[FieldClass, ...]
    refusals: tuple[Code, ...]
    objections: tuple[Code, ...]
    threats: tuple[Code, ...]
    referrals: tuple[Code, ...]
    ways: tuple[Code, ...]
    list: tuple[Instrument, ...]

    def of(self, code: str | None) -> Instrument | None:
        """The instrument with this code, if it is in force here."""
        return next((each for each in self.list if each.instrument == code), None)

    def opened_by(self, instrument: Instrument) -> frozenset[str]:
        """The fields that it opens."""
        classes = (each.fields for each in self.classes if each.opens in instrument.opens)
        return frozenset(chain.from_iterable(classes))

    def confirmed_only(self) -> "InstrumentRules":
        """A copy with what counsel has confirmed."""
        return replaced(self, list=tuple(each for each in self.list if each.confirmed))


class Agency(Model, extra="forbid"):
    """Whom a liaison calls back; see `data/agencies.yaml`. `sample`: it does not exist."""

    agency: Code
    name: str
    number: str
    published: str
    read_on: OnDate | None = None
    sample: bool = False
    confirmed: bool


class Agencies(Model, extra="forbid"):
    """The agencies, each once."""

    agencies: str
    version: str
    citation: str
    effective_from: date
    effective_until: date | None = None
    list: tuple[Agency, ...]

    def of(self, agency: str) -> Agency | None:
        """The agency with this id, if it is in force here."""
        return next((each for each in self.list if each.agency == agency), None)

    def confirmed_only(self) -> "Agencies":
        """A copy with the confirmed agencies that exist."""
        found = tuple(each for each in self.list if each.confirmed and not each.sample)
        return replaced(self, list=found)


def instrument_problems(
    rules: InstrumentRules, people: Collection[str], fields: Collection[str]
) -> Iterator[Problem]:
    """What is wrong with a file of instruments. `people`: the known roles. `fields`: the sealed
    fields that there are."""
    classes = [each.opens for each in rules.classes]
    yield from _twice(classes, "opens")
    yield from _twice(chain.from_iterable(each.fields for each in rules.classes), "fields")
    for opened in rules.classes:
        for field in opened.fields:
            if field not in fields:
                yield opened.opens, "fields", f"{field} is not a sealed field"
    for name in ("refusals", "objections", "threats", "referrals", "ways"):
        codes = getattr(rules, name)
        if not codes:
            yield rules.instruments, name, "is empty"
        yield from _twice(codes, name)
    for code in DENIED.values():
        if code not in rules.refusals:
            yield rules.instruments, "refusals", f"must have {code}"
    yield from _twice((each.instrument for each in rules.list), "instrument")
    for each in rules.list:
        yield from _of_one(each, classes, people)


def _of_one(
    each: Instrument, classes: Collection[str], people: Collection[str]
) -> Iterator[Problem]:
    name = each.instrument
    for field in ("verify", "opens", "approvers"):
        if not getattr(each, field):
            yield name, field, "is empty"
    if "officer" not in each.verify:
        yield name, "verify", "must have officer: nobody gets records unknown"
    if "instrument" in each.verify and not each.documents:
        yield name, "documents", "is empty, so there is nothing to verify"
    for opened in each.opens:
        if opened not in classes:
            yield name, "opens", f"{opened} is not a class of fields"
    for role in each.approvers:
        if role not in people:
            yield name, "approvers", f"{role} is not a role"
    if len(each.approvers) != len({*each.approvers}) or len(each.approvers) > MOST_APPROVERS:
        yield name, "approvers", f"must be at most {MOST_APPROVERS} different roles"
    if not 1 <= each.most_persons <= MOST_PERSONS:
        yield name, "most_persons", f"must be from 1 to {MOST_PERSONS}"
    for field in ("grant_hours", "follow_up_hours"):
        hours = getattr(each, field)
        if hours is not None and not 1 <= hours <= MOST_HOURS:
            yield name, field, f"must be from 1 to {MOST_HOURS}"
    if name == EXIGENT_REQUEST and not (each.grant_hours and each.follow_up_hours):
        yield name, "follow_up_hours", "needs grant_hours and follow_up_hours"
    if name == EXIGENT_REQUEST and "instrument" in each.verify:
        yield name, "verify", "must not have instrument: it follows later"
    if name not in SPOKEN and not each.documents:
        yield name, "documents", "is empty"


def agency_problems(agencies: Agencies) -> Iterator[Problem]:
    """What is wrong with a file of agencies."""
    yield from _twice((each.agency for each in agencies.list), "agency")
    yield from _twice((each.number for each in agencies.list), "number")
    for each in agencies.list:
        digits = each.number.replace(" ", "")
        if not (digits.startswith("+") and digits[1:].isdecimal() and 8 <= len(digits) <= 16):
            yield each.agency, "number", "must be an international number such as +1 305 555 0142"
        if each.confirmed and each.sample:
            yield each.agency, "confirmed", "nobody confirms a sample"
        if each.confirmed and each.read_on is None:
            yield each.agency, "read_on", "is missing: when was the published page read?"


def _twice(names: Iterable[str], field: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield name, field, "appears twice"
        seen.add(name)


def process_of(state: CaseFile) -> LegalProcess:
    """The legal process of a case; an empty one before anybody has said by what it was asked."""
    return state.legal or LegalProcess()


def is_verified(legal: LegalProcess, instrument: Instrument) -> bool:
    """Whether everything that the instrument needs was confirmed."""
    return {*instrument.verify} <= legal.confirmed()


def check_scope(rules: InstrumentRules, instrument: Instrument, scope: LegalScope) -> None:
    """Whether the instrument can open this.

    :raises RefusedError: it opens no such field, or is about too many people.
    """
    if not scope.fields or not (scope.record_ids or scope.found or scope.searches):
        raise RefusedError(
            "empty_grant", "Name at least one field, and a record or a search.", field="fields"
        )
    if not {*scope.fields} <= rules.opened_by(instrument):
        raise RefusedError(
            "outside_scope", "This instrument does not open all of these fields.", field="fields"
        )
    if scope.persons > instrument.most_persons:
        raise RefusedError(
            "outside_scope",
            f"This instrument is for at most {instrument.most_persons} people, one a record.",
            field="record_ids",
        )


class LegalDoor:
    """What a grant of a case may name, besides what the kind of case says."""

    def __init__(self, rules: InstrumentRules) -> None:
        self.rules = rules

    def approvers(self, state: CaseFile, kind: Sequence[str]) -> tuple[str, ...]:
        """In which roles somebody must approve a grant of this case. `kind`: what is said for its
        kind."""
        instrument = self._instrument(state)
        return instrument.approvers if instrument else tuple(kind)

    def all_approvers(self, rules: CaseRules) -> tuple[str, ...]:
        """Every role that approves some grant."""
        said = (role for each in self.rules.list for role in each.approvers)
        return tuple(dict.fromkeys((*rules.approvers, *said)))

    def grants_of(self, state: CaseFile, roles: Collection[str], rules: CaseRules) -> bool:
        """Whether one of these roles prepares, reviews or approves grants of this case."""
        if state.kind is None or not state.exists:
            return False
        needed = self.approvers(state, rules.of(state.kind).approvers)
        return state.kind in rules.granted_by(roles) or bool({*needed} & {*roles})

    def follow_up_due(self, state: CaseFile, at: datetime) -> datetime | None:
        """When an instrument must have followed a grant that takes effect then."""
        instrument = self._instrument(state)
        return instrument.follow_up_due(at) if instrument else None

    def check(self, state: CaseFile, grant: ev.DisclosureGrant, at: datetime) -> None:
        """Whether a case for law enforcement may have this grant now, whatever its kind allows.

        :raises RefusedError: nobody has verified the instrument, an objection stands, or the scope
            that was granted does not open it.
        """
        if state.kind != "law_enforcement":
            return
        legal, instrument = process_of(state), self._instrument(state)
        if instrument is None or state.state in NOT_VERIFIED or not is_verified(legal, instrument):
            raise RefusedError(
                "unverified_instrument", "Nobody has verified the instrument and the officer."
            )
        scope = legal.granted
        if scope is None:
            raise RefusedError("case_state", "Counsel and the desk have granted no scope yet.")
        if legal.objected:
            raise RefusedError("objection", "Somebody objects; nothing is opened until then.")
        longest = instrument.longest_grant
        if longest is not None and grant.valid_until > at + longest:
            raise RefusedError(
                "valid_until",
                f"It must end within {instrument.grant_hours} hours.",
                field="valid_until",
            )
        self._check_within(state, scope, instrument, grant, at)

    def exceeding(self, state: CaseFile, at: datetime) -> tuple[str, ...]:
        """The grants that are prepared or in force, and that the scope does not open any more, or
        all of them while an objection stands."""
        legal, instrument = process_of(state), self._instrument(state)
        standing = [
            each.grant for each in state.grants if each.state(at) in ("prepared", "approved")
        ]
        found = []
        for grant in standing:
            try:
                if instrument is None or legal.granted is None or legal.objected:
                    raise RefusedError("outside_scope", "Nothing is granted now.")
                self._check_within(state, legal.granted, instrument, grant, at)
            except RefusedError:
                found.append(grant.grant_id)
        return tuple(found)

    def _check_within(
        self,
        state: CaseFile,
        scope: LegalScope,
        instrument: Instrument,
        grant: ev.DisclosureGrant,
        at: datetime,
    ) -> None:
        outside = RefusedError("outside_scope", "The scope that was granted does not open this.")
        if not {*grant.fields} <= {*scope.fields} & self.rules.opened_by(instrument):
            raise outside
        if not {*grant.file_ids} <= {*scope.file_ids}:
            raise outside
        others = [
            each
            for each in state.grants
            if each.grant.grant_id != grant.grant_id
            and (each.approved_at or each.state(at) == "prepared")
        ]
        # Records and searches count over all grants, or several small ones would open more.
        ever = {each for given in process_of(state).scopes for each in given.scope.record_ids}
        found = {*grant.record_ids} - {*scope.record_ids}
        searches = {each.kind: each.number for each in grant.searches}
        for other in others:
            found |= {*other.grant.record_ids} - ever
            for search in other.grant.searches:
                if search.kind in searches:
                    searches[search.kind] += search.number
        if len(found) > scope.found:
            raise outside
        allowed = {each.kind: each.number for each in scope.searches}
        if any(number > allowed.get(kind, 0) for kind, number in searches.items()):
            raise outside

    def _instrument(self, state: CaseFile) -> Instrument | None:
        if state.kind != "law_enforcement" or state.legal is None:
            return None
        return self.rules.of(state.legal.instrument)
