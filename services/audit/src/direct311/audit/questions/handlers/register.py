"""The register of disclosure cases, read from the entries that their signed events have.

It is a question about the log like any other: recorded first, opened then. For people who may not
see exempt entries, an exempt case is not there: not in the list, not in its pages, not by its
number, and not in what the question's own entry counts. Saying that something is withheld would
show that law enforcement asked, since other cases are not exempt.
"""

import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from direct311.audit.entry import Filter
from direct311.audit.index.domain import Exempt, Group
from direct311.audit.index_row import IndexRow
from direct311.audit.log.handlers.log_keys import LogKeys
from direct311.audit.log.ports.log import Followed
from direct311.audit.questions.domain.instruments import (
    InstrumentReport,
    by_instrument,
    persons_at_most,
)
from direct311.audit.questions.domain.register import (
    KindReport,
    RegisteredCase,
    Said,
    case_of,
    report_of,
)
from direct311.audit.questions.handlers.audited_query import (
    BATCH,
    FIELDS,
    AuditedQuery,
    Opened,
    QueryContext,
    is_withheld,
)
from direct311.runtime.clock import Clock
from direct311.runtime.errors import RefusedError
from direct311.schemas import events as ev
from direct311.verifier.cases_report import report_text
from direct311.verifier.note import Note

STEPS = Filter(action="case")
"""What says a step of a case; each case has at least one."""
_ACTIONS = ("case", "grant", "revoke", "release")
_TOPIC = "disclosure."
_MODELS: Mapping[str, type[ev.DisclosureEvent]] = {
    "disclosure.recorded": ev.DisclosureRecorded,
    "disclosure.approved": ev.DisclosureApproved,
    "disclosure.revoked": ev.DisclosureRevoked,
    "disclosure.released": ev.DisclosureReleased,
}


@dataclass(frozen=True, slots=True)
class CaseLine:
    """A case in the list, as its last step says it."""

    case: RegisteredCase
    first_at: datetime
    steps: int


@dataclass(frozen=True, slots=True)
class RegisterPage:
    """Newest first. `next`: the case after which the following page begins, `None` at the end."""

    cases: Sequence[CaseLine]
    next: str | None
    access_event: str


@dataclass(frozen=True, slots=True)
class YearsReport:
    """The cases received in a year, from the first `size` entries of the log, and those that were
    not exempt at `as_of`. `note`: all of it as a note, signed with the keys of the log."""

    year: int
    as_of: datetime
    size: int
    kinds: Sequence[KindReport]
    instruments: Sequence[InstrumentReport]
    note: str
    access_event: str


class CaseRegister:
    """Auditors' questions about disclosure cases."""

    def __init__(
        self, audited: AuditedQuery, log: Followed, log_keys: LogKeys, clock: Clock
    ) -> None:
        self._audited = audited
        self._log = log
        self._log_keys = log_keys
        self._clock = clock

    async def page(self, context: QueryContext, *, limit: int, after: str | None) -> RegisterPage:
        """Cases by their first entry, newest first.

        :raises RefusedError: `after` is no case that the caller may see; and as
            `AuditedQuery.authorise`.
        """
        await self._audited.refuse_early(context, STEPS)
        size = (await self._log.head()).size
        exempt = await self._audited.hidden_from(context)
        known = await self._known(size, exempt)
        begin = 0
        if after is not None:
            place = [case_id for case_id, _ in known]
            if after not in place:
                raise RefusedError(
                    "cursor_mismatch", "The cursor belongs to another query.", field="cursor"
                )
            begin = place.index(after) + 1
        chosen = known[begin : begin + limit]
        rows = []
        for case_id, _ in chosen:
            query = STEPS.under_case(case_id)
            rows += await self._audited.newest(query, size, 0, 1, exempt)
        event_id, opened = await self._open(context, STEPS, rows, exempt)
        secret = await self._audited.exempt_now()
        said = {
            each.row.facts.case_id: case_of([told], exempt=is_withheld(each.row, secret))
            for each in opened
            if each.row.facts and (told := _said(each))
        }
        lines = [
            CaseLine(said[case_id], group.first, group.count)
            for case_id, group in chosen
            if case_id in said
        ]
        further = begin + limit < len(known)
        return RegisterPage(lines, chosen[-1][0] if further else None, event_id)

    async def one(self, context: QueryContext, case_id: str) -> tuple[RegisteredCase, str]:
        """A case with all its entries, and the id of the question's own event.

        :raises RefusedError: the log has no such case, or the caller may not see it.
        """
        query = Filter(case_id=case_id)
        await self._audited.refuse_early(context, query)
        size = (await self._log.head()).size
        exempt = await self._audited.hidden_from(context)
        rows = [row async for row in acts_of(self._audited, query, 0, size, exempt)]
        event_id, opened = await self._open(context, query, rows, exempt)
        said = [told for each in opened if (told := _said(each))]
        if not said:
            raise RefusedError("not_found", "The log has no entry of this case.")
        secret = await self._audited.exempt_now()
        withheld = any(is_withheld(row, secret) for row in rows)
        return case_of(said, exempt=withheld), event_id

    async def report(self, context: QueryContext, year: int) -> YearsReport:
        """The cases received in a year (UTC), by kind and by instrument, signed. A case counts once
        it is no longer exempt, for every caller: the report is for everybody.

        :raises NoLogKeyError: no key of the log is in force, so nothing can be signed.
        """
        begin = datetime(year, 1, 1, tzinfo=UTC)
        end = begin.replace(year=year + 1)
        query = STEPS.within(begin, end - timedelta(milliseconds=1))
        await self._audited.refuse_early(context, query)
        head = await self._log.head()
        as_of = self._clock.now()
        secret = await self._audited.exempt_now()
        chosen = {
            case_id
            for case_id, group in await self._known(head.size, secret)
            if begin <= group.first < end
        }
        floor, _ = await self._audited.span(query, head)
        event_id = await self._audited.authorise(context, "log_read", query, len(chosen), FIELDS)
        said: dict[str, list[Said]] = {}
        acts = acts_of(self._audited, Filter(), floor, head.size, secret)
        rows = [row async for row in acts if row.facts and row.facts.case_id in chosen]
        for at in range(0, len(rows), BATCH):
            for each in await self._audited.open(rows[at : at + BATCH], event_id, secret):
                if told := _said(each):
                    said.setdefault(told[2].case_id, []).append(told)
        cases = [case_of(each, exempt=False) for each in said.values()]
        kinds = report_of(cases)
        persons = {case_id: persons_at_most(each) for case_id, each in said.items()}
        instruments = by_instrument(cases, persons)
        note = self._signed(year, as_of, head.size, kinds, instruments)
        return YearsReport(year, as_of, head.size, kinds, instruments, note, event_id)

    def _signed(
        self,
        year: int,
        as_of: datetime,
        size: int,
        kinds: Sequence[KindReport],
        instruments: Sequence[InstrumentReport],
    ) -> str:
        text = report_text(
            {
                "log": self._log_keys.origin,
                "size": size,
                "as_of": as_of.astimezone(UTC).isoformat(timespec="seconds"),
                "year": year,
                "kinds": [each.model_dump(mode="json") for each in kinds],
                "instruments": [each.model_dump(mode="json") for each in instruments],
            }
        )
        signers = self._log_keys.in_force(self._clock.now())
        return str(Note(text, tuple(signer.sign(text) for signer in signers)))

    async def _known(self, size: int, exempt: Exempt | None) -> list[tuple[str, Group]]:
        """All cases that may be seen, newest first, each with its steps counted."""
        groups = await self._audited.groups(STEPS, ("case",), 0, size, exempt)
        known = [(key[0], group) for key, group in groups.items() if key[0] is not None]
        return sorted(known, key=lambda each: (each[1].first, each[0]), reverse=True)

    async def _open(
        self,
        context: QueryContext,
        query: Filter,
        rows: Collection[IndexRow],
        exempt: Exempt | None,
    ) -> tuple[str, Sequence[Opened]]:
        found = list(rows)
        fields = await self._audited.fields_for(exempt, found)
        event_id = await self._audited.authorise(context, "log_read", query, len(found), fields)
        return event_id, await self._audited.open(found, event_id, exempt)


async def acts_of(
    audited: AuditedQuery, query: Filter, floor: int, size: int, exempt: Exempt | None
) -> AsyncIterator[IndexRow]:
    """The entries of cases' own events among those that match."""
    for action in _ACTIONS:
        asked = query.of_action(action)
        async for rows in audited.oldest(asked, floor, size, exempt):
            for row in rows:
                if row.facts is not None and row.facts.event.startswith(_TOPIC):
                    yield row


def _said(opened: Opened) -> Said | None:
    """What an entry's event says; `None` if it cannot be opened any more, or read."""
    facts, event = opened.row.facts, opened.event
    if facts is None or event is None:
        return None
    body: Any = event["body"]
    try:
        return (
            opened.row.index,
            opened.row.event_id,
            _MODELS[facts.event].model_validate_json(json.dumps(body)),
        )
    except (KeyError, ValidationError):
        return None
