"""The chain of custody: who gave what to whom, how, and by which receipt."""

from collections.abc import Sequence
from dataclasses import dataclass

from direct311.retention.case_file.legal import MOST_HAND_OVERS, HandOver
from direct311.retention.cases.domain import CaseFile
from direct311.retention.cases.work import Changed, check_open
from direct311.retention.legal_process.domain import NOT_VERIFIED, process_of
from direct311.retention.legal_process.handlers.desk import SEALED, LegalDesk, check_code
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.state import Change
from direct311.schemas import derived_id


@dataclass(frozen=True, slots=True)
class Handed:
    """One hand-over with the name of the person who took it, if somebody said it."""

    link: HandOver
    taken_by: str | None


class Custody:
    """Only the agency that was verified takes anything."""

    def __init__(self, desk: LegalDesk) -> None:
        self._desk = desk

    async def hand_over(
        self, caller: Caller, case_id: str, how: str, sha256: str, receipt: str, taken_by: str
    ) -> CaseFile:
        """Record that something was handed over; the same thing with the same receipt once. What
        was downloaded before, and has no receipt, gets this one. The first receipt for the package
        that was released brings the case to `receipted`.

        :param sha256: of what was handed over (hex).
        :param receipt: the code of the receipt that the agency gave.
        :param taken_by: the name of the person who took it; sealed.
        :raises RefusedError: the caller's desk has no such case, it is closed or not verified, or
            the code is in no list.
        :raises DeniedError: the rules refuse.
        :raises AuditUnavailableError: it could not be recorded; nothing was sealed.
        """
        state = await self._desk.found(caller, case_id)
        check_code(how, self._desk.rules.ways, "how")
        self._check(state)
        if _known(state, sha256, receipt):
            return state
        now = self._desk.work.clock.now()
        waiting = process_of(state).awaits_receipt(sha256)
        link = HandOver(
            hand_over_id=derived_id(case_id, f"hand-over:{sha256}:{receipt}"),
            agency=process_of(state).agency or "",
            how=how,
            sha256=sha256,
            receipt=receipt,
            handed_by=caller.sub,
            handed_at=now,
        )
        if waiting is not None:
            link = waiting.receipted(receipt, now)
        operation = "POST /v1/cases/{case_id}/custody"
        async with self._desk.work.unlock(caller, state, "seal", operation, (SEALED,)) as key:
            sealed = key.seal(link.sealed_name, taken_by.encode())

        async def decide(current: CaseFile) -> Changed:
            if _known(current, sha256, receipt):
                return None
            self._check(current)
            if process_of(current).awaits_receipt(sha256) != waiting:
                raise RefusedError("changed", "Somebody else has changed it; read it again.")
            after = current.processed(process_of(current).handed_over(link))
            after = after.with_sealed(link.sealed_name, sealed)
            released = {each.sha256 for each in current.packages.released}
            if after.state == "released" and (waiting is not None or sha256 in released):
                after = after.entering("receipted")
            codes = (link.agency, link.how, receipt)
            step = self._desk.told(
                after, caller, "handed_over", now, codes, {"handed_over": sha256}
            )
            return Change(after, (step,))

        return await self._desk.work.change(case_id, decide)

    async def chain(self, caller: Caller, case_id: str) -> Sequence[Handed]:
        """The hand-overs with the names, oldest first.

        :raises RefusedError: the caller's desk has no such case.
        :raises DeniedError: the rules refuse.
        :raises AuditUnavailableError: it could not be recorded; nothing was opened.
        """
        state = await self._desk.found(caller, case_id)
        links = process_of(state).hand_overs
        if not links:
            return ()
        operation = "GET /v1/cases/{case_id}/custody"
        async with self._desk.work.unlock(caller, state, "view", operation, (SEALED,)) as key:
            return [
                Handed(each, key.open(each.sealed_name, sealed).decode() if sealed else None)
                for each in links
                for sealed in (state.sealed.get(each.sealed_name),)
            ]

    def _check(self, state: CaseFile) -> None:
        check_open(state)
        if state.state in NOT_VERIFIED:
            raise RefusedError(
                "unverified_instrument", "Nobody has verified the instrument and the officer."
            )
        if len(process_of(state).hand_overs) >= MOST_HAND_OVERS:
            raise RefusedError("full", f"A case has at most {MOST_HAND_OVERS} hand-overs.")


def _known(state: CaseFile, sha256: str, receipt: str) -> bool:
    links = process_of(state).hand_overs
    return any((each.sha256, each.receipt) == (sha256, receipt) for each in links)
