"""What was asked, what is granted of it, and objections.

Both scopes are kept. What is granted only ever gets smaller; every grant that it does not allow any
more ends in the same write.
"""

from datetime import datetime
from typing import Final

from direct311.retention.case_file.legal import (
    MOST_OBJECTIONS,
    MOST_SCOPES,
    GivenScope,
    LegalScope,
    Objection,
)
from direct311.retention.cases.domain import CaseFile
from direct311.retention.cases.work import Changed, check_open, check_version
from direct311.retention.legal_process.domain import (
    NOT_VERIFIED,
    check_scope,
    is_verified,
    process_of,
)
from direct311.retention.legal_process.handlers.desk import REVIEWERS, LegalDesk, check_code
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.state import Change

_PACKAGING: Final = ("minimising", "packaged", "approved")
"""The states of a case that has something collected."""


def without_what_was_wider(state: CaseFile, at: datetime) -> CaseFile:
    """A copy that is collected again: what was collected for a wider scope and has not gone out
    does not go out, and what was released and nobody has downloaded is not downloaded."""
    packages, deliveries = state.packages.without_pending(), state.deliveries
    for each in packages.released:
        found = deliveries.of(each.sha256)
        if found is not None and not found.downloaded:
            deliveries = deliveries.without(each.sha256, at)
    after = state.packaging(packages).delivering(deliveries)
    return after.entering("collecting") if after.state in _PACKAGING else after


class Scopes:
    """The desk scopes; the desk and counsel narrow and object; counsel settles."""

    def __init__(self, desk: LegalDesk) -> None:
        self._desk = desk

    async def scope(
        self,
        caller: Caller,
        case_id: str,
        version: int,
        asked: LegalScope | None,
        granted: LegalScope,
    ) -> CaseFile:
        """Say what was asked and what is granted of it, or narrow what is granted. May be repeated.

        :param version: the case's, as the caller has seen it.
        :param asked: what was asked; kept as it was said first.
        :raises RefusedError: there is no such case for the caller, nobody has verified the
            instrument, somebody has changed the case, or this would open more than was asked, was
            granted before, or the instrument opens.
        """
        await self._desk.reviewed(caller, case_id)

        async def decide(state: CaseFile) -> Changed:
            legal = process_of(state)
            kept = asked is None or asked == legal.asked
            if legal.granted == granted and kept:
                return None
            check_version(state, version)
            check_open(state)
            instrument = self._desk.instrument_of(state)
            if state.state in NOT_VERIFIED or not is_verified(legal, instrument):
                raise RefusedError(
                    "unverified_instrument", "Nobody has verified the instrument and the officer."
                )
            now = self._desk.work.clock.now()
            given = GivenScope(scope=granted, given_by=caller.sub, given_at=now)
            if legal.granted is None or legal.asked is None:
                return self._first(state, caller, asked, given)
            if not kept:
                raise RefusedError(
                    "asked_before", "What was asked stays as it was said.", field="asked"
                )
            if not granted.within(legal.granted):
                raise RefusedError("outside_scope", "A scope only gets smaller.", field="granted")
            if len(legal.scopes) >= MOST_SCOPES:
                raise RefusedError("full", f"A case has at most {MOST_SCOPES} scopes.")
            after = without_what_was_wider(state, now).processed(legal.scoped(legal.asked, given))
            step = self._desk.told(after, caller, "narrowed", now)
            return self._desk.narrowed(after, caller, "scope_narrowed", step)

        return await self._desk.work.change(case_id, decide)

    def _first(
        self, state: CaseFile, caller: Caller, asked: LegalScope | None, given: GivenScope
    ) -> Changed:
        if not {*self._desk.work.rules_of(state).desks} & {*caller.roles}:
            raise RefusedError("desk", "The desk says first what was asked.")
        if asked is None:
            raise RefusedError("asked", "Say what was asked too.", field="asked")
        if not given.scope.within(asked):
            raise RefusedError("outside_scope", "This is more than was asked.", field="granted")
        check_scope(self._desk.rules, self._desk.instrument_of(state), given.scope)
        after = state.entering("scoped").processed(process_of(state).scoped(asked, given))
        codes = ("narrowed",) if process_of(after).narrowed else ()
        step = self._desk.told(after, caller, "scoped", given.given_at, codes)
        return Change(after, (step,))

    async def object(self, caller: Caller, case_id: str, reason: str) -> CaseFile:
        """Somebody objects: every grant ends, and no other is made until counsel settles it. May
        be repeated.

        :param reason: a code.
        :raises RefusedError: there is no such case for the caller, it is closed, or the code is in
            no list.
        """
        await self._desk.reviewed(caller, case_id)
        check_code(reason, self._desk.rules.objections, "reason")

        async def decide(state: CaseFile) -> Changed:
            legal = process_of(state)
            if any(each.stands and each.reason == reason for each in legal.objections):
                return None
            check_open(state)
            if len(legal.objections) >= MOST_OBJECTIONS:
                raise RefusedError("full", f"A case has at most {MOST_OBJECTIONS} objections.")
            now = self._desk.work.clock.now()
            raised = Objection(reason=reason, raised_by=caller.sub, raised_at=now)
            after = state.processed(legal.objecting((*legal.objections, raised)))
            step = self._desk.told(after, caller, "objected", now, (reason,))
            return self._desk.narrowed(after, caller, "objection", step)

        return await self._desk.work.change(case_id, decide)

    async def settle(self, caller: Caller, case_id: str, reason: str) -> CaseFile:
        """Counsel settles an objection. May be repeated.

        :raises RefusedError: there is no such case for the caller, the caller is not counsel, or
            nobody objected for this reason.
        """
        await self._desk.reviewed(caller, case_id)
        if not {*REVIEWERS} & {*caller.roles}:
            raise RefusedError("role", "Counsel settles an objection.")

        async def decide(state: CaseFile) -> Changed:
            legal = process_of(state)
            known = [each for each in legal.objections if each.reason == reason]
            if not known:
                raise RefusedError("not_found", "Nobody objected for this reason.")
            if not any(each.stands for each in known):
                return None
            now = self._desk.work.clock.now()
            settled = tuple(
                each.settled(caller.sub, now) if each.stands and each.reason == reason else each
                for each in legal.objections
            )
            after = state.processed(legal.objecting(settled))
            return Change(after, (self._desk.told(after, caller, "settled", now, (reason,)),))

        return await self._desk.work.change(case_id, decide)
