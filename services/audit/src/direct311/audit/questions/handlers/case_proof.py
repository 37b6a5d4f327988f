"""The proof that what happened in a disclosure case is in the log, for the case's own package.

It is a bundle of the entries that the case's own signed events have. The case desk's service asks
for it when a package is built. Steps and ends of grants are disclosed: they have codes, counts,
hashes and the names of staff. Grants and releases stay sealed, since they have the sign-ins of
those who approved, and so does every entry of a case that is exempt for now.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final

from direct311.audit.entry import Filter
from direct311.audit.index.domain import Exempt
from direct311.audit.index.ports import KnownCases
from direct311.audit.index_row import IndexRow
from direct311.audit.log.handlers.files import LogFiles
from direct311.audit.log.handlers.log_keys import LogKeys
from direct311.audit.log.ports.log import Followed
from direct311.audit.log.ports.publication import Published
from direct311.audit.questions.handlers.audited_query import (
    FIELDS,
    AuditedQuery,
    entry_key,
)
from direct311.audit.questions.handlers.read import MOST_IN_A_BUNDLE, receipt_of
from direct311.audit.questions.handlers.register import acts_of
from direct311.runtime.access.cases import AccessCase
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.clock import Clock
from direct311.runtime.errors import RefusedError
from direct311.runtime.vault.vault import Vault
from direct311.verifier.bundle import encode_bundle
from direct311.verifier.event import EventKey

PURPOSE: Final = "county_business"
OPERATION: Final = "POST /internal/cases/{case_id}/proof"
DISCLOSED: Final = frozenset({"disclosure.recorded", "disclosure.revoked"})
"""The events that are disclosed; the others have ID tokens in them."""


class CaseProof:
    """Makes the bundle of one case."""

    def __init__(
        self,
        *,
        audited: AuditedQuery,
        log: Followed,
        files: LogFiles,
        published: Published,
        log_keys: LogKeys,
        producers: Sequence[EventKey],
        cases: KnownCases,
        vault: Vault,
        clock: Clock,
    ) -> None:
        self._audited = audited
        self._log = log
        self._files = files
        self._published = published
        self._log_keys = log_keys
        self._producers = producers
        self._cases = cases
        self._vault = vault
        self._clock = clock

    async def __call__(self, caller: Caller, case_id: str) -> AsyncIterator[bytes]:
        """The bundle, piece by piece, oldest entry first. It reaches to the published checkpoint
        that it contains, and waits a moment for what was logged just now.

        :raises RefusedError: the rules refuse, the log has no entry of the case yet, nothing is
            published yet, or it cannot be written to the log.
        """
        indexed = await self._log.complete()
        published = await self._published.covering(indexed.size)
        head = published.head
        before = min(head.size, indexed.size)
        known = await self._cases.of([case_id])
        exempt = Exempt(self._clock.now(), cases=known)
        acts = acts_of(self._audited, Filter(case_id=case_id), 0, before, None)
        rows = sorted([row async for row in acts], key=lambda row: row.index)
        if len(rows) > MOST_IN_A_BUNDLE:
            raise RefusedError("too_many", f"More than {MOST_IN_A_BUNDLE} entries.")
        shown = [row for row in rows if row.facts and row.facts.event in DISCLOSED]
        access = Access(
            caller,
            action="export",
            purpose=PURPOSE,
            operation=OPERATION,
            fields=FIELDS,
            record_ids=(case_id,),
            reference=case_id,
            case=AccessCase(case_id, _exempt_until(rows, exempt)),
            query_fields=("case_id",),
            result_count=len(rows),
        )
        event_id, _ = await self._vault.authorise(access, RecordFacts(case_id))
        if not rows:
            raise RefusedError("not_found", "The log has no entry of this case yet.")
        hashes = await self._files.inclusion([row.index for row in rows], head)
        keys = await self._audited.keys(shown, event_id, exempt)

        def key_of(row: IndexRow) -> bytes | None:
            disclosed = row.facts is not None and row.facts.event in DISCLOSED
            return entry_key(row, keys, exempt) if disclosed else None

        receipts = await asyncio.to_thread(
            lambda: [receipt_of(row, hashes[row.index], key_of(row)) for row in rows]
        )
        pieces = encode_bundle(
            published.note,
            [each.key for each in self._log_keys.in_force(self._clock.now())],
            self._producers,
            receipts,
        )

        async def stream() -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

        return stream()


def _exempt_until(rows: Sequence[IndexRow], exempt: Exempt) -> datetime | None:
    """Until when the case is exempt; `None` if it is not now."""
    ends = [exempt.cases.exempt_until(row.facts) for row in rows if row.facts is not None]
    return max((end for end in ends if end is not None and end > exempt.at), default=None)
