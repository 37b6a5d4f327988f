"""What of a case, and which holds, wait for an approval, and for whose."""

from collections.abc import Collection, Iterator
from datetime import datetime

from direct311.retention.approvals.domain import Waiting
from direct311.retention.cases.domain import CaseFile, KindRules
from direct311.retention.holds.domain import Hold
from direct311.retention.legal_process.domain import LegalDoor
from direct311.runtime.errors import RefusedError
from direct311.runtime.persons import same_person


def grants(
    case: CaseFile,
    rules: KindRules,
    door: LegalDoor,
    sub: str,
    roles: Collection[str],
    at: datetime,
) -> Iterator[Waiting]:
    """Prepared grants that still need one of these roles, and that the case may have now."""
    needed = door.approvers(case, rules.approvers)
    for issued in case.grants:
        grant = issued.grant
        if issued.state(at) != "prepared":
            continue
        others = (grant.prepared_by, *(each.approval.approver for each in issued.approvals))
        mine = _mine(issued.missing(needed), roles)
        if not mine or _was(sub, others) or not _may_have(door, case, issued.grant.grant_id, at):
            continue
        yield Waiting(
            "grant",
            case.record_id,
            grant.prepared_at,
            grant.grant_id,
            rules.kind,
            mine,
            grant.prepared_by,
        )


def denials(
    case: CaseFile, rules: KindRules, sub: str, roles: Collection[str]
) -> Iterator[Waiting]:
    """Prepared denials that still need one of these roles."""
    for denial in case.denials.all:
        if case.denials.state(denial) != "prepared":
            continue
        others = (denial.prepared_by, *(each.approval.approver for each in denial.approvals))
        mine = _mine(denial.missing, roles)
        if mine and not _was(sub, others):
            yield Waiting(
                "denial",
                case.record_id,
                denial.prepared_at,
                denial.denial_id,
                rules.kind,
                mine,
                denial.prepared_by,
            )


def packages(
    case: CaseFile, rules: KindRules, sub: str, roles: Collection[str]
) -> Iterator[Waiting]:
    """The newest package, if it still needs one of these roles."""
    newest = case.packages.newest
    if newest is None or case.state != "packaged" or _objected(case):
        return
    needed = newest.needed(rules.releasers, rules.exemption_releasers)
    others = (newest.built_by, *(each.approval.approver for each in newest.approvals))
    mine = _mine(newest.missing(needed), roles)
    if mine and not _was(sub, others):
        yield Waiting(
            "package",
            case.record_id,
            newest.built_at,
            newest.sha256,
            rules.kind,
            mine,
            newest.built_by,
        )


def leaks(case: CaseFile, rules: KindRules, sub: str, roles: Collection[str]) -> Iterator[Waiting]:
    """What stopped the newest build, if one of these roles clears it."""
    stopped, mine = case.clearances.stopped, _mine(rules.clearers, roles)
    if stopped is None or not case.clearances.open or not mine or _was(sub, stopped.prepared_by):
        return
    # What stopped an earlier build was redacted instead if a later one went through.
    if all(each.built_at < stopped.stopped_at for each in case.packages.packages):
        yield Waiting("leaks", case.record_id, stopped.stopped_at, kind=rules.kind, roles=mine)


def holds(found: Collection[Hold], sub: str, roles: Collection[str]) -> Iterator[Waiting]:
    """Those of these holds that may be released now, by somebody other than who placed them."""
    for hold in found:
        if hold.earliest_release_at is None or hold.suit_at is not None:
            continue
        if not same_person(hold.placed_by, sub):
            yield Waiting(
                "hold_release",
                hold.case_id,
                hold.earliest_release_at,
                hold.hold_id,
                roles=tuple(roles),
            )


def _mine(needed: Collection[str], roles: Collection[str]) -> tuple[str, ...]:
    return tuple(each for each in needed if each in roles)


def _was(sub: str, others: Collection[str]) -> bool:
    return any(same_person(each, sub) for each in others)


def _objected(case: CaseFile) -> bool:
    return case.legal is not None and case.legal.objected


def _may_have(door: LegalDoor, case: CaseFile, grant_id: str, at: datetime) -> bool:
    issued = case.grant(grant_id)
    try:
        if issued is not None:
            door.check(case, issued.grant, at)
    except RefusedError:
        return False
    return True
