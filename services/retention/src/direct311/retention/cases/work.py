"""What every use case of the case desk does: find a case for its caller, open and seal what belongs
to it, and change it."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

from direct311.retention.case_file.steps import StepNote
from direct311.retention.cases.domain import CaseFile, CaseRules, KindRules
from direct311.runtime.access.cases import AccessCase
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.messaging.state import Change, Outgoing
from direct311.runtime.vault.vault import DataKey, Vault
from direct311.schemas import events as ev
from direct311.schemas.events import AccessAction

PURPOSE: Final = "county_business"
"""Why the desk opens its own case file; the reference is the number of the case."""
Changed = Change[CaseFile] | None
Decide = Callable[[CaseFile], Awaitable[Changed]]


class CaseWork:
    """Everything that is opened or sealed here is an access, and its event is in the log first."""

    def __init__(
        self,
        processor: EventProcessor[CaseFile],
        vault: Vault,
        rules: CaseRules,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self.processor = processor
        self.vault = vault
        self.rules = rules
        self.clock = clock
        self.ids = ids

    async def found(self, caller: Caller, case_id: str) -> CaseFile:
        """The case at the caller's desk.

        :raises RefusedError: the caller's desk has no such case.
        """
        state = await self.processor.read(case_id)
        if state.kind not in self.rules.kinds_at(caller.roles) or not state.exists:
            raise unknown_case()
        return state

    def rules_of(self, state: CaseFile) -> KindRules:
        """The rules of the case's kind, and of its legal process.

        :raises RefusedError: there is no such case.
        """
        if state.kind is None:
            raise unknown_case()
        return self.rules.of(state.kind).of_process(state.legal)

    def records_case(self, state: CaseFile) -> KindRules:
        """The rules of a public-records case, for what only such a case has.

        :raises RefusedError: the case is of another kind.
        """
        rules = self.rules_of(state)
        if rules.kind != "public_records":
            raise RefusedError("case_kind", "Only a public-records case has this.")
        return rules

    async def change(self, case_id: str, decide: Decide) -> CaseFile:
        """Change a case by a new call; returns the case as it is then. `decide` is called again if
        somebody else changed the case meanwhile. What it announces is in the timeline."""
        return await self.processor.change(case_id, self.ids.new(), noting(decide))

    async def open(
        self, caller: Caller, state: CaseFile, operation: str, sealed: Mapping[str, bytes]
    ) -> Mapping[str, bytes]:
        """Open sealed fields of the case by their names.

        :raises DeniedError: the rules refuse.
        :raises AuditUnavailableError: it could not be recorded; nothing was opened.
        """
        access = self.access(caller, state, "view", operation, tuple(sealed))
        return await self.vault.open(access, self.facts(state), sealed)

    def unlock(
        self,
        caller: Caller,
        state: CaseFile,
        action: AccessAction,
        operation: str,
        fields: tuple[str, ...],
    ) -> AbstractAsyncContextManager[DataKey]:
        """The case's key, to seal or open what has a name of its own under it.

        :param fields: what is opened or sealed, as the access rules call it.
        :raises DeniedError: the rules refuse.
        :raises AuditUnavailableError: it could not be recorded; nothing was opened.
        """
        return self.vault.unlock(
            self.access(caller, state, action, operation, fields), self.facts(state)
        )

    def access(
        self,
        caller: Caller,
        state: CaseFile,
        action: AccessAction,
        operation: str,
        fields: tuple[str, ...],
    ) -> Access:
        """The desk's access to a case file. Its entry is withheld while the case is exempt."""
        now, until = self.clock.now(), state.exempt_until
        return Access(
            caller,
            action=action,
            purpose=PURPOSE,
            operation=operation,
            fields=fields,
            record_ids=(state.record_id,),
            reference=state.record_id,
            case=AccessCase(state.record_id, until if until is not None and until > now else None),
            version_seen=state.version,
            result_count=1,
        )

    def facts(self, state: CaseFile) -> RecordFacts:
        """What the access rules know of the case."""
        desks = self.rules.of(state.kind).desks if state.kind else ()
        return RecordFacts(state.record_id, desks=desks)


def noting(decide: Decide) -> Decide:
    """The same decision, and its steps are in the case's timeline. Whoever announces a step by an
    event of the case has it there by the same write."""

    async def noted(state: CaseFile) -> Changed:
        change = await decide(state)
        if change is None:
            return None
        notes = tuple(_notes(change.state, change.events))
        return Change(change.state.noted(notes), change.events) if notes else change

    return noted


def _notes(after: CaseFile, events: Sequence[Outgoing]) -> Iterator[StepNote]:
    for data in (each.data for each in events):
        match data:
            case ev.DisclosureRecorded():
                yield StepNote(
                    step=data.step,
                    state=data.state,
                    actor=data.actor,
                    at=data.occurred_at,
                    codes=data.codes,
                    counts=data.counts,
                )
            case ev.DisclosureApproved():
                last = data.approvals[-1]
                yield StepNote(
                    step="grant_approved",
                    state=after.state,
                    actor=last.approver,
                    at=last.approved_at,
                    codes=(data.grant.grant_id,),
                )
            case ev.DisclosureRevoked():
                yield StepNote(
                    step="grant_revoked",
                    state=after.state,
                    actor=data.revoked_by,
                    at=data.revoked_at,
                    codes=(data.grant_id, data.reason),
                )
            case ev.DisclosureReleased():
                yield StepNote(
                    step="released",
                    state=after.state,
                    actor=data.released_by,
                    at=data.released_at,
                    codes=(data.recipient,),
                    counts=data.counts,
                )
            case _:
                # The acts on holds are told by the steps that lead to them.
                continue


def check_open(state: CaseFile) -> None:
    """:raises RefusedError: the case is closed, or does not exist any more."""
    if not state.exists or not state.may_become("closed"):
        raise RefusedError("case_closed", "The case is closed.")


def check_unopposed(state: CaseFile) -> None:
    """:raises RefusedError: somebody objects, and counsel has not settled it."""
    if state.legal is not None and state.legal.objected:
        raise RefusedError("objection", "Somebody objects; nothing is opened until then.")


def check_version(state: CaseFile, version: int) -> None:
    """:param version: the case's, as the caller has seen it.

    :raises RefusedError: somebody else has changed the case.
    """
    if state.version != version:
        raise RefusedError(
            "changed", "Somebody else has changed it; read it again.", field="version"
        )


def unknown_case() -> RefusedError:
    """For everybody but its desk a case does not exist."""
    return RefusedError("unknown_case", "There is no such case at your desk.")
