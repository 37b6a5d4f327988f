"""Entries of the access log as records: what a disclosure case may read about a record.

Whoever works on a case for public records or law enforcement reads the accesses to a record that a
grant of the case names, if the grant has the field `audit_entry`. The grant is checked at each
call. Nothing else of the log can be read this way: no other record, no act that decides about the
record, and no entry that is exempt for now. An exempt entry leaves no trace here, as in the
resident's own list, since saying that something is withheld would show that law enforcement asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from direct311.audit.entry import Filter
from direct311.audit.index.domain import Exempt
from direct311.audit.index.ports import Entries, KnownCases
from direct311.audit.index_row import IndexRow
from direct311.audit.log.ports.log import Followed
from direct311.audit.questions.domain.cursors import CursorError, cursor_of, index_of, windows
from direct311.audit.questions.handlers.audited_query import FIELDS, AuditedQuery, Opened
from direct311.runtime.access.disclosures import Disclosures, under_case
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import AccessPolicy, Caller, RecordFacts
from direct311.runtime.clock import Clock
from direct311.runtime.errors import RefusedError
from direct311.runtime.vault.vault import Vault
from direct311.schemas import events as ev


@dataclass(frozen=True, slots=True)
class CaseQuestion:
    """Which entries somebody wants to read, for which case."""

    caller: Caller
    operation: str
    case_id: str
    purpose: ev.DisclosureKind
    record_id: str


@dataclass(frozen=True, slots=True)
class CasePage:
    """Newest first. An entry that is about other records too is not opened. `next`: the cursor of
    the page after this, `None` at the end. `access_event`: this call's own event."""

    entries: Sequence[Opened]
    next: str | None
    access_event: str


class CaseReading:
    """What a disclosure case may read of the log."""

    def __init__(
        self,
        *,
        audited: AuditedQuery,
        disclosures: Disclosures,
        log: Followed,
        entries: Entries,
        cases: KnownCases,
        vault: Vault,
        policy: AccessPolicy,
        clock: Clock,
    ) -> None:
        self._audited = audited
        self._disclosures = disclosures
        self._log = log
        self._entries = entries
        self._cases = cases
        self._vault = vault
        self._policy = policy
        self._clock = clock

    async def page(self, asked: CaseQuestion, *, limit: int, cursor: str | None) -> CasePage:
        """The accesses to the record, newest first.

        :raises RefusedError: no grant of the case allows it, or the cursor is another question's.
        """
        facts = await self._disclosures.facts_for(
            _access(asked, 0, FIELDS), RecordFacts(asked.record_id)
        )
        if not self._allowed(asked, facts):
            # The refusal is written down, and nothing is looked up for it.
            await self._authorise(asked, facts, 0, FIELDS)
        query = Filter(record_ids=(asked.record_id,))
        before = (await self._log.head()).size
        if cursor is not None:
            try:
                before = min(index_of(cursor, query), before)
            except CursorError:
                raise RefusedError(
                    "cursor_mismatch", "The cursor belongs to another query.", field="cursor"
                ) from None
        exempt = Exempt(self._clock.now(), cases=await self._cases.all())
        rows = await self._find(query, before, limit + 1, exempt)
        shown = rows[:limit]
        own = [row for row in shown if row.facts and row.facts.record_ids == query.record_ids]
        # Without fields the answer comes only from the index.
        event_id = await self._authorise(asked, facts, len(shown), FIELDS if own else ())
        opened = {each.row.index: each for each in await self._audited.open(own, event_id, exempt)}
        following = cursor_of(query, shown[-1].index) if len(rows) > limit else None
        return CasePage(
            [opened.get(row.index, Opened(row, None)) for row in shown], following, event_id
        )

    def _allowed(self, asked: CaseQuestion, facts: RecordFacts) -> bool:
        return self._policy.decide(
            asked.caller,
            asked.purpose,
            FIELDS,
            facts,
            reference=asked.case_id,
            at=self._clock.now(),
        ).allowed

    async def _authorise(
        self, asked: CaseQuestion, facts: RecordFacts, found: int, fields: tuple[str, ...]
    ) -> str:
        access = under_case(_access(asked, found, fields), facts)
        event_id, _ = await self._vault.authorise(access, facts)
        return event_id

    async def _find(self, query: Filter, before: int, limit: int, exempt: Exempt) -> list[IndexRow]:
        """The newest entries that may be shown; the others leave no gap in a page."""
        shown: list[IndexRow] = []
        for low, high in windows(before, 0):
            top = high
            while top > low and len(shown) < limit:
                found = await self._entries.find(
                    query, before=top, floor=low, limit=limit, exempt=exempt
                )
                shown += [row for row in found if _may(row, exempt)]
                top = found[-1].index if len(found) == limit else low
            if len(shown) >= limit:
                break
        return shown[:limit]


def _access(asked: CaseQuestion, found: int, fields: tuple[str, ...]) -> Access:
    return Access(
        asked.caller,
        action="log_read",
        purpose=asked.purpose,
        operation=asked.operation,
        fields=fields,
        record_ids=(asked.record_id,),
        reference=asked.case_id,
        query_fields=("record_ids",),
        result_count=found,
    )


def _may(row: IndexRow, exempt: Exempt) -> bool:
    """Whether it is an access that the case may know of. One that shows law enforcement must have
    an end that has passed, its own or its case's; an older entry may have neither."""
    facts = row.facts
    if facts is None or facts.event != "pii.accessed" or facts.action == "hold":
        return False
    unknown = facts.exempt_until is None and not exempt.cases.know(facts)
    return not (facts.shows_law_enforcement and unknown) and not exempt.withholds(facts)
