"""What the use cases of a legal process share: who finds the case, and how a step is told."""

from collections.abc import Collection, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from direct311.retention.cases.domain import CaseFile, GrantEnd
from direct311.retention.cases.work import CaseWork, Changed, unknown_case
from direct311.retention.legal_process.domain import (
    Agencies,
    Instrument,
    InstrumentRules,
    LegalDoor,
    process_of,
)
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.state import Change, Outgoing

SEALED: Final = "case_instrument"
"""What the words of a legal process are called in the access rules."""
REVIEWERS: Final = ("counsel",)
"""Who reviews what the desk prepares."""


class LegalDesk:
    """:param rules: the instruments that are in force here."""

    def __init__(
        self, work: CaseWork, rules: InstrumentRules, agencies: Agencies, door: LegalDoor
    ) -> None:
        self.work = work
        self.rules = rules
        self.agencies = agencies
        self.door = door

    async def found(self, caller: Caller, case_id: str) -> CaseFile:
        """The case of law enforcement at the caller's desk.

        :raises RefusedError: the caller's desk has no such case.
        """
        state = await self.work.found(caller, case_id)
        if state.kind != "law_enforcement":
            raise unknown_case()
        return state

    async def reviewed(self, caller: Caller, case_id: str) -> CaseFile:
        """The same, also for counsel."""
        return await self._known(caller, case_id, REVIEWERS)

    async def granted(self, caller: Caller, case_id: str) -> CaseFile:
        """The same for everybody who prepares or approves grants of this case."""
        state = await self.work.processor.read(case_id)
        if state.kind != "law_enforcement" or not self.door.grants_of(
            state, caller.roles, self.work.rules
        ):
            raise unknown_case()
        return state

    async def _known(self, caller: Caller, case_id: str, roles: Collection[str]) -> CaseFile:
        if not {*roles} & {*caller.roles}:
            return await self.found(caller, case_id)
        state = await self.work.processor.read(case_id)
        if state.kind != "law_enforcement" or not state.exists:
            raise unknown_case()
        return state

    def facts(self, state: CaseFile) -> RecordFacts:
        """What the access rules know of the case: its approvers read what they approve."""
        kind = self.work.rules_of(state)
        desks = (*kind.desks, *self.door.approvers(state, kind.approvers))
        return RecordFacts(state.record_id, desks=tuple(dict.fromkeys(desks)))

    def told(
        self,
        after: CaseFile,
        caller: Caller,
        step: str,
        at: datetime,
        codes: Collection[str] = (),
        hashes: Mapping[str, str] = MappingProxyType({}),
    ) -> Outgoing:
        """The step, as everybody who keeps the register hears of it."""
        rules = self.work.rules_of(after)
        return Outgoing(
            after.recorded(
                rules, step=step, actor=caller.sub, at=at, codes=tuple(codes), hashes=hashes
            )
        )

    def narrowed(self, after: CaseFile, caller: Caller, reason: str, step: Outgoing) -> Changed:
        """The change, in which every grant ends that the case does not allow any more."""
        at = self.work.clock.now()
        rules = self.work.rules_of(after)
        end = GrantEnd(reason=reason, revoked_by=caller.sub, revoked_at=at)
        told = [step]
        for grant_id in self.door.exceeding(after, at):
            issued = after.grant(grant_id)
            if issued is None:
                continue
            after = after.with_grant(issued.revoked(end))
            if issued.approved_at is not None:
                told.append(Outgoing(after.grant_revoked(rules, grant_id, end)))
        return Change(after, tuple(told))

    def instrument(self, code: str | None) -> Instrument:
        """:raises RefusedError: there is no such instrument, or counsel has not confirmed it."""
        found = self.rules.of(code)
        if found is None:
            raise RefusedError(
                "instrument", "There is no such instrument in force.", field="instrument"
            )
        return found

    def instrument_of(self, state: CaseFile) -> Instrument:
        """:raises RefusedError: nobody has said by what instrument it was asked."""
        found = self.rules.of(process_of(state).instrument)
        if found is None:
            raise RefusedError(
                "unverified_instrument", "Nobody has verified the instrument and the officer."
            )
        return found

    def check_agency(self, agency: str) -> None:
        """:raises RefusedError: there is no such agency, or nobody has confirmed its number."""
        if self.agencies.of(agency) is None:
            raise RefusedError("agency", "There is no such agency in the list.", field="agency")


def check_code(code: str, codes: Collection[str], field: str) -> None:
    """:raises RefusedError: the code is not in the list."""
    if code not in codes:
        raise RefusedError("unlisted", "There is no such code in the list.", field=field)
