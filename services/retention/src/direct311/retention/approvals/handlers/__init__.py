"""What waits for the caller's approval, over all cases. Opens nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from direct311.retention.approvals.domain import Waiting
from direct311.retention.approvals.handlers import waiting
from direct311.retention.approvals.ports import OpenCases
from direct311.retention.cases.domain import CaseFile, KindRules
from direct311.retention.cases.work import CaseWork
from direct311.retention.holds.ports import Holds
from direct311.retention.legal_process.domain import LegalDoor
from direct311.retention.packages.domain.case_work import is_unpaid
from direct311.retention.packages.handlers.third_person import check_releases
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError

MOST_CASES: Final = 2_000
"""In how many open cases one call looks."""
MOST_HOLDS: Final = 500
HOLD_RELEASERS: Final = ("counsel", "records_officer")
"""Who releases holds."""


@dataclass(frozen=True, slots=True)
class Approvals:
    """`waiting`: the longest waiting first. `total`: how many there are. `complete`: whether all
    open cases and holds were looked at."""

    waiting: Sequence[tuple[Waiting, timedelta]]
    total: int
    complete: bool


class WaitingApprovals:
    """Somebody sees what they may approve themself: not what they prepared, not what needs another
    role, and a law-enforcement case only where their role decides in it."""

    def __init__(self, work: CaseWork, cases: OpenCases, holds: Holds, door: LegalDoor) -> None:
        self._work = work
        self._cases = cases
        self._holds = holds
        self._door = door

    @property
    def approvers(self) -> tuple[str, ...]:
        """Every role that approves or releases something in some case."""
        rules = self._work.rules
        return tuple(
            dict.fromkeys(
                (
                    *self._door.all_approvers(rules),
                    *rules.deniers,
                    *rules.releasers,
                    *rules.handing_out,
                    *rules.clearers,
                    *HOLD_RELEASERS,
                )
            )
        )

    async def waiting(self, caller: Caller, limit: int) -> Approvals:
        """What waits for this person now: at most `limit` of it."""
        now = self._work.clock.now()
        cases = await self._cases.open_cases(MOST_CASES)
        found = [each for case in cases for each in self._of(caller, case)]
        complete = len(cases) < MOST_CASES
        if roles := [each for each in HOLD_RELEASERS if each in caller.roles]:
            held = await self._holds.releasable(MOST_HOLDS)
            found += waiting.holds(held, caller.sub, roles)
            complete = complete and len(held) < MOST_HOLDS
        found.sort(key=lambda each: (each.since, each.case_id or "", each.number or ""))
        return Approvals([(each, now - each.since) for each in found[:limit]], len(found), complete)

    def _of(self, caller: Caller, case: CaseFile) -> Iterator[Waiting]:
        rules, now = self._work.rules_of(case), self._work.clock.now()
        yield from waiting.grants(case, rules, self._door, caller.sub, caller.roles, now)
        yield from waiting.denials(case, rules, caller.sub, caller.roles)
        yield from waiting.packages(case, rules, caller.sub, caller.roles)
        yield from waiting.leaks(case, rules, caller.sub, caller.roles)
        yield from self._release(caller, case, rules)

    def _release(self, caller: Caller, case: CaseFile, rules: KindRules) -> Iterator[Waiting]:
        newest = case.packages.newest
        if newest is None or case.state != "approved" or is_unpaid(case):
            return
        if case.legal is not None and case.legal.objected:
            return
        try:
            check_releases(caller, case, newest, rules)
        except RefusedError:
            return
        roles = [each for each in (rules.released_by or rules.desks) if each in caller.roles]
        yield Waiting(
            "release",
            case.record_id,
            max(each.approval.approved_at for each in newest.approvals),
            newest.sha256,
            rules.kind,
            tuple(roles),
            newest.built_by,
        )
