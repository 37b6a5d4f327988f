"""The use cases of correspondence: acknowledge, write, read, note a notice of a suit.

Each text is sealed under the case's key, so writing and reading it is an access. Staff have the
purpose of their desk. The requester has the purpose of a resident who holds the signed link to a
request (`subject_access`): the case token opens what both have written in this case, and nothing
else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from direct311.retention.case_file.messages import (
    MESSAGE,
    CaseMessage,
    Notice,
    Sender,
    message_name,
)
from direct311.retention.cases.domain import BY_THE_REQUESTER, CaseFile, CaseState
from direct311.retention.cases.ports import Cases
from direct311.retention.cases.work import CaseWork, Changed, check_open, unknown_case
from direct311.runtime.access.cases import AccessCase
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.links import LINK
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.state import Change, Outgoing
from direct311.schemas import derived_id
from direct311.schemas.events import AccessAction

OWN_PURPOSE = "subject_access"
"""Why the requester opens what was written in the own case."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that somebody writes. `key`: random, chosen by the sender, so that a repeat writes
    no second message. `sender`: whose words these are."""

    key: str
    text: str
    sender: Sender
    asks: bool = False

    def __repr__(self) -> str:
        return f"Draft({self.sender})"


@dataclass(frozen=True, slots=True)
class Written:
    """`repeated`: it was written before."""

    case: CaseFile
    message: CaseMessage
    repeated: bool


@dataclass(frozen=True, slots=True)
class ReadMessage:
    """A message with its text."""

    message: CaseMessage
    text: str

    def __repr__(self) -> str:
        return f"ReadMessage({self.message.message_id})"


class Corresponding:
    """:param cases: finds the case of a token."""

    def __init__(self, work: CaseWork, cases: Cases) -> None:
        self._work = work
        self._cases = cases

    # -- the desk

    async def acknowledge(self, caller: Caller, case_id: str) -> CaseFile:
        """Note that the requester was told that the request has come; may be repeated.

        :raises RefusedError: the caller's desk has no such case, or it is closed.
        """
        self._work.records_case(await self._work.found(caller, case_id))

        async def decide(state: CaseFile) -> Changed:
            if state.state not in ("received", "closed"):
                # The first acknowledgement counts, and all later work implies one.
                return None
            check_open(state)
            now = self._work.clock.now()
            after = state.entering("acknowledged").corresponding(
                state.correspondence.acknowledged(caller.sub, now)
            )
            return self._step(after, "acknowledged", caller.sub, now)

        return await self._work.change(case_id, decide)

    async def write(self, caller: Caller, case_id: str, draft: Draft) -> Written:
        """Write to the requester, ask something, or write down what the requester said otherwise.
        Asking makes the case `clarifying`, and an answer makes it `scoping` again.

        :raises RefusedError: the caller's desk has no such case, the key was used for another
            message, there is no room for more, or nothing may be asked in this state.
        :raises AuditUnavailableError: it could not be recorded; nothing was written.
        """
        state = await self._work.found(caller, case_id)
        self._work.records_case(state)
        if draft.asks and draft.sender == "requester":
            raise RefusedError("case_state", "Only the county asks back.", field="asks")
        operation = "POST /v1/cases/{case_id}/messages"
        access = self._work.access(caller, state, "seal", operation, (MESSAGE,))
        return await self._written(state, draft, caller.sub, access, self._work.facts(state))

    async def read(self, caller: Caller, case_id: str) -> tuple[CaseFile, Sequence[ReadMessage]]:
        """The case and all its messages, oldest first.

        :raises RefusedError: the caller's desk has no such case.
        :raises AuditUnavailableError: it could not be recorded; nothing was opened.
        """
        state = await self._work.found(caller, case_id)
        self._work.records_case(state)
        operation = "GET /v1/cases/{case_id}/messages"
        access = self._work.access(caller, state, "view", operation, (MESSAGE,))
        return state, await self._opened(state, access, self._work.facts(state))

    async def note_notice(
        self, caller: Caller, case_id: str, received_at: datetime | None
    ) -> CaseFile:
        """Note a written notice under section 119.12, F.S., that the requester will sue. The first
        one counts; may be repeated.

        :param received_at: when it came, if that was earlier than now.
        :raises RefusedError: the caller's desk has no such case, or the time is in the future.
        """
        self._work.records_case(await self._work.found(caller, case_id))
        now = self._work.clock.now()
        received_at = received_at or now
        if received_at > now:
            raise RefusedError(
                "received_at", "received_at must not be in the future.", field="received_at"
            )
        notice = Notice(received_at=received_at, noted_by=caller.sub, noted_at=now)

        async def decide(state: CaseFile) -> Changed:
            if state.correspondence.notice is not None:
                return None
            after = state.corresponding(state.correspondence.noticed(notice))
            return self._step(after, "suit_notice", caller.sub, now)

        return await self._work.change(case_id, decide)

    # -- the requester, by the case token

    async def write_own(self, by: Caller, token: str, draft: Draft) -> Written:
        """Write to the county, also in a closed case. It answers the county's questions.

        :param by: the service that passes it on.
        :raises RefusedError: no case has this token, the key was used for another message, or there
            is no room for more.
        :raises AuditUnavailableError: it could not be recorded; nothing was written.
        """
        state = await self._of_token(token)
        access = self._own(by, state, "seal", "POST /v1/records-requests/messages")
        return await self._written(state, draft, None, access, RecordFacts(state.record_id))

    async def read_own(self, by: Caller, token: str) -> tuple[CaseFile, Sequence[ReadMessage]]:
        """The case and all its messages, oldest first. Where there is none, nothing is opened.

        :raises RefusedError: no case has this token.
        :raises AuditUnavailableError: it could not be recorded; nothing was opened.
        """
        state = await self._of_token(token)
        access = self._own(by, state, "view", "GET /v1/records-requests/messages")
        return state, await self._opened(state, access, RecordFacts(state.record_id))

    async def _of_token(self, token: str) -> CaseFile:
        state = await self._cases.of_token(sha256(token.encode()).hexdigest())
        if state is None or not state.exists:
            raise unknown_case()
        return state

    def _own(self, by: Caller, state: CaseFile, action: AccessAction, operation: str) -> Access:
        """The requester's access to the own case. The token is what a signed link is to a request:
        whoever holds it is who wrote."""
        now, until = self._work.clock.now(), state.exempt_until
        requester = Caller(
            f"{LINK}{state.record_id}",
            ("resident",),
            authentication="signed_link",
            via=by.sub,
            link_record_id=state.record_id,
        )
        return Access(
            requester,
            action=action,
            purpose=OWN_PURPOSE,
            operation=operation,
            fields=(MESSAGE,),
            record_ids=(state.record_id,),
            case=AccessCase(state.record_id, until if until is not None and until > now else None),
            version_seen=state.version,
            result_count=1,
        )

    # -- both

    async def _written(
        self,
        state: CaseFile,
        draft: Draft,
        written_by: str | None,
        access: Access,
        facts: RecordFacts,
    ) -> Written:
        case_id, text = state.record_id, draft.text.encode()
        whose = "requester" if written_by is None else "staff"
        message_id = derived_id(case_id, f"message:{whose}:{draft.key}")
        while True:
            self._check(state, draft, message_id)
            async with self._work.vault.unlock(access, facts) as key:
                before = state.correspondence.message(message_id)
                if before is not None:
                    same = key.open(before.sealed_name, before.sealed) == text
                    if not same or (before.asks, before.sender) != (draft.asks, draft.sender):
                        raise RefusedError(
                            "idempotency_key",
                            "This key was used for something else; send a new key.",
                            field="key",
                        )
                    return Written(state, before, repeated=True)
                sealed = key.seal(message_name(message_id), text)
            message = CaseMessage(
                message_id=message_id,
                sender=draft.sender,
                written_by=written_by,
                at=self._work.clock.now(),
                asks=draft.asks,
                sealed=sealed,
            )

            async def decide(current: CaseFile, message: CaseMessage = message) -> Changed:
                self._check(current, draft, message_id)
                if current.correspondence.message(message_id) is not None:
                    return None
                return self._with(current, message)

            state = await self._work.change(case_id, decide)
            if state.correspondence.message(message_id) == message:
                return Written(state, message, repeated=False)
            # The same key came twice at the same time: compare with what the other call wrote.

    @staticmethod
    def _check(state: CaseFile, draft: Draft, message_id: str) -> None:
        """:raises RefusedError: the message cannot be written now."""
        if not state.exists:
            raise unknown_case()
        if state.correspondence.message(message_id) is not None:
            return
        if not state.correspondence.has_room(draft.sender):
            raise RefusedError("full", "This case has as many messages as it may.")
        if draft.asks and state.state != "clarifying":
            state.entering("clarifying")

    def _with(self, state: CaseFile, message: CaseMessage) -> Changed:
        """The case with one more message, in the state to which it leads."""
        answers = state.state == "clarifying" and message.sender == "requester"
        to: CaseState | None = None
        if message.asks and state.state != "clarifying":
            to = "clarifying"
        elif answers and state.correspondence.waits_for_an_answer:
            to = "scoping"
        after = state.corresponding(state.correspondence.with_message(message))
        if to is not None:
            after = after.entering(to)
        if message.sender == "requester":
            step = BY_THE_REQUESTER
        else:
            step = "question_asked" if message.asks else "message_written"
        actor = message.written_by or "requester"
        return self._step(after, step, actor, message.at)

    def _step(self, after: CaseFile, step: str, actor: str, at: datetime) -> Change[CaseFile]:
        counts = {"messages": len(after.correspondence.messages)}
        rules = self._work.rules_of(after)
        told = after.recorded(rules, step=step, actor=actor, at=at, counts=counts)
        return Change(after, (Outgoing(told),))

    async def _opened(
        self, state: CaseFile, access: Access, facts: RecordFacts
    ) -> Sequence[ReadMessage]:
        messages = state.correspondence.messages
        if not messages:
            return ()
        async with self._work.vault.unlock(access, facts) as key:
            return [
                ReadMessage(each, key.open(each.sealed_name, each.sealed).decode())
                for each in messages
            ]
