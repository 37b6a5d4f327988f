"""Who sees the packages of a case, and the accesses to what is sealed."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from functools import partial

from direct311.retention.case_file.packages import PACKAGE, BuiltPackage
from direct311.retention.cases.domain import CaseFile, KindRules
from direct311.retention.cases.ports import SealedDocuments
from direct311.retention.cases.work import CaseWork, unknown_case
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.arriving import Arriving, begun_with
from direct311.runtime.errors import RefusedError
from direct311.runtime.storage.objects import MissingObjectError
from direct311.runtime.vault.pieces import PieceReader, piece_name
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
    if not state.exists:
        raise unknown_case()
    rules = work.rules_of(state)
    if not {*rules.packagers} & {*caller.roles}:
        raise unknown_case()
    return state, rules


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


async def sealed_package(sealed: SealedDocuments, state: CaseFile, package: BuiltPackage) -> bytes:
    """The ciphertext of a package, or of its first piece. It is fetched first, so that nothing but
    a later piece can fail after the access was recorded.

    :raises RefusedError: it is gone.
    """
    name = package.sealed_name if package.build is None else piece_name(package.sealed_name, 1)
    try:
        return await sealed.get(state.record_id, name)
    except MissingObjectError:
        raise RefusedError("not_readable", "The package no longer exists.") from None


def package_reader(
    sealed: SealedDocuments, key: DataKey, case_id: str, name: str, size: int
) -> PieceReader:
    """Opens what was sealed in pieces under this name for the case."""
    return PieceReader(key, name, size, partial(sealed.get, case_id))


async def opened(
    sealed: SealedDocuments,
    unlocking: AbstractAsyncContextManager[DataKey],
    state: CaseFile,
    package: BuiltPackage,
) -> Arriving:
    """The bytes of a package, piece by piece. The access is recorded when this returns; the key is
    held until the last piece.

    :param unlocking: gives the case's key.
    :raises RefusedError: it is gone.
    :raises DeniedError: the rules refuse.
    :raises AuditUnavailableError: it could not be recorded; nothing was opened.
    """
    first = await sealed_package(sealed, state, package)

    async def read() -> AsyncGenerator[bytes]:
        name, case_id = package.sealed_name, state.record_id
        async with unlocking as key:
            if package.build is None:
                yield key.open(name, first)
                return
            reader = package_reader(sealed, key, case_id, name, package.size)
            async for piece in reader.all(first):
                yield piece

    reading = read()
    # Whoever hears no more of it closes this, and this gives up the key.
    return begun_with(await anext(reading), reading)
