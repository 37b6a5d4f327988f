"""Cases of law enforcement by the instrument with which somebody asked, for the yearly report."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from statistics import median

from direct311.audit.questions.domain.register import CaseAct, RegisteredCase, Said
from direct311.schemas import Model, nothing
from direct311.schemas import events as ev

EXIGENT = "exigent_request"
REFERRAL = "internal_referral"
UNKNOWN = "none"
"""The line of cases in which nobody called back about an instrument."""


class InstrumentReport(Model):
    """Cases received in a year that came with one instrument: what the last call-back was about, an
    exigent request or a referral by the county itself.

    `persons_at_most`: different records in their grants, added over the cases; each record has at
    most one reporter. `granted`: cases with a grant that took effect. `narrowed`: cases in which
    less was granted than was asked. `refused`, `objected`: cases that were, at some time.
    `followed_up`, `not_followed_up`: granted exigent cases that a verified instrument followed, or
    did not follow. `median_days` as in the report by kind.
    """

    instrument: str
    received: int = 0
    open: int = 0
    closed: int = 0
    outcomes: Mapping[str, int] = nothing()
    refused: int = 0
    granted: int = 0
    persons_at_most: int = 0
    narrowed: int = 0
    objected: int = 0
    followed_up: int = 0
    not_followed_up: int = 0
    released: int = 0
    withheld: int = 0
    median_days: float | None = None


def persons_at_most(said: Iterable[Said]) -> int:
    """How many different records the grants of a case name."""
    grants = (event.grant for *_, event in said if isinstance(event, ev.DisclosureApproved))
    return len({record_id for grant in grants for record_id in grant.record_ids})


def by_instrument(
    cases: Iterable[RegisteredCase], persons: Mapping[str, int]
) -> tuple[InstrumentReport, ...]:
    """A line for each instrument that a case came with, by its name. `persons`: the most people
    whom each case may be about."""
    of: dict[str, list[RegisteredCase]] = {}
    for case in cases:
        if case.kind != "public_records":
            of.setdefault(instrument_of(case), []).append(case)
    return tuple(_line(name, of[name], persons) for name in sorted(of))


def instrument_of(case: RegisteredCase) -> str:
    """The instrument with which somebody asked. One that follows an exigent request does not make
    it another request."""
    if case.kind == "referral":
        return REFERRAL
    found = UNKNOWN
    for act in case.steps:
        match act.step, act.codes:
            case "opened", (code, *_):
                found = code
            case "exigent", _:
                found = EXIGENT
            case (("called_back" | "refused"), (_, code, _, _, *_)):
                found = code
            case _:
                continue
    return found


def _line(
    name: str, cases: Sequence[RegisteredCase], persons: Mapping[str, int]
) -> InstrumentReport:
    closed = [case for case in cases if case.closed_at is not None]
    days = [
        (case.closed_at - case.first_at) / timedelta(days=1)
        for case in closed
        if case.closed_at is not None
    ]
    granted = [case for case in cases if case.grants]
    followed = [case for case in granted if any(map(_followed, case.steps))]
    exigent = len(granted) if name == EXIGENT else 0
    return InstrumentReport(
        instrument=name,
        received=len(cases),
        open=len(cases) - len(closed),
        closed=len(closed),
        outcomes=dict(sorted(Counter(case.outcome or "none" for case in closed).items())),
        refused=_with(cases, "refused"),
        granted=len(granted),
        persons_at_most=sum(persons.get(case.case_id, 0) for case in granted),
        narrowed=sum(any(map(_narrowed, case.steps)) for case in cases),
        objected=_with(cases, "objected"),
        followed_up=len(followed) if exigent else 0,
        not_followed_up=exigent - len(followed) if exigent else 0,
        released=sum(bool(case.releases) for case in cases),
        withheld=sum(each.counts.get("withheld", 0) for case in cases for each in case.releases),
        median_days=round(median(days), 1) if days else None,
    )


def _with(cases: Iterable[RegisteredCase], step: str) -> int:
    return sum(any(act.step == step for act in case.steps) for case in cases)


def _narrowed(act: CaseAct) -> bool:
    return act.step == "narrowed" or (act.step == "scoped" and "narrowed" in act.codes)


def _followed(act: CaseAct) -> bool:
    return act.step == "followed_up" and act.codes[-1:] == ("confirmed",)
