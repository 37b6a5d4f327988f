"""Reading what was withheld, over all cases: for records officers, counsel and auditors.

The rows are in what was collected for a case, sealed under the case's key. So reading them is an
access to that case, written to the log before anything is opened. The records' own texts are opened
with the rows and are not in the answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from direct311.retention.cases.domain import CaseFile
from direct311.retention.cases.ports import SealedDocuments
from direct311.retention.cases.work import CaseWork
from direct311.retention.exemption_log.domain import (
    EXEMPTION_LOG,
    LogQuery,
    Place,
    ReleasedPart,
    WithheldRow,
    by_citation,
    released_parts,
)
from direct311.retention.exemption_log.ports import ReleasedCases
from direct311.retention.packages.domain.parts import RecordPart
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.storage.objects import MissingObjectError

AUDITOR: Final = "auditor"
AUDIT: Final = "authorised_audit"
DESKS: Final = ("records_officer", "counsel")
"""Who reads it as the county's own business."""
OPERATION: Final = "GET /v1/exemption-log"
CASES_AT_ONCE: Final = 20


@dataclass(frozen=True, slots=True)
class LogPage:
    """`records`: how many were opened for this page. `unreadable`: records whose answer no longer
    exists, so that their rows are missing here. `next`: where the following page begins."""

    rows: Sequence[WithheldRow]
    counts: Mapping[str, int]
    records: int
    unreadable: int
    next: Place | None


class ExemptionLog:
    """What was withheld in released packages."""

    def __init__(self, work: CaseWork, cases: ReleasedCases, sealed: SealedDocuments) -> None:
        self._work = work
        self._cases = cases
        self._sealed = sealed

    async def page(
        self,
        caller: Caller,
        query: LogQuery,
        limit: int,
        after: Place | None = None,
        reference: str | None = None,
    ) -> LogPage:
        """The rows of at most `limit` records. A case that is exempt from inspection is not there
        for those who may not know of it: no row, no count, no place.

        :param reference: the auditor's letter; others need none.
        :raises DeniedError: the rules refuse.
        :raises AuditUnavailableError: it could not be recorded; nothing was opened.
        """
        if _audits(caller):
            await self._check_letter(caller, reference)
        chosen = await self._chosen(caller, query, limit + 1, after)
        end = min(limit, len(chosen))
        while 0 < end < len(chosen) and _place(chosen[end]) == _place(chosen[end - 1]):
            # A record that was recalled and went out again is on one page.
            end += 1
        following = len(chosen) > end
        chosen = chosen[:end]
        rows: list[WithheldRow] = []
        unreadable = 0
        for case in {each.record_id: each for each, _ in chosen}.values():
            parts = [part for of, part in chosen if of.record_id == case.record_id]
            found = await self._opened(caller, case, parts, reference)
            unreadable += len(parts) - len(found)
            rows += [row for each in found for row in each if query.asks_for(row)]
        last = _place(chosen[-1]) if following else None
        return LogPage(rows, by_citation(rows), len(chosen) - unreadable, unreadable, last)

    async def _check_letter(self, caller: Caller, reference: str | None) -> None:
        """Whether the auditor may read at all, before it shows whether there is anything to read.
        The refusal is in the log, as any other."""
        access = Access(
            caller,
            action="export",
            purpose=AUDIT,
            operation=OPERATION,
            fields=(EXEMPTION_LOG,),
            record_ids=(),
            reference=reference,
        )
        if not self._work.vault.allows(access, RecordFacts()):
            await self._work.vault.authorise(access, RecordFacts())

    async def _chosen(
        self, caller: Caller, query: LogQuery, limit: int, after: Place | None
    ) -> list[tuple[CaseFile, ReleasedPart]]:
        first = query.case_id or (after.case_id if after is not None else None)
        chosen: list[tuple[CaseFile, ReleasedPart]] = []
        read: str | None = None
        while True:
            cases = await self._cases.released(query.since, query.until, first, CASES_AT_ONCE)
            for case in cases:
                if query.case_id not in (None, case.record_id):
                    return chosen
                if case.record_id != read and self._known_to(caller, case):
                    chosen += [(case, part) for part in released_parts(case, query, after)]
                if len(chosen) >= limit:
                    return chosen
            if len(cases) < CASES_AT_ONCE:
                return chosen
            first = read = cases[-1].record_id

    def _known_to(self, caller: Caller, case: CaseFile) -> bool:
        rules = self._work.rules_of(case)
        if not case.exemption(rules, self._work.clock.now()).exempt:
            return True
        knowing = {*rules.desks, *rules.releasers, *rules.exemption_releasers}
        return bool(knowing & {*caller.roles})

    async def _opened(
        self,
        caller: Caller,
        case: CaseFile,
        parts: Sequence[ReleasedPart],
        reference: str | None,
    ) -> list[list[WithheldRow]]:
        """The rows of each record that still exists. The ciphertext is fetched first, so that
        nothing can fail after the access was recorded."""
        sealed = []
        for each in parts:
            try:
                found = await self._sealed.get(case.record_id, each.part.sealed_name)
            except MissingObjectError:
                continue
            sealed.append((each, found))
        if not sealed:
            return []
        access = self._work.access(caller, case, "export", OPERATION, (EXEMPTION_LOG,))
        access = replace(access, result_count=len(sealed))
        facts = RecordFacts(case.record_id, desks=DESKS)
        if _audits(caller):
            access = replace(access, purpose=AUDIT, reference=reference)
            facts = RecordFacts(case.record_id)
        async with self._work.vault.unlock(access, facts) as key:
            return [
                _rows(case, each, RecordPart.read(key.open(each.part.sealed_name, found)))
                for each, found in sealed
            ]


def _audits(caller: Caller) -> bool:
    """Whether the caller reads it only as an auditor, who needs a letter."""
    return AUDITOR in caller.roles and not {*DESKS} & {*caller.roles}


def _place(chosen: tuple[CaseFile, ReleasedPart]) -> Place:
    case, released = chosen
    return Place(case.record_id, released.part.record_id)


def _rows(case: CaseFile, released: ReleasedPart, part: RecordPart) -> list[WithheldRow]:
    return [
        WithheldRow(
            case_id=case.record_id,
            package=released.package,
            released_at=released.released_at,
            recalled_at=released.recalled_at,
            **row,
        )
        for row in part.log_rows
    ]
