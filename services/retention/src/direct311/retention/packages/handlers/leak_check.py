"""The leak check of a finished package: nothing that was withheld may be in it.

It is searched for what the owners withhold of its own records, and for what they withheld of every
record of the case that went out with an earlier part, as that was decided then. What counsel has
cleared does not stop it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

from direct311.retention.case_file.clearances import (
    LeakHit,
    StoppedBuild,
    kept,
    leak_id,
)
from direct311.retention.case_file.packages import CollectedPart
from direct311.retention.cases.domain import CaseFile
from direct311.retention.cases.work import CaseWork, Changed
from direct311.retention.packages.domain.parts import RecordPart
from direct311.retention.packages.ports import Leak, Withheld, WithheldOfCase
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.state import Change, Outgoing

NAMED: Final = 10
"""How many places of leaks an answer names."""
STEP: Final = "leak_found"


@dataclass(frozen=True, slots=True)
class Checked:
    """`stopping`: what stops the package; `cleared`: how many hits do not, since they were
    cleared."""

    stopping: Sequence[LeakHit]
    cleared: int


class LeakCheck:
    """Looks through packages, and notes what stopped one."""

    def __init__(self, work: CaseWork, withheld: Withheld) -> None:
        self._work = work
        self._withheld = withheld

    async def __call__(
        self,
        package: BinaryIO,
        state: CaseFile,
        pending: Sequence[CollectedPart],
        parts: Sequence[RecordPart],
        authorization: str,
    ) -> Checked:
        """What the package has that was withheld.

        :param pending: the records in the package; `parts`: as they were collected.
        :param authorization: the caller's bearer header, for which the owner gets a token of its
            own.
        :raises RefusedError: the owner does not answer, or no grant in force allows to look at
            everything that was withheld.
        """
        withholding = [each for each in pending if each.withheld]
        released = [each for each in state.packages.parts if each.released_in and each.withheld]
        if not withholding and not released:
            return Checked((), 0)
        found = await self._withheld.leaks(
            package,
            WithheldOfCase(
                case_id=state.record_id,
                kind=state.kind or "public_records",
                record_ids=[each.record_id for each in withholding],
                files=[file for each in parts for file in each.withheld_files],
                released={each.record_id: each.decisions for each in released},
                released_files=[file for each in released for file in each.withheld_files],
            ),
            authorization,
        )
        decisions = {each.record_id: _decisions(each) for each in state.packages.parts}
        hits = [_hit(state.record_id, each, decisions.get(each.record_id or "")) for each in found]
        stopping = state.clearances.stopping(hits)
        return Checked(stopping, len(hits) - len(stopping))

    async def stop(
        self,
        caller: Caller,
        case_id: str,
        version: int,
        hits: Sequence[LeakHit],
        prepared_by: Iterable[str],
    ) -> RefusedError:
        """Note in the case file what stopped a build, for counsel to look at, unless somebody has
        changed the case meanwhile. Returns the refusal.

        :param version: the case's, from which it was built.
        :param prepared_by: who collected for the package, beside the caller who built it.
        """
        now = self._work.clock.now()
        build = StoppedBuild(
            hits=kept(hits),
            leaks=len(hits),
            prepared_by=tuple(dict.fromkeys((caller.sub, *prepared_by))),
            stopped_at=now,
        )

        async def decide(current: CaseFile) -> Changed:
            if current.version != version:
                return None
            after = current.clearing(current.clearances.stopped_by(build))
            step = after.recorded(
                self._work.rules_of(after),
                step=STEP,
                actor=caller.sub,
                at=now,
                counts={"leaks": len(hits), "cleared": len(after.clearances.cleared)},
            )
            return Change(after, (Outgoing(step),))

        await self._work.change(case_id, decide)
        places = "; ".join(
            f"{each.entry or f'entry {each.number}'} ({each.kind})" for each in hits[:NAMED]
        )
        return RefusedError(
            "leak",
            f"Something that is withheld elsewhere is in the package, in {len(hits)} places:"
            f" {places}. Withhold it there too, and collect again; or let counsel clear it.",
        )


def _decisions(part: CollectedPart) -> str:
    """Of the record and of its files: with others, a hit is another one."""
    return "".join((part.decisions, *(each.decisions for each in part.withheld_files)))


def _hit(case_id: str, leak: Leak, decisions: str | None) -> LeakHit:
    hit = LeakHit(
        number=leak.number,
        entry=leak.entry,
        record_id=leak.record_id,
        kind=leak.kind,
        places=leak.places,
    )
    return hit.identified(leak_id(case_id, hit, leak.content, decisions))
