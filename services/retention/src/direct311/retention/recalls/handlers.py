"""Recalling a released package: from then on nobody fetches it by the token of the case.

What somebody has fetched before stays with them; the log says how often that was. The records of
the package are collected anew for the next one.
"""

from typing import Final

from direct311.retention.case_file.packages import BuiltPackage
from direct311.retention.cases.domain import CaseFile
from direct311.retention.cases.work import CaseWork, Changed, unknown_case
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.state import Change, Outgoing

STEP: Final = "package_recalled"


class Recalling:
    """Whoever builds or approves packages of a kind of case may recall one; it needs nobody
    else."""

    def __init__(self, work: CaseWork) -> None:
        self._work = work

    async def __call__(
        self, caller: Caller, case_id: str, sha256: str, reason: str
    ) -> tuple[CaseFile, BuiltPackage]:
        """Recall a package; may be repeated, and happens once.

        :param sha256: of the package.
        :param reason: a code, such as `wrong_record`.
        :raises RefusedError: there is no such case for this caller, or no such package went out.
        """
        state = await self._work.processor.read(case_id)
        if state.kind is None or not state.exists:
            raise unknown_case()
        rules = self._work.rules_of(state)
        if not {*rules.packagers} & {*caller.roles}:
            raise unknown_case()

        async def decide(current: CaseFile) -> Changed:
            package = released(current, sha256)
            if package.recalled_at is not None:
                return None
            now = self._work.clock.now()
            after = current.packaging(current.packages.recalled(package.recalled(caller.sub, now)))
            step = after.recorded(
                rules,
                step=STEP,
                actor=caller.sub,
                at=now,
                codes=(reason,),
                hashes={"package": sha256},
            )
            return Change(after, (Outgoing(step),))

        found = await self._work.change(case_id, decide)
        return found, released(found, sha256)


def released(state: CaseFile, sha256: str) -> BuiltPackage:
    """The package with this hash that went out last.

    :raises RefusedError: none did.
    """
    for each in reversed(state.packages.released):
        if each.sha256 == sha256:
            return each
    raise RefusedError("not_released", "No such package was released.")
