"""The register of disclosure cases: what the signed events of a case say, put together.

Every event of a case is an entry of the log. The register keeps nothing of its own: it reads these
entries, so that what it says of a case can be proved, step by step.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import get_args

from direct311.schemas import Instant, Model, nothing
from direct311.schemas import events as ev

CLOSED = "closed"
"""The state of a case in which nothing is left to do; its step says the outcome as its code."""
WITHHELD = "withheld"
"""The count of a release that says how many items were withheld."""


class CaseAct(Model):
    """One entry of a case: `step` is what was done, `actor` who did it. Codes, counts and hashes
    (SHA-256, hex) are those of the event; `state` is the state after it, if it says one."""

    index: int
    event_id: str
    event: str
    version: int
    step: str
    state: str | None = None
    actor: str
    codes: tuple[str, ...] = ()
    counts: Mapping[str, int] = nothing()
    hashes: Mapping[str, str] = nothing()
    occurred_at: Instant


class CaseGrant(Model):
    """A grant that took effect: who prepared and approved it, what it opens, and how it ended."""

    grant_id: str
    prepared_by: str
    approved_by: tuple[str, ...]
    approved_at: Instant
    records: int
    files: int
    fields: tuple[str, ...]
    searches: Mapping[str, int]
    workers: tuple[str, ...]
    valid_until: Instant
    revoked_at: Instant | None = None
    revoked_by: str | None = None
    reason: str | None = None


class CaseRelease(Model):
    """A package that went out. `event_id`: the entry whose receipt belongs to the package."""

    event_id: str
    package: str
    counts: Mapping[str, int]
    recipient: str
    released_by: str
    approved_by: tuple[str, ...]
    released_at: Instant


class RegisteredCase(Model):
    """A case. `exempt`: from inspection, now. `outcome`: the code of its last closing, as long as
    it is closed."""

    case_id: str
    kind: ev.CaseKind
    state: str
    outcome: str | None
    exempt: bool
    first_at: Instant
    last_at: Instant
    closed_at: Instant | None
    steps: tuple[CaseAct, ...]
    grants: tuple[CaseGrant, ...]
    releases: tuple[CaseRelease, ...]


class KindReport(Model):
    """Cases of one kind that were received in a year. `outcomes` counts the closed ones by outcome;
    `median_days` is their time from the first step to the last closing."""

    kind: ev.CaseKind
    received: int = 0
    open: int = 0
    closed: int = 0
    outcomes: Mapping[str, int] = nothing()
    median_days: float | None = None
    released: int = 0
    releases: int = 0
    withheld: int = 0
    grants: int = 0
    revoked: int = 0


Said = tuple[int, str, ev.DisclosureEvent]
"""An entry's number, its event's id, and what the event says."""


def case_of(said: Sequence[Said], *, exempt: bool) -> RegisteredCase:
    """The case of which these entries (at least one) tell."""
    ordered = sorted(said, key=lambda each: (each[2].version, each[0]))
    acts = tuple(_act(*each) for each in ordered)
    states = [act for act in acts if act.state is not None]
    closings = [act for act in states if act.state == CLOSED]
    last = states[-1] if states else acts[-1]
    closed = last.state == CLOSED
    latest = ordered[-1][2]
    return RegisteredCase(
        case_id=latest.case_id,
        kind=latest.kind,
        state=last.state or "",
        outcome=next(iter(last.codes), None) if closed else None,
        exempt=exempt,
        first_at=min(act.occurred_at for act in acts),
        last_at=max(act.occurred_at for act in acts),
        closed_at=closings[-1].occurred_at if closed else None,
        steps=acts,
        grants=_grants([event for _, _, event in ordered]),
        releases=tuple(
            _release(event_id, event)
            for _, event_id, event in ordered
            if isinstance(event, ev.DisclosureReleased)
        ),
    )


def report_of(cases: Iterable[RegisteredCase]) -> tuple[KindReport, ...]:
    """A line for each kind of case, also for one without cases."""
    of: dict[str, list[RegisteredCase]] = {kind: [] for kind in get_args(ev.CaseKind)}
    for case in cases:
        of[case.kind].append(case)
    return tuple(_line(kind, of[kind]) for kind in get_args(ev.CaseKind))


def _line(kind: ev.CaseKind, cases: Sequence[RegisteredCase]) -> KindReport:
    closed = [case for case in cases if case.closed_at is not None]
    days = [
        (case.closed_at - case.first_at) / timedelta(days=1)
        for case in closed
        if case.closed_at is not None
    ]
    releases = [release for case in cases for release in case.releases]
    grants = [grant for case in cases for grant in case.grants]
    return KindReport(
        kind=kind,
        received=len(cases),
        open=len(cases) - len(closed),
        closed=len(closed),
        outcomes=dict(sorted(Counter(case.outcome or "none" for case in closed).items())),
        median_days=round(median(days), 1) if days else None,
        released=sum(bool(case.releases) for case in cases),
        releases=len(releases),
        withheld=sum(release.counts.get(WITHHELD, 0) for release in releases),
        grants=len(grants),
        revoked=sum(grant.revoked_at is not None for grant in grants),
    )


def _act(index: int, event_id: str, event: ev.DisclosureEvent) -> CaseAct:
    step, actor, at, more = _told(event)
    return CaseAct(
        index=index,
        event_id=event_id,
        event=_NAMES[type(event)],
        version=event.version,
        step=step,
        actor=actor,
        occurred_at=at,
        **more,
    )


_NAMES: Mapping[type[ev.DisclosureEvent], str] = {
    ev.DisclosureRecorded: "disclosure.recorded",
    ev.DisclosureApproved: "disclosure.approved",
    ev.DisclosureRevoked: "disclosure.revoked",
    ev.DisclosureReleased: "disclosure.released",
}


def _told(event: ev.DisclosureEvent) -> tuple[str, str, datetime, dict[str, object]]:
    """Step, actor, time, and what else an event says."""
    match event:
        case ev.DisclosureRecorded():
            more: dict[str, object] = {
                "state": event.state,
                "codes": event.codes,
                "counts": event.counts,
                "hashes": event.hashes,
            }
            return event.step, event.actor, event.occurred_at, more
        case ev.DisclosureApproved():
            last = event.approvals[-1]
            return "grant", last.approver, last.approved_at, {}
        case ev.DisclosureRevoked():
            return "revoke", event.revoked_by, event.revoked_at, {"codes": (event.reason,)}
        case ev.DisclosureReleased():
            more = {"counts": event.counts, "hashes": {"package": event.package}}
            return "release", event.released_by, event.released_at, more
        case _:
            raise TypeError(type(event))


def _grants(events: Sequence[ev.DisclosureEvent]) -> tuple[CaseGrant, ...]:
    ends = {each.grant_id: each for each in events if isinstance(each, ev.DisclosureRevoked)}
    return tuple(
        _grant(each, ends.get(each.grant.grant_id))
        for each in events
        if isinstance(each, ev.DisclosureApproved)
    )


def _grant(event: ev.DisclosureApproved, end: ev.DisclosureRevoked | None) -> CaseGrant:
    grant = event.grant
    return CaseGrant(
        grant_id=grant.grant_id,
        prepared_by=grant.prepared_by,
        approved_by=tuple(each.approver for each in event.approvals),
        approved_at=event.approvals[-1].approved_at,
        records=len(grant.record_ids),
        files=len(grant.file_ids),
        fields=grant.fields,
        searches={each.kind: each.number for each in grant.searches},
        workers=grant.workers,
        valid_until=grant.valid_until,
        revoked_at=end and end.revoked_at,
        revoked_by=end and end.revoked_by,
        reason=end and end.reason,
    )


def _release(event_id: str, event: ev.DisclosureReleased) -> CaseRelease:
    return CaseRelease(
        event_id=event_id,
        package=event.package,
        counts=event.counts,
        recipient=event.recipient,
        released_by=event.released_by,
        approved_by=tuple(each.approver for each in event.approvals),
        released_at=event.released_at,
    )
