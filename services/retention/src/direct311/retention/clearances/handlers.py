"""Clearing: counsel looks at what stopped a build, and clears what is no leak, with a reason.

The approval is a fresh sign-in whose ID token has the hash of exactly this hit and this reason. A
cleared hit does not stop the next build as long as it is the same: any other does, and the same
value in an entry that changed does too.
"""

from typing import Final

from direct311.retention.case_file.clearances import (
    MOST_CLEARED,
    CaseClearances,
    Clearance,
)
from direct311.retention.cases.approving import FreshSignIns, has_approved, role_for
from direct311.retention.cases.domain import CaseFile
from direct311.retention.cases.work import CaseWork, Changed, check_open, unknown_case
from direct311.runtime.access.disclosures import nonce_of_clearance
from direct311.runtime.access.fresh_sign_in import Approvals, ProviderKeys
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.state import Change, Outgoing

STEP: Final = "leak_cleared"


class Clearing:
    """:param approvals: what checks a fresh sign-in; `None` if no client for approvals is
    configured, and then nothing is cleared."""

    def __init__(self, work: CaseWork, approvals: Approvals | None, provider: ProviderKeys) -> None:
        self._work = work
        self._sign_ins = FreshSignIns(approvals, provider)

    async def leaks(self, caller: Caller, case_id: str) -> CaseFile:
        """The case, for its desk and for those who clear. Opens nothing.

        :raises RefusedError: there is no such case for the caller.
        """
        state = await self._work.processor.read(case_id)
        rules = self._work.rules
        seen = {*rules.kinds_at(caller.roles), *rules.cleared_by(caller.roles)}
        if state.kind not in seen or not state.exists:
            raise unknown_case()
        return state

    async def clear(
        self, caller: Caller, case_id: str, leak_id: str, reason: str, id_token: str
    ) -> CaseFile:
        """Clear one hit of the build that was stopped last; may be repeated.

        :param reason: a code of the case rules.
        :param id_token: of a fresh sign-in for this hit and this reason.
        :raises RefusedError: there is no such case for the caller, or no such hit any more, the
            reason is unknown, the same person prepared the package, its role does not clear, or
            the ID token is no fresh sign-in of the caller for this.
        :raises TransientError: the identity provider has never answered.
        """
        rules = self._work.rules_of(await self.leaks(caller, case_id))
        self._sign_ins.configured()
        if reason not in self._work.rules.clear_reasons:
            raise RefusedError("clear_reason", "There is no such reason.", field="reason")

        async def decide(state: CaseFile) -> Changed:
            check_open(state)
            known = state.clearances.clearance(leak_id)
            if known is not None and known.approval.approver == caller.sub:
                return None
            hit, stopped = state.clearances.hit(leak_id), state.clearances.stopped
            if hit is None or stopped is None:
                raise RefusedError(
                    "unknown_leak", "The build that was stopped last has no such leak; read again."
                )
            if known is not None:
                raise RefusedError("approved", "Somebody else has cleared it.")
            for each in stopped.prepared_by:
                has_approved(caller, each, (), "collected or built")
            role = role_for(caller, rules.clearers, rules.clearers, "clearance")
            if len(state.clearances.cleared) >= MOST_CLEARED:
                raise RefusedError("full", f"A case has at most {MOST_CLEARED} cleared leaks.")
            # Checked in here, so that a repeated attempt has the time of its own event.
            now = self._work.clock.now()
            nonce = nonce_of_clearance(case_id, leak_id, reason)
            approval = await self._sign_ins.approval(caller, id_token, nonce, now, "clearance")
            clearance = Clearance(hit=hit, reason=reason, role=role, approval=approval)
            after = state.clearing(state.clearances.with_clearance(clearance))
            step = after.recorded(
                rules,
                step=STEP,
                actor=caller.sub,
                at=now,
                codes=(role, reason, hit.kind),
                counts=counts_of(after.clearances),
                hashes={"leak": leak_id},
            )
            return Change(after, (Outgoing(step),))

        return await self._work.change(case_id, decide)


def counts_of(clearances: CaseClearances) -> dict[str, int]:
    """What a step says: how many leaks of the stopped build are open, and how many of the case
    were cleared."""
    return {"leaks": len(clearances.open), "cleared": len(clearances.cleared)}
