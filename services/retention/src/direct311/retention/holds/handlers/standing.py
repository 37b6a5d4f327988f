"""What stops destruction now: read once, and then only what has changed since.

The fence names whose changes raised it last. Who has missed more raises than it names, or finds
that one of them named nobody, reads everything.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from direct311.retention.holds.domain import (
    Fence,
    Hold,
    HoldSnapshot,
    OpenCases,
    ProvisionalHold,
)
from direct311.retention.holds.ports import HoldSources


@dataclass(frozen=True, slots=True)
class Known:
    """What stands as of a value of the fence or later. `cases`: the provisional holds in it, by
    case."""

    fence: Fence
    snapshot: HoldSnapshot
    cases: Mapping[str, ProvisionalHold]

    def changed(
        self,
        fence: Fence,
        case_ids: Set[str],
        standing: Mapping[str, ProvisionalHold],
        holds: Iterable[Hold],
    ) -> "Known":
        """A copy as of this value, in which these cases and holds are as they were read after it.
        `standing`: the provisional holds of these cases that stand."""
        cases, open_cases = self.cases, self.snapshot.cases
        if case_ids:
            others = {key: each for key, each in cases.items() if key not in case_ids}
            cases = {**others, **standing}
            open_cases = OpenCases.of(cases.values())
        return Known(fence, self.snapshot.changed(fence.value, holds, open_cases), cases)


async def what_stands(sources: HoldSources, known: Known | None) -> Known:
    """What stands as of a value of the fence that is read now, or a later one.

    :param known: what this process read before.
    """
    fence = await sources.fence_now()
    while known is not None and known.fence.value != fence.value:
        raisers = fence.raised_since(known.fence)
        if raisers is None:
            known = None
            break
        case_ids = {name for kind, name in raisers if kind == "case"}
        hold_ids = {name for kind, name in raisers if kind == "hold"}
        standing = await sources.cases_of(case_ids) if case_ids else {}
        holds = await sources.these_holds(hold_ids) if hold_ids else ()
        known = known.changed(fence, case_ids, standing, holds)
        if case_ids == standing.keys():
            return known
        # A case may have ended because its records got a hold. That hold raised the fence before
        # the case ended, so whoever reads the fence now sees the hold too.
        fence = await sources.fence_now()
    return known or await _everything(sources, fence)


async def _everything(sources: HoldSources, fence: Fence) -> Known:
    # The cases come first: one that has ended because its records got a hold is missed only if
    # that hold is seen.
    cases = await sources.cases()
    holds = await sources.all_holds()
    return Known(fence, HoldSnapshot.of(fence.value, holds, OpenCases.of(cases.values())), cases)
