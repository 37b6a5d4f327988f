"""The use cases of grants: prepare one, approve it by a fresh sign-in, revoke it, look at them.

A grant, its approvals and its end are stored in the case file, and the event that says so is in the
same write. What is approved never changes after its preparation: the approver's ID token has its
hash, and every owner of sealed data hashes it again.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from direct311.retention.cases.approving import FreshSignIns, has_approved, role_for
from direct311.retention.cases.domain import (
    MOST_GRANTS,
    CaseFile,
    CaseRules,
    GrantEnd,
    GrantState,
    IssuedGrant,
    KindRules,
    RoleApproval,
)
from direct311.retention.cases.work import noting
from direct311.retention.grants.domain import GrantDraft, fits_into_the_log, same_content
from direct311.retention.legal_process.domain import LegalDoor
from direct311.runtime.access.disclosures import nonce_of_grant
from direct311.runtime.access.fresh_sign_in import Approvals, ProviderKeys
from direct311.runtime.access.rules import Caller
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.messaging.state import Change, Outgoing
from direct311.schemas import derived_id

Changed = Change[CaseFile] | None


@dataclass(frozen=True, slots=True)
class ShownGrant:
    """A grant as its approvers see it. `nonce`: what the ID token of everybody who approves it has
    as its nonce. `missing`: the roles in which somebody must still approve it."""

    issued: IssuedGrant
    state: GrantState
    nonce: str
    missing: tuple[str, ...]


class Granting:
    """:param approvals: what checks a fresh sign-in; `None` if no client for approvals is
        configured, and then nothing is approved.
    :param fields: the sealed fields that there are.
    :param door: what a case for law enforcement may open besides.
    """

    def __init__(
        self,
        processor: EventProcessor[CaseFile],
        rules: CaseRules,
        fields: Collection[str],
        approvals: Approvals | None,
        provider: ProviderKeys,
        clock: Clock,
        ids: Ids,
        door: LegalDoor,
    ) -> None:
        self._processor = processor
        self._rules = rules
        self._fields = frozenset(fields)
        self._sign_ins = FreshSignIns(approvals, provider)
        self._clock = clock
        self._ids = ids
        self._door = door

    async def grants(self, caller: Caller, case_id: str) -> tuple[int, Sequence[ShownGrant]]:
        """The version of the case, and its grants, oldest first. Opens nothing.

        :raises RefusedError: there is no such case for this caller.
        """
        state, rules = await self._found(caller, case_id)
        now = self._clock.now()
        return state.version, [_shown(each, rules, now) for each in state.grants]

    async def prepare(
        self, caller: Caller, case_id: str, version: int, draft: GrantDraft
    ) -> ShownGrant:
        """Prepare a grant; nobody can use it before others have approved it. The same grant from
        the same version is prepared once.

        :param version: the case's, as the caller has seen it.
        :raises RefusedError: the caller's desk has no such case, it is closed or full, somebody
            has changed it, or such a grant cannot be.
        """
        _, rules = await self._found(caller, case_id)
        if not {*rules.desks} & {*caller.roles}:
            raise RefusedError("desk", "Another desk keeps cases of this kind.")
        now = self._clock.now()
        self._check(draft, rules, now)
        grant_id = derived_id(case_id, f"grant:{version}")
        grant = draft.grant(
            grant_id=grant_id, case_id=case_id, kind=rules.kind, by=caller.sub, at=now
        )
        if not fits_into_the_log(grant, len(rules.approvers)):
            raise RefusedError("too_long", "The log cannot hold it; ask for less in one grant.")

        async def decide(state: CaseFile) -> Changed:
            known = state.grant(grant_id)
            if known is not None and same_content(known.grant, grant):
                return None
            _check_open(state)
            if state.version != version:
                raise _changed()
            if len(state.grants) >= MOST_GRANTS:
                raise RefusedError("full", f"A case has at most {MOST_GRANTS} grants.")
            self._door.check(state, grant, now)
            after = state.with_grant(IssuedGrant(grant=grant, prepared_from=version))
            step = after.recorded(
                rules, step="grant_prepared", actor=caller.sub, at=now, codes=(grant_id,)
            )
            return Change(after, (Outgoing(step),))

        return await self._change(case_id, grant_id, rules, decide)

    async def approve(
        self, caller: Caller, case_id: str, grant_id: str, version: int, id_token: str
    ) -> ShownGrant:
        """Approve a grant with the ID token of a fresh sign-in. With the last approval that it
        needs it takes effect; the owners of the data learn it from its event. May be repeated.

        :param version: the grant's, as the caller has seen it.
        :raises RefusedError: there is no such case or grant for this caller, the same person
            prepared or approved it, its role is not needed, it has ended, somebody has changed it,
            or the ID token is no fresh sign-in of the caller for this grant.
        :raises TransientError: the identity provider has never answered.
        """
        _, rules = await self._found(caller, case_id)
        self._sign_ins.configured()

        async def decide(state: CaseFile) -> Changed:
            issued = _grant_in(state, grant_id)
            grant = issued.grant
            approvers = [each.approval.approver for each in issued.approvals]
            if has_approved(caller, grant.prepared_by, approvers):
                return None
            _check_open(state)
            if issued.state(self._clock.now()) in ("revoked", "expired"):
                raise RefusedError("grant_ended", "The grant was revoked or has expired.")
            if issued.version != version:
                raise _changed()
            self._door.check(state, grant, self._clock.now())
            role = role_for(caller, rules.approvers, issued.missing(rules.approvers), "grant")
            # Checked in here, so that a repeated attempt has the time of its own event: an owner
            # accepts a grant only if its event is as recent as its last approval.
            now = self._clock.now()
            nonce = nonce_of_grant(grant)
            approval = await self._sign_ins.approval(caller, id_token, nonce, now, "grant")
            last = issued.missing(rules.approvers) == (role,)
            given = issued.approved_by(RoleApproval(role=role, approval=approval), last=last)
            after = state.with_grant(given)
            if last:
                after = after.grant_in_force(self._door.follow_up_due(state, now))
                return Change(after, (Outgoing(after.grant_approved(rules, given)),))
            step = after.recorded(
                rules, step="grant_approval", actor=caller.sub, at=now, codes=(grant_id, role)
            )
            return Change(after, (Outgoing(step),))

        return await self._change(case_id, grant_id, rules, decide)

    async def revoke(
        self, caller: Caller, case_id: str, grant_id: str, version: int, reason: str
    ) -> ShownGrant:
        """End a grant at once; may be repeated.

        :param version: the grant's, as the caller has seen it.
        :param reason: a code.
        :raises RefusedError: there is no such case or grant for this caller, it has expired, or
            somebody has changed it.
        """
        _, rules = await self._found(caller, case_id)

        async def decide(state: CaseFile) -> Changed:
            issued = _grant_in(state, grant_id)
            if issued.end is not None:
                return None
            now = self._clock.now()
            if issued.state(now) == "expired":
                raise RefusedError("grant_ended", "The grant was revoked or has expired.")
            if issued.version != version:
                raise _changed()
            end = GrantEnd(reason=reason, revoked_by=caller.sub, revoked_at=now)
            after = state.with_grant(issued.revoked(end))
            return Change(after, (Outgoing(after.grant_revoked(rules, grant_id, end)),))

        return await self._change(case_id, grant_id, rules, decide)

    def _check(self, draft: GrantDraft, rules: KindRules, at: datetime) -> None:
        """:raises RefusedError: there can be no such grant; repeats nothing of it."""
        if not draft.fields or not (draft.record_ids or draft.searches):
            raise RefusedError(
                "empty_grant", "Name at least one field, and a record or a search.", field="fields"
            )
        if not {*draft.fields} <= self._fields:
            raise RefusedError("fields", "There is no such sealed field.", field="fields")
        kinds = [each.kind for each in draft.searches]
        if len({*kinds}) < len(kinds) or not {*kinds} <= {*rules.searches}:
            raise RefusedError(
                "searches",
                "Name each kind of search once, and only those that a grant for this kind of case "
                "may allow.",
                field="searches",
            )
        if not at < draft.valid_until <= at + timedelta(days=rules.grant_days):
            raise RefusedError(
                "valid_until",
                f"It must end in the future, at most {rules.grant_days} days from now.",
                field="valid_until",
            )

    async def _change(
        self,
        case_id: str,
        grant_id: str,
        rules: KindRules,
        decide: Callable[[CaseFile], Awaitable[Changed]],
    ) -> ShownGrant:
        state = await self._processor.change(case_id, self._ids.new(), noting(decide))
        return _shown(_grant_in(state, grant_id), rules, self._clock.now())

    async def _found(self, caller: Caller, case_id: str) -> tuple[CaseFile, KindRules]:
        """The case and the rules of its kind. For somebody who neither prepares nor approves
        grants of this kind it does not exist."""
        state = await self._processor.read(case_id)
        if state.kind is None or not self._door.grants_of(state, caller.roles, self._rules):
            raise RefusedError("unknown_case", "There is no such case at your desk.")
        rules = self._rules.of(state.kind)
        return state, rules.with_approvers(self._door.approvers(state, rules.approvers))


def _shown(issued: IssuedGrant, rules: KindRules, at: datetime) -> ShownGrant:
    state = issued.state(at)
    missing = issued.missing(rules.approvers) if state == "prepared" else ()
    return ShownGrant(issued, state, nonce_of_grant(issued.grant), missing)


def _grant_in(state: CaseFile, grant_id: str) -> IssuedGrant:
    issued = state.grant(grant_id)
    if issued is None or not state.exists:
        raise RefusedError("unknown_grant", "This case has no such grant.")
    return issued


def _check_open(state: CaseFile) -> None:
    if not state.exists or state.state == "closed":
        raise RefusedError("case_closed", "The case is closed.")


def _changed() -> RefusedError:
    return RefusedError("changed", "Somebody else has changed it; read it again.", field="version")
