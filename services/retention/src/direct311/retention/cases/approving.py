"""What every approval in a case needs: another person, in a role that is still missing, who has
signed in again for exactly what is approved."""

from collections.abc import Collection, Sequence
from datetime import datetime

from direct311.runtime.access.fresh_sign_in import ApprovalError, Approvals, ProviderKeys
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.persons import same_person
from direct311.schemas import events as ev


class FreshSignIns:
    """Checks ID tokens. `approvals`: `None` if no client for approvals is configured, and then
    nothing is approved."""

    def __init__(self, approvals: Approvals | None, provider: ProviderKeys) -> None:
        self._approvals = approvals
        self._provider = provider

    def configured(self) -> Approvals:
        """What checks them.

        :raises RefusedError: no client for approvals is configured.
        """
        if self._approvals is None:
            raise RefusedError("no_approvals", "No client for approvals is configured.")
        return self._approvals

    async def approval(
        self, caller: Caller, id_token: str, nonce: str, at: datetime, what: str
    ) -> ev.Approval:
        """The caller's approval of what has this nonce.

        :param what: in words, for the refusal: `grant`.
        :raises RefusedError: the ID token is no fresh sign-in of the caller for it.
        :raises TransientError: the identity provider has never answered.
        """
        approvals = self.configured()
        try:
            given = await approvals.approved(id_token, nonce, at, self._provider)
        except ApprovalError as error:
            raise _not_fresh(what, str(error)) from None
        if given.approver != caller.sub:
            raise _not_fresh(what, "another person's")
        return given


def has_approved(
    caller: Caller, preparer: str, approvers: Collection[str], prepared: str = "prepared"
) -> bool:
    """Whether this is a repeat.

    :param prepared: what the preparer did, in words.
    :raises RefusedError: the same person prepared it, or approved it under another name.
    """
    if same_person(preparer, caller.sub):
        raise _same_person(prepared)
    if caller.sub in approvers:
        return True
    if any(same_person(each, caller.sub) for each in approvers):
        raise _same_person("approved")
    return False


def role_for(caller: Caller, needed: Collection[str], missing: Sequence[str], what: str) -> str:
    """The role in which the caller approves it: the first one that is still missing.

    :param what: in words, for the refusal: `grant`.
    :raises RefusedError: the caller has none of the roles, or somebody has approved it in them.
    """
    if not {*needed} & {*caller.roles}:
        raise RefusedError("role", f"This needs one of the roles that approve such a {what}.")
    for role in missing:
        if role in caller.roles:
            return role
    raise RefusedError("approved", "Somebody else has approved it in your role.")


def _same_person(did: str) -> RefusedError:
    return RefusedError("same_person", f"Somebody other than the person who {did} it must approve.")


def _not_fresh(what: str, why: str) -> RefusedError:
    return RefusedError(
        "fresh_sign_in", f"Sign in again to approve this {what}. The ID token is {why}."
    )
