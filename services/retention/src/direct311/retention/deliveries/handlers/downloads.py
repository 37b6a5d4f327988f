"""The recipient downloads an encrypted package, once for each code.

The access is in the log before the code is used up, and the code is used up before anything is
opened. A download that breaks off needs another code.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import Final

from direct311.retention.case_file.deliveries import Delivery
from direct311.retention.case_file.legal import MOST_HAND_OVERS, HandOver
from direct311.retention.cases.domain import CaseFile
from direct311.retention.cases.ports import SealedDocuments
from direct311.retention.cases.work import CaseWork, Changed
from direct311.retention.deliveries.domain import BY_DOWNLOAD, hash_of
from direct311.retention.deliveries.handlers.delivering import (
    check_not_recalled,
    coded_in,
    unknown_code,
)
from direct311.retention.deliveries.ports import CodeCases
from direct311.retention.legal_process.domain import process_of
from direct311.retention.packages.domain.courses import course_of
from direct311.retention.packages.handlers.seen import FIELDS, package_reader
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.arriving import begun_with
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.state import Change, Outgoing
from direct311.runtime.storage.objects import MissingObjectError
from direct311.runtime.vault.pieces import piece_name
from direct311.schemas import derived_id

OPERATION: Final = "POST /internal/deliveries/download"


@dataclass(frozen=True, slots=True)
class Download:
    """What was encrypted, while it is read: its hash, its size, its bytes piece by piece."""

    sha256: str
    size: int
    content: AsyncGenerator[bytes]


class Downloads:
    """Only the gateway asks, for whoever has a code."""

    def __init__(self, work: CaseWork, cases: CodeCases, sealed: SealedDocuments) -> None:
        self._work = work
        self._cases = cases
        self._sealed = sealed

    async def fetch(self, caller: Caller, code: str) -> Download:
        """The encrypted package of a code, which is used up.

        :param caller: the gateway.
        :raises RefusedError: the code opens nothing (any more), the package was recalled, or it no
            longer exists.
        :raises AuditUnavailableError: it could not be recorded; nothing was opened, and the code is
            still good.
        """
        code_hash = hash_of(code)
        state, delivery = self._opens(await self._cases.of_code(code_hash), code_hash)
        name = delivery.sealed_name
        try:
            first = await self._sealed.get(state.record_id, piece_name(name, 1))
        except MissingObjectError:
            raise RefusedError("not_readable", "The package no longer exists.") from None
        access = replace(
            self._work.access(caller, state, "export", OPERATION, FIELDS),
            recipient=course_of(state.kind).recipient,
        )

        async def read() -> AsyncGenerator[bytes]:
            async with self._work.vault.unlock(access, RecordFacts(state.record_id)) as key:
                await self._used(caller, state.record_id, code_hash)
                reader = package_reader(self._sealed, key, state.record_id, name, delivery.size)
                async for piece in reader.all(first):
                    yield piece

        reading = read()
        first_piece = await anext(reading)
        return Download(delivery.sha256, delivery.size, begun_with(first_piece, reading))

    def _opens(self, found: CaseFile | None, code_hash: str) -> tuple[CaseFile, Delivery]:
        """:raises RefusedError: the code opens nothing (any more), or the package was recalled."""
        state, package, delivery, code = coded_in(found, code_hash)
        check_not_recalled(package)
        if code.used_at is not None or code.valid_until <= self._work.clock.now():
            raise unknown_code()
        return state, delivery

    async def _used(self, caller: Caller, case_id: str, code_hash: str) -> None:
        """Use up the code, and add the link to the chain of custody, in one write."""

        async def decide(current: CaseFile) -> Changed:
            state, delivery = self._opens(current, code_hash)
            code, legal = delivery.code, process_of(state)
            if code is None or len(legal.hand_overs) >= MOST_HAND_OVERS:
                raise unknown_code()
            now = self._work.clock.now()
            link = HandOver(
                hand_over_id=derived_id(
                    case_id, f"download:{delivery.delivery_id}:{len(delivery.codes)}"
                ),
                agency=code.agency,
                how=BY_DOWNLOAD,
                sha256=delivery.package,
                handed_by=caller.sub,
                handed_at=now,
            )
            used = delivery.with_newest(code.used(now))
            after = state.delivering(state.deliveries.with_delivery(used))
            after = after.processed(legal.handed_over(link))
            step = after.recorded(
                self._work.rules_of(after),
                step="downloaded",
                actor=caller.sub,
                at=now,
                codes=(code.agency, BY_DOWNLOAD),
                hashes={"package": delivery.package, "delivery": delivery.sha256},
            )
            return Change(after, (Outgoing(step),))

        await self._work.change(case_id, decide)
