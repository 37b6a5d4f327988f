"""Who sees the packages of a case, and the accesses to what is sealed."""

from contextlib import AbstractAsyncContextManager

from direct311.retention.case_file.packages import PACKAGE, BuiltPackage
from direct311.retention.cases.domain import CaseFile, KindRules
from direct311.retention.cases.ports import SealedDocuments
from direct311.retention.cases.work import CaseWork, unknown_case
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.errors import RefusedError
from direct311.runtime.storage.objects import MissingObjectError
from direct311.runtime.vault.vault import DataKey
from direct311.schemas.events import AccessAction

FIELDS = (PACKAGE,)


async def at_desk(work: CaseWork, caller: Caller, case_id: str) -> tuple[CaseFile, KindRules]:
    """The case at the caller's desk, and the rules of its kind.

    :raises RefusedError: the caller's desk has no such case, or cases of its kind are not packaged.
    """
    state = await work.found(caller, case_id)
    rules = work.rules_of(state)
    if not rules.releasers:
        raise RefusedError("case_state", "Cases of this kind are not packaged.")
    return state, rules


async def seen(work: CaseWork, caller: Caller, case_id: str) -> tuple[CaseFile, KindRules]:
    """The case, for its desk and for those who approve its packages.

    :raises RefusedError: there is no such case for the caller.
    """
    state = await work.processor.read(case_id)
    if state.kind not in work.rules.packaged_by(caller.roles) or not state.exists:
        raise unknown_case()
    return state, work.rules_of(state)


def unlocked(
    work: CaseWork,
    caller: Caller,
    state: CaseFile,
    action: AccessAction,
    operation: str,
    readers: tuple[str, ...],
) -> AbstractAsyncContextManager[DataKey]:
    """The case's key, for what was collected and for packages.

    :param readers: the roles that may open them; without any, only a service does.
    :raises DeniedError: the rules refuse.
    :raises AuditUnavailableError: it could not be recorded; nothing was opened.
    """
    access = work.access(caller, state, action, operation, FIELDS)
    return work.vault.unlock(access, RecordFacts(state.record_id, desks=readers))


def readers_of(rules: KindRules) -> tuple[str, ...]:
    """The roles that may open a package."""
    return (*rules.desks, *rules.releasers, *rules.exemption_releasers)


async def sealed_package(sealed: SealedDocuments, state: CaseFile, package: BuiltPackage) -> bytes:
    """The ciphertext of a package. It is fetched first, so that nothing can fail after the access
    was recorded.

    :raises RefusedError: it is gone.
    """
    try:
        return await sealed.get(state.record_id, package.sealed_name)
    except MissingObjectError:
        raise RefusedError("not_readable", "The package no longer exists.") from None
