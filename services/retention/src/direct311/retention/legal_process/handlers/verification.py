"""Is the instrument genuine, and is the officer one? Somebody calls back the published number.

The number is never one from the letter: a call names an agency of the county's own list. The
instrument and the officer are confirmed by calls of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from direct311.retention.case_file.legal import (
    EXIGENT_REQUEST,
    MOST_CALLS,
    CallBack,
    CallOutcome,
    CallSubject,
    LegalProcess,
    Refusal,
    Threat,
)
from direct311.retention.cases.domain import CaseFile, CaseState, GrantEnd
from direct311.retention.cases.work import Changed, check_open, check_version
from direct311.retention.legal_process.domain import (
    DENIED,
    SPOKEN,
    Instrument,
    is_verified,
    process_of,
)
from direct311.retention.legal_process.handlers.desk import SEALED, LegalDesk, check_code
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.state import Change

THREAT = f"{SEALED}/threat"
"""What binds the sealed words of a threat to their place."""
_VERIFYING: Sequence[CaseState] = ("received", "verifying")


@dataclass(frozen=True, slots=True)
class CallMade:
    """A call as the desk reports it. `version`: of the case, as the caller has seen it."""

    version: int
    subject: CallSubject
    instrument: str
    agency: str
    outcome: CallOutcome
    document: str | None = None
    called_at: datetime | None = None


class Verification:
    """Before it is finished, no grant can be prepared."""

    def __init__(self, desk: LegalDesk) -> None:
        self._desk = desk

    async def called_back(self, caller: Caller, case_id: str, made: CallMade) -> CaseFile:
        """Record a call. If the agency denies, the case is refused in the same write. The same call
        by the same person is recorded once.

        :raises RefusedError: the caller's desk has no such case, it is past verification, somebody
            has changed it, or the call names what is in no list.
        """
        await self._desk.found(caller, case_id)
        instrument = self._desk.instrument(made.instrument)
        self._desk.check_agency(made.agency)
        now = self._desk.work.clock.now()
        if made.called_at is not None and made.called_at > now:
            raise RefusedError("called_at", "A call cannot be in the future.", field="called_at")
        call = CallBack(
            subject=made.subject,
            instrument=made.instrument,
            agency=made.agency,
            list_version=self._desk.agencies.version,
            outcome=made.outcome,
            document=made.document,
            called_by=caller.sub,
            called_at=made.called_at or now,
        )

        async def decide(state: CaseFile) -> Changed:
            legal = process_of(state)
            if state.version != made.version and any(_same(each, call) for each in legal.calls):
                return None
            check_version(state, made.version)
            if len(legal.calls) >= MOST_CALLS:
                raise RefusedError("full", f"A case has at most {MOST_CALLS} calls.")
            if call.subject == "follow_up":
                return self._followed(state, legal, instrument, call, caller, now)
            return self._verified(state, legal, instrument, call, caller, now)

        return await self._desk.work.change(case_id, decide)

    def _verified(
        self,
        state: CaseFile,
        legal: LegalProcess,
        instrument: Instrument,
        call: CallBack,
        caller: Caller,
        at: datetime,
    ) -> Changed:
        check_open(state)
        if state.state not in _VERIFYING:
            raise RefusedError("case_state", "The case is not at this step.")
        spoken = {call.instrument, legal.instrument} & SPOKEN
        if spoken and call.instrument != legal.instrument:
            raise RefusedError("another_way", "The case came another way.", field="instrument")
        if call.subject not in instrument.verify:
            raise RefusedError(
                "subject", "For this instrument only the officer is verified.", field="subject"
            )
        same = (call.instrument, call.agency) == (legal.instrument, legal.agency)
        document = legal.document if same else None
        if call.subject == "instrument":
            self._check_document(state, instrument, call)
            document = call.document
        after = state.processed(
            legal.served(instrument=call.instrument, agency=call.agency, document=document).called(
                call
            )
        )
        if after.state == "received":
            after = after.entering("verifying")
        codes = (call.subject, call.instrument, call.agency, call.outcome)
        if call.outcome == "denied":
            # The subject is one of those that an instrument lets verify, as checked above.
            reason = DENIED["officer" if call.subject == "officer" else "instrument"]
            return self._refused(after, caller, reason, at, codes)
        if is_verified(process_of(after), instrument):
            after = after.entering("verified")
        hashes = {"instrument": document} if document else {}
        return Change(after, (self._desk.told(after, caller, "called_back", at, codes, hashes),))

    def _followed(
        self,
        state: CaseFile,
        legal: LegalProcess,
        instrument: Instrument,
        call: CallBack,
        caller: Caller,
        at: datetime,
    ) -> Changed:
        """An instrument after an exigent request. It must be on paper."""
        if not state.exists or not legal.awaits_follow_up:
            raise RefusedError("follow_up", "No instrument must follow in this case.")
        if call.instrument in SPOKEN:
            raise RefusedError("another_way", "Something on paper must follow.", field="instrument")
        self._check_document(state, instrument, call)
        after = state.processed(legal.called(call))
        codes = (call.subject, call.instrument, call.agency, call.outcome)
        hashes = {"instrument": call.document} if call.document else {}
        return Change(after, (self._desk.told(after, caller, "followed_up", at, codes, hashes),))

    def _check_document(self, state: CaseFile, instrument: Instrument, call: CallBack) -> None:
        document = state.document(call.document) if call.document else None
        if document is None or document.kind not in instrument.documents:
            raise RefusedError(
                "document",
                "Put the document into the case file first, and name its SHA-256.",
                field="document",
            )

    async def refuse(self, caller: Caller, case_id: str, reason: str) -> CaseFile:
        """Refuse a request, and end what was prepared for it. May be repeated.

        :param reason: a code.
        :raises RefusedError: the caller's desk has no such case, something was granted already, or
            the code is in no list.
        """
        await self._desk.found(caller, case_id)
        check_code(reason, self._desk.rules.refusals, "reason")

        async def decide(state: CaseFile) -> Changed:
            refusal = process_of(state).refusal
            if state.state == "refused" and refusal is not None and refusal.reason == reason:
                return None
            check_open(state)
            return self._refused(state, caller, reason, self._desk.work.clock.now(), (reason,))

        return await self._desk.work.change(case_id, decide)

    def _refused(
        self, state: CaseFile, caller: Caller, reason: str, at: datetime, codes: Sequence[str]
    ) -> Changed:
        refusal = Refusal(reason=reason, refused_by=caller.sub, refused_at=at)
        end = GrantEnd(reason="case_refused", revoked_by=caller.sub, revoked_at=at)
        after, _ = state.entering("refused").without_grants(end)
        after = after.processed(process_of(after).refused(refusal))
        told = tuple(dict.fromkeys((*codes, reason)))
        return Change(after, (self._desk.told(after, caller, "refused", at, told),))

    async def state_threat(
        self, caller: Caller, case_id: str, version: int, agency: str, code: str, words: str
    ) -> CaseFile:
        """Say that a request cannot wait for an instrument: what the threat is, as a code and in
        words, which are sealed. A repeat by the same person changes nothing.

        :param version: the case's, as the caller has seen it.
        :raises RefusedError: the caller's desk has no such case, it is past verification, it came
            another way, somebody has changed it, or a code is in no list.
        :raises DeniedError: the rules refuse.
        :raises AuditUnavailableError: it could not be recorded; nothing was sealed.
        """
        state = await self._desk.found(caller, case_id)
        self._desk.instrument(EXIGENT_REQUEST)
        self._desk.check_agency(agency)
        check_code(code, self._desk.rules.threats, "threat")
        now = self._desk.work.clock.now()
        threat = Threat(code=code, stated_by=caller.sub, stated_at=now)
        if _states(state, threat):
            return state
        operation = "POST /v1/cases/{case_id}/exigent"
        async with self._desk.work.unlock(caller, state, "seal", operation, (SEALED,)) as key:
            sealed = key.seal(THREAT, words.encode())

        async def decide(current: CaseFile) -> Changed:
            if _states(current, threat):
                return None
            check_version(current, version)
            check_open(current)
            legal = process_of(current)
            if current.state not in _VERIFYING:
                raise RefusedError("case_state", "The case is not at this step.")
            if legal.instrument not in (None, EXIGENT_REQUEST):
                raise RefusedError("another_way", "The case came another way.", field="instrument")
            after = current.processed(legal.threatened(threat, agency=agency))
            after = after.with_sealed(THREAT, sealed)
            codes = (EXIGENT_REQUEST, agency, code)
            return Change(after, (self._desk.told(after, caller, "exigent", now, codes),))

        return await self._desk.work.change(case_id, decide)

    async def read_threat(self, caller: Caller, case_id: str) -> str:
        """The threat in words, for the desk and for those who approve.

        :raises RefusedError: there is no such case for the caller, or nobody stated a threat.
        :raises DeniedError: the rules refuse.
        :raises AuditUnavailableError: it could not be recorded; nothing was opened.
        """
        state = await self._desk.granted(caller, case_id)
        sealed = state.sealed.get(THREAT)
        if sealed is None:
            raise RefusedError("not_found", "Nobody stated a threat in this case.")
        work = self._desk.work
        access = work.access(caller, state, "view", "GET /v1/cases/{case_id}/exigent", (SEALED,))
        async with work.vault.unlock(access, self._desk.facts(state)) as key:
            return key.open(THREAT, sealed).decode()


def _same(one: CallBack, other: CallBack) -> bool:
    without = {"called_at", "list_version"}
    return one.model_dump(exclude=without) == other.model_dump(exclude=without)


def _states(state: CaseFile, threat: Threat) -> bool:
    known = process_of(state).threat
    return known is not None and (known.code, known.stated_by) == (threat.code, threat.stated_by)
