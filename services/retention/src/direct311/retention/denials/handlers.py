"""The use cases of denials: prepare one, approve it by a fresh sign-in, read its statement.

A custodian prepares a denial, a records officer approves it, and counsel too where it asserts an
exemption. What is approved never changes after its preparation: the approver's ID token has its
hash. The last approval closes the case, or says that a part is denied, in one write with its event.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final
from zoneinfo import ZoneInfo

from direct311.retention.acts import SERVICE
from direct311.retention.case_file.denials import (
    MOST_DENIALS,
    STATEMENT,
    Denial,
    DenialApproval,
    DenialOutcome,
    DenialState,
    DeniedItem,
    needed_for,
)
from direct311.retention.cases.approving import FreshSignIns, has_approved, role_for
from direct311.retention.cases.domain import CaseFile, GrantEnd, KindRules
from direct311.retention.cases.work import (
    CaseWork,
    Changed,
    check_open,
    check_version,
    unknown_case,
)
from direct311.retention.denials.ports import CasesByToken, KnownExemptions
from direct311.runtime.access.fresh_sign_in import (
    Approvals,
    ProviderKeys,
    nonce_of,
)
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.errors import FieldProblem, MalformedError, RefusedError
from direct311.runtime.messaging.state import Change, Outgoing
from direct311.schemas import derived_id

DENIAL: Final = "disclosure-denial"
"""What approvers of a denial approve; see `fresh_sign_in.nonce_of`."""
REQUESTER: Final = "requester"
"""The recipient in the entry of a statement that was read by a token."""


def nonce_of_denial(denial: Denial) -> str:
    """What the ID token of everybody who approves this denial has as its `nonce`."""
    return nonce_of(DENIAL, denial.content)


@dataclass(frozen=True, slots=True)
class ShownDenial:
    """A denial as its approvers see it, with the nonce of its approvals."""

    denial: Denial
    state: DenialState
    nonce: str


@dataclass(frozen=True, slots=True)
class Statement:
    """An approved denial with what its requester is told."""

    denial: Denial
    text: str


class Denying:
    """:param approvals: what checks a fresh sign-in; `None` if no client for approvals is
        configured, and then nothing is approved.
    :param zone: of the day on which an exemption must be in force.
    """

    def __init__(
        self,
        work: CaseWork,
        exemptions: KnownExemptions,
        cases: CasesByToken,
        approvals: Approvals | None,
        provider: ProviderKeys,
        zone: ZoneInfo,
    ) -> None:
        self._work = work
        self._exemptions = exemptions
        self._cases = cases
        self._sign_ins = FreshSignIns(approvals, provider)
        self._zone = zone

    async def denials(self, caller: Caller, case_id: str) -> tuple[int, Sequence[ShownDenial]]:
        """The version of the case, and its denials, oldest first. Opens nothing.

        :raises RefusedError: there is no such case for this caller.
        """
        state, _ = await self._found(caller, case_id)
        return state.version, [_shown(state, each) for each in state.denials.all]

    async def prepare(
        self,
        caller: Caller,
        case_id: str,
        version: int,
        outcome: DenialOutcome,
        items: Sequence[DeniedItem],
        statement: str,
    ) -> ShownDenial:
        """Prepare a denial; it has no effect before others have approved it, and takes the place of
        one that was not approved yet. The same denial from the same version is prepared once.

        :param version: the case's, as the caller has seen it.
        :param statement: what the requester is told; it is sealed.
        :raises RefusedError: the caller's desk has no such case, it is closed, full or not
            acknowledged, its records are not identified yet, or somebody has changed it.
        :raises MalformedError: an item asserts an exemption that is not in force for it, or with
            another citation.
        :raises AuditUnavailableError: sealing could not be recorded; nothing was written.
        """
        state = await self._work.found(caller, case_id)
        rules = self._work.rules_of(state)
        if not rules.deniers:
            raise RefusedError("no_denials", "A case of this kind is not denied here.")
        self._check(items)
        denial = Denial(
            denial_id=derived_id(case_id, f"denial:{version}"),
            case_id=case_id,
            outcome=outcome,
            items=tuple(items),
            statement=sha256(statement.encode()).hexdigest(),
            prepared_by=caller.sub,
            prepared_at=self._work.clock.now(),
            prepared_from=version,
            needed=needed_for(items, rules.deniers, rules.exemption_deniers),
        )
        if (known := state.denials.find(denial.denial_id)) is not None and known.is_like(denial):
            return _shown(state, known)
        _check_room(state, version)
        operation = "POST /v1/cases/{case_id}/denial"
        async with self._work.unlock(caller, state, "seal", operation, (STATEMENT,)) as key:
            sealed = key.seal(denial.sealed_name, statement.encode())

        async def decide(state: CaseFile) -> Changed:
            known = state.denials.find(denial.denial_id)
            if known is not None and known.is_like(denial):
                return None
            _check_room(state, version)
            after = state.denying(state.denials.having(denial)).with_sealed(
                denial.sealed_name, sealed
            )
            step = after.recorded(
                rules,
                step="denial_prepared",
                actor=caller.sub,
                at=denial.prepared_at,
                codes=(denial.denial_id, outcome, *denial.exemptions),
                counts={"denied_items": len(items)},
                hashes={"statement": denial.statement},
            )
            return Change(after, (Outgoing(step),))

        found = await self._work.change(case_id, decide)
        return _shown(found, _denial_in(found, denial.denial_id))

    async def approve(
        self, caller: Caller, case_id: str, denial_id: str, version: int, id_token: str
    ) -> ShownDenial:
        """Approve a denial with the ID token of a fresh sign-in. The last approval that it needs
        puts it into effect: `denied` closes the case and ends its grants. May be repeated.

        :param version: the denial's, as the caller has seen it.
        :raises RefusedError: there is no such case or denial for this caller, the same person
            prepared or approved it, its role is not needed, it was replaced, somebody has changed
            it, or the ID token is no fresh sign-in of the caller for this denial.
        :raises TransientError: the identity provider has never answered.
        """
        _, rules = await self._found(caller, case_id)
        self._sign_ins.configured()

        async def decide(state: CaseFile) -> Changed:
            denial = _denial_in(state, denial_id)
            approvers = [each.approval.approver for each in denial.approvals]
            if has_approved(caller, denial.prepared_by, approvers):
                return None
            check_open(state)
            if state.denials.state(denial) == "replaced":
                raise RefusedError("denial_replaced", "Another denial was prepared since.")
            _check_version_of(denial, version)
            role = role_for(caller, denial.needed, denial.missing, "denial")
            self._check(denial.items)
            now = self._work.clock.now()
            nonce = nonce_of_denial(denial)
            approval = await self._sign_ins.approval(caller, id_token, nonce, now, "denial")
            given = denial.approved_by(DenialApproval(role=role, approval=approval))
            return _approved(state, rules, given, role, caller)

        found = await self._work.change(case_id, decide)
        return _shown(found, _denial_in(found, denial_id))

    async def statement(self, caller: Caller, case_id: str, denial_id: str) -> Statement:
        """A denial with its statement, for its desk and for those who approve it. This is an
        access.

        :raises RefusedError: there is no such case or denial for this caller.
        :raises DeniedError: the rules refuse.
        :raises AuditUnavailableError: it could not be recorded; nothing was opened.
        """
        state, rules = await self._found(caller, case_id)
        denial = _denial_in(state, denial_id)
        operation = "GET /v1/cases/{case_id}/denials/{denial_id}/statement"
        access = self._work.access(caller, state, "view", operation, (STATEMENT,))
        facts = RecordFacts(case_id, desks=_readers(rules))
        async with self._work.vault.unlock(access, facts) as key:
            text = key.open(denial.sealed_name, state.sealed[denial.sealed_name])
        return Statement(denial, text.decode())

    async def statements(self, token: str) -> tuple[CaseFile, Sequence[Statement]]:
        """The case of a token, and the statements of its approved denials, which its requester asks
        for (section 119.07(1)(f), F.S.). This is an access, and its recipient is the requester.

        :raises RefusedError: no case has this token, or nothing of it was denied.
        :raises AuditUnavailableError: it could not be recorded; nothing was opened.
        """
        state = await self._cases.of_token(sha256(token.encode()).hexdigest())
        if state is None:
            raise unknown_case()
        denied = state.denials.approved
        if not denied:
            raise RefusedError("no_statement", "Nothing of this request was denied.")
        operation = "GET /v1/records-requests/statement"
        access = self._work.access(SERVICE, state, "disclose", operation, (STATEMENT,))
        access = replace(access, recipient=REQUESTER)
        async with self._work.vault.unlock(access, RecordFacts(state.record_id)) as key:
            texts = [key.open(each.sealed_name, state.sealed[each.sealed_name]) for each in denied]
        told = [Statement(each, text.decode()) for each, text in zip(denied, texts, strict=True)]
        return state, told

    def _check(self, items: Sequence[DeniedItem]) -> None:
        """Whether each exemption is in force today for what it is asserted."""
        today = self._work.clock.now().astimezone(self._zone).date()
        problems = []
        for index, item in enumerate(items):
            if item.reason != "exempt":
                continue
            found = self._exemptions.in_force(item.exemption or "", today, item.field)
            if found is None:
                problems.append(
                    FieldProblem(
                        field=f"items.{index}.exemption",
                        detail="No exemption of this code is in force for this.",
                        code="not_a_choice",
                    )
                )
            elif found.citation != item.citation:
                problems.append(
                    FieldProblem(
                        field=f"items.{index}.citation",
                        detail=f"The citation of this exemption is {found.citation}.",
                        code="not_a_choice",
                    )
                )
        if problems:
            raise MalformedError(problems)

    async def _found(self, caller: Caller, case_id: str) -> tuple[CaseFile, KindRules]:
        """The case and the rules of its kind. For somebody who neither prepares nor approves
        denials of this kind it does not exist."""
        state = await self._work.processor.read(case_id)
        if state.kind is None or not state.exists:
            raise unknown_case()
        rules = self._work.rules.of(state.kind)
        if not {*_readers(rules)} & {*caller.roles}:
            raise unknown_case()
        return state, rules


def _check_version_of(denial: Denial, version: int) -> None:
    """:raises RefusedError: somebody else has approved the denial since."""
    if denial.version != version:
        raise RefusedError(
            "changed", "Somebody else has changed it; read it again.", field="version"
        )


def _approved(
    state: CaseFile, rules: KindRules, denial: Denial, role: str, by: Caller
) -> Change[CaseFile]:
    """The case with this approval, and with what follows from the last one."""
    at = denial.approvals[-1].approval.approved_at
    after = state.denying(state.denials.having(denial))
    if denial.approved_at is None:
        step = after.recorded(
            rules,
            step="denial_approval",
            actor=by.sub,
            at=at,
            codes=(denial.denial_id, role),
        )
        return Change(after, (Outgoing(step),))
    ended: tuple[Outgoing, ...] = ()
    if denial.outcome == "denied":
        end = GrantEnd(reason="case_closed", revoked_by=by.sub, revoked_at=at)
        after, in_force = after.ended("denied", at).without_grants(end)
        ended = tuple(
            Outgoing(after.grant_revoked(rules, each.grant.grant_id, end)) for each in in_force
        )
    step = after.recorded(
        rules,
        step="denied" if denial.outcome == "denied" else "denied_in_part",
        actor=by.sub,
        at=at,
        codes=(denial.denial_id, role, *denial.exemptions),
        counts={"denied_items": len(denial.items)},
        hashes={"statement": denial.statement},
    )
    return Change(after, (Outgoing(step), *ended))


def _check_room(state: CaseFile, version: int) -> None:
    check_open(state)
    if state.state == "received":
        raise RefusedError("case_state", "Acknowledge the request first.")
    provisional = state.provisional
    if provisional is not None and provisional.standing:
        # What is denied must be kept, as the requester may sue.
        raise RefusedError("not_identified", "Say first which records the request is about.")
    check_version(state, version)
    if len(state.denials.all) >= MOST_DENIALS:
        raise RefusedError("full", f"A case has at most {MOST_DENIALS} denials.")


def _readers(rules: KindRules) -> tuple[str, ...]:
    """Who sees denials of this kind: the desk, and those who approve."""
    return (*rules.desks, *rules.deniers, *rules.exemption_deniers)


def _shown(state: CaseFile, denial: Denial) -> ShownDenial:
    return ShownDenial(denial, state.denials.state(denial), nonce_of_denial(denial))


def _denial_in(state: CaseFile, denial_id: str) -> Denial:
    found = state.denials.find(denial_id)
    if found is None or not state.exists:
        raise RefusedError("unknown_denial", "This case has no such denial.")
    return found
