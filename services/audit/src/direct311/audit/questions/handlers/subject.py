"""Who has seen a resident's request: the answer for the holder of its signed link.

It comes only from the query index, so nothing is opened for it, but it is still an entry of the
log. The resident learns when, for what purpose and in which office, but not which person: only
auditors see staff's names, words and sessions. Anything that the law withholds from the subject too
is left out without a trace while it is exempt, since saying that something is withheld would show
that law enforcement asked (section 119.071(2)(c), F.S.). Once the exemption has ended, the access
is in the list, at the time when it happened.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from direct311.audit.entry import Facts, Filter
from direct311.audit.index.domain import Cases, Exempt
from direct311.audit.index.ports import Entries, KnownCases
from direct311.audit.index_row import IndexRow
from direct311.audit.log.ports.log import Followed
from direct311.audit.questions.domain.cursors import CursorError, cursor_of, index_of, windows
from direct311.audit.questions.handlers.audited_query import EXEMPT_FIELD
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.links import LINK
from direct311.runtime.access.rules import AccessPolicy, Caller, RecordFacts
from direct311.runtime.clock import Clock
from direct311.runtime.errors import RefusedError
from direct311.runtime.vault.vault import Vault
from direct311.schemas.secrecy import LIAISON

PURPOSE = "subject_access"


@dataclass(frozen=True, slots=True)
class Seen:
    """One access, or `count` identical refusals. `sentence`: the purpose in the policy's words,
    empty if the policy has no such purpose."""

    at: datetime
    purpose: str
    sentence: str
    roles: tuple[str, ...]
    department: str | None
    action: str
    outcome: str
    fields: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True)
class SeenPage:
    """Newest first. `next`: the cursor of the page after this, `None` at the end."""

    accesses: Sequence[Seen]
    next: str | None


class SubjectReading:
    """The only question that a resident can ask the log."""

    def __init__(
        self,
        *,
        log: Followed,
        entries: Entries,
        cases: KnownCases,
        vault: Vault,
        policy: AccessPolicy,
        clock: Clock,
    ) -> None:
        self._log = log
        self._entries = entries
        self._cases = cases
        self._vault = vault
        self._sentences = {each.purpose: each.sentence for each in policy.rules.purposes}
        self._clock = clock

    async def accesses(
        self,
        caller: Caller,
        record_id: str,
        *,
        limit: int,
        cursor: str | None,
        operation: str = "GET /v1/subject/{record_id}/accesses",
    ) -> SeenPage:
        """Who has seen the record, as far as the log has it. `operation`: the call, as the log
        names it.

        :raises RefusedError: without the link of this record, for another query's cursor,
            or where the question cannot be written to the log.
        """
        if caller.link_record_id != record_id:
            # The rules refuse, and nothing is looked up for it.
            await self._authorise(caller, record_id, 0, operation)
        query = Filter(record_ids=(record_id,))
        before = (await self._log.head()).size
        if cursor is not None:
            try:
                before = min(index_of(cursor, query), before)
            except CursorError:
                raise RefusedError(
                    "cursor_mismatch", "The cursor belongs to another query.", field="cursor"
                ) from None
        rows = await self._find(query, before, limit + 1)
        shown = rows[:limit]
        await self._authorise(caller, record_id, len(shown), operation)
        following = cursor_of(query, shown[-1][0].index) if len(rows) > limit else None
        return SeenPage([self._seen(facts) for _, facts in shown], following)

    async def _find(self, query: Filter, before: int, limit: int) -> list[tuple[IndexRow, Facts]]:
        """The newest entries that may be shown; hidden entries leave no gap in a page."""
        now = self._clock.now()
        shown: list[tuple[IndexRow, Facts]] = []
        for low, high in windows(before, 0):
            top = high
            while top > low and len(shown) < limit:
                found = await self._entries.find(query, before=top, floor=low, limit=limit)
                exempt = Exempt(now, cases=await self._cases_of(found))
                shown += [
                    (row, row.facts)
                    for row in found
                    if row.facts and _may(row.facts, query.record_ids[0], exempt)
                ]
                top = found[-1].index if len(found) == limit else low
            if len(shown) >= limit:
                break
        return shown[:limit]

    async def _cases_of(self, rows: Sequence[IndexRow]) -> Cases:
        named = {row.facts.case_id for row in rows if row.facts and row.facts.case_id}
        return await self._cases.of(named)

    async def _authorise(self, caller: Caller, record_id: str, found: int, operation: str) -> None:
        access = Access(
            caller,
            action="log_read",
            purpose=PURPOSE,
            operation=operation,
            record_ids=(record_id,),
            query_fields=("record_ids",),
            result_count=found,
        )
        await self._vault.authorise(access, RecordFacts(record_id))

    def _seen(self, facts: Facts) -> Seen:
        purpose = facts.purpose or ""
        return Seen(
            facts.occurred_at,
            purpose,
            self._sentences.get(purpose, ""),
            # Somebody may have the liaison's role besides the one that they used.
            tuple(role for role in facts.roles if role != LIAISON or facts.shows_law_enforcement),
            facts.department,
            facts.action,
            facts.outcome,
            # Whoever opened an exempt entry about the record must not show that there is one.
            tuple(field for field in facts.fields if field != EXEMPT_FIELD),
            facts.count,
        )


def _may(facts: Facts, record_id: str, exempt: Exempt) -> bool:
    """Whether the subject may know about an entry.

    What shows law enforcement must have an end that has passed, its own or its case's; an older
    entry may have neither. The record's destruction is not an access to it. Acts that decide about
    the record (holds, releases, disposition sets, outcomes) are not accesses either, and a hold
    would reveal the matter behind it. It is also not an access if somebody tried another record's
    link here and was refused, alone or among many that could no longer be named: anybody with a
    link could fill the list that way. A link's holder is recognized by how they were authenticated,
    not by their name.
    """
    by_link = facts.authentication == "signed_link" or (
        # Entries from before that was recorded.
        facts.authentication is None
        and facts.actor.startswith(LINK)
        and facts.roles == ("resident",)
    )
    strangers = by_link and facts.actor != f"{LINK}{record_id}"
    if facts.outcome == "denied" and (strangers or facts.authentication == "none"):
        return False
    if facts.shows_law_enforcement and facts.exempt_until is None and not exempt.cases.know(facts):
        return False
    access = facts.event == "pii.accessed" and facts.action != "hold"
    return access and not exempt.withholds(facts)
