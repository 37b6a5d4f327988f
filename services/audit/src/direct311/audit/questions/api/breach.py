"""`/v1/breaches`: every record and person that a credential, host, service or time touched."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import model_validator
from pydantic_core import PydanticCustomError

from direct311.audit.entry import Filter
from direct311.audit.question import Code, Name
from direct311.audit.questions.api.questions import Reference
from direct311.audit.questions.api.tables import csv_lines
from direct311.audit.questions.domain.breach import Notice
from direct311.audit.questions.handlers.audited_query import QueryContext
from direct311.audit.questions.handlers.breach import Breach, Scope, Touched
from direct311.runtime.access.rules import Caller
from direct311.runtime.clock import Clock
from direct311.runtime.http.api import PROBLEMS
from direct311.runtime.parameters import AskedDay, AskedInstant, in_order
from direct311.schemas import Instant, Model

COLUMNS = ("record_id", "held", "person", "entries", "first", "last", "actors", "actions", "fields")


class BreachQuestion(Model, extra="forbid"):
    """A credential (`session`, the token's id, or `actor`), a `host` or `instance`, a `service`, or
    a time from `since` to `until`; every given condition must match. `determined_on`: the day on
    which the breach was determined, from which deadlines count (by default today)."""

    session: Name | None = None
    actor: Name | None = None
    host: Name | None = None
    instance: Name | None = None
    service: Code | None = None
    since: AskedInstant | None = None
    until: AskedInstant | None = None
    determined_on: AskedDay | None = None
    format: Literal["json", "csv"] = "json"
    reference: Reference | None = None

    @model_validator(mode="after")
    def _bounded(self) -> "BreachQuestion":
        named = (self.session, self.actor, self.host, self.instance, self.service)
        if not any(named) and None in (self.since, self.until):
            raise PydanticCustomError(
                "invalid", "Give a credential, a host, a service, or both since and until."
            )
        in_order(self.since, self.until)
        return self

    @property
    def filter(self) -> Filter:
        given = {"determined_on", "format", "reference"}
        return Filter(**self.model_dump(exclude=given))


class TouchedRecord(Model):
    """A record that was reached. `held`: the record belongs to a known person; has neither a
    telephone number nor an e-mail address, so that its person is unknown; or has been destroyed
    since. `person` numbers the people in this answer."""

    record_id: str
    held: Literal["person", "without_contact", "gone"]
    person: int | None
    entries: int
    first: Instant
    last: Instant
    actors: tuple[str, ...]
    actions: tuple[str, ...]
    fields: tuple[str, ...]


class NoticeDuty(Model):
    """`owed`: for certain (`yes`), only if each record without contact data is one more person
    (`possibly`), or not. `extension`: days that may be added on a condition, if the law file has
    that enabled."""

    notice: str
    to: str
    at_least: int
    owed: Literal["yes", "possibly", "no"]
    due_on: date | None
    extension: str | None
    note: str


class CutSearch(Model):
    """A search that found more records than an event can name; its own entry says what it searched
    for."""

    event_id: str
    found: int
    named: int


class BreachAnswer(Model):
    """`persons` share no telephone number and no e-mail address. `persons_at_most` counts one more
    person for every record without contact data or destroyed since, and adds the `senders_at_most`
    whose contact data, left with a comment on somebody else's request, was opened. `refused`:
    entries that reached nothing, which stand for this many `refusals`. `closed`: entries that
    released nothing (a destruction, a hold). `no_record`: entries without a record that released
    something. `withheld`: exempt entries from that time, not included in these numbers."""

    persons: int
    persons_at_most: int
    records_touched: int
    records_without_contact: int
    records_gone: int
    senders_at_most: int
    entries: int
    refused: int
    refusals: int
    closed: int
    no_record: int
    withheld: int
    law: str
    notices: tuple[NoticeDuty, ...]
    searches_cut: tuple[CutSearch, ...]
    records: tuple[TouchedRecord, ...]
    access_event: str


def breach_router(
    breach: Breach, clock: Clock, caller: Callable[[Request], Awaitable[Caller]]
) -> APIRouter:
    """One call is one event of the log; intake's part of it is another."""
    router = APIRouter(prefix="/v1", tags=["breach"], responses=PROBLEMS)
    Who = Annotated[Caller, Depends(caller)]  # noqa: N806 - a type
    Token = Annotated[str, Header(alias="authorization", include_in_schema=False)]  # noqa: N806

    @router.post(
        "/breaches",
        response_model=BreachAnswer,
        responses={
            200: {
                "description": "The affected set, and the number that decides about notice",
                "content": {"text/csv": {}},
            }
        },
    )
    async def scope(
        who: Who, question: BreachQuestion, authorization: Token = ""
    ) -> BreachAnswer | Response:
        """Every record and person that a credential, host, service or time touched, and the notice
        that section 501.171, F.S., then requires."""
        context = QueryContext(who, "POST /v1/breaches", question.reference)
        determined_on = question.determined_on or clock.now().date()
        found = await breach.scope(context, question.filter, authorization, determined_on)
        if question.format == "csv":
            return Response(_csv(found), media_type="text/csv", headers=_headers(found))
        return _answer(found, breach.rules.citation)

    return router


def _answer(found: Scope, law: str) -> BreachAnswer:
    return BreachAnswer(
        persons=found.persons,
        persons_at_most=found.persons_at_most,
        records_touched=len(found.records),
        records_without_contact=found.without_contact,
        records_gone=found.gone,
        senders_at_most=found.senders,
        entries=found.entries,
        refused=found.refused,
        refusals=found.refusals,
        closed=found.closed,
        no_record=found.no_record,
        withheld=found.withheld,
        law=law,
        notices=tuple(
            NoticeDuty(
                notice=duty.notice.notice,
                to=duty.notice.to,
                at_least=duty.notice.at_least,
                owed=duty.owed,
                due_on=duty.due_on,
                extension=_extension(duty.notice),
                note=duty.notice.note,
            )
            for duty in found.duties
        ),
        searches_cut=tuple(
            CutSearch(event_id=each.event_id, found=each.found, named=each.named)
            for each in found.searches
        ),
        records=tuple(TouchedRecord(**_row(each)) for each in found.records),
        access_event=found.access_event,
    )


def _extension(notice: Notice) -> str | None:
    more = notice.extension
    return f"{more.days} days: {more.condition}" if more and more.enabled else None


def _row(each: Touched) -> dict[str, object]:
    return {
        "record_id": each.record_id,
        "held": each.held,
        "person": each.person,
        "entries": each.entries,
        "first": each.first,
        "last": each.last,
        "actors": tuple(sorted(each.actors)),
        "actions": tuple(sorted(each.actions)),
        "fields": tuple(sorted(each.fields)),
    }


def _csv(found: Scope) -> bytes:
    """One line per record; the numbers are in the answer's headers."""
    return csv_lines(_lines(found))


def _lines(found: Scope) -> Iterator[tuple[object, ...]]:
    yield COLUMNS
    for each in found.records:
        row = _row(each)
        yield tuple(row[name] for name in COLUMNS)


def _headers(found: Scope) -> dict[str, str]:
    """What the lines themselves do not say, including whether they are complete."""
    owed = ", ".join(f"{duty.notice.notice}={duty.owed}" for duty in found.duties)
    return {
        "Content-Disposition": 'attachment; filename="breach.csv"',
        "Direct311-Persons": str(found.persons),
        "Direct311-Persons-At-Most": str(found.persons_at_most),
        "Direct311-Senders-At-Most": str(found.senders),
        "Direct311-Records": str(len(found.records)),
        "Direct311-Refused": str(found.refused),
        "Direct311-Refusals": str(found.refusals),
        "Direct311-Closed": str(found.closed),
        "Direct311-No-Record": str(found.no_record),
        "Direct311-Searches-Cut": str(len(found.searches)),
        "Direct311-Withheld": str(found.withheld),
        "Direct311-Notices": owed,
        "Direct311-Access-Event": found.access_event,
    }
