"""`POST /v1/breach-letters`: the letters after a breach of security, as PDF."""

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Response
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from direct311.retention.api import CallerOf
from direct311.retention.breach_letters.domain import MOST_LETTERS, BreachPeriod, LetterRecord
from direct311.retention.breach_letters.handlers import PrintBreachLetters
from direct311.runtime.access.breach_letters import Authority, BreachNumbers
from direct311.runtime.access.roles import ROLES
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS, require
from direct311.runtime.parameters import GivenDay
from direct311.runtime.text import Lines
from direct311.schemas import Model, RecordId

PDF: Final[dict[str, Any]] = {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}
FieldName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Number = Annotated[int, Field(ge=0, le=100_000_000)]


class LetterRecordOrder(Model, extra="forbid"):
    """A record, and the sealed fields of it that were reached."""

    record_id: RecordId
    fields: Annotated[tuple[FieldName, ...], Field(max_length=100)] = ()


class AuthorityOrder(Model, extra="forbid"):
    """What an authority is told. `synopsis`: what happened; name nobody. `told_by`: the last day
    for telling the individuals."""

    to: Authority
    persons: Number
    persons_at_most: Number
    records: Number
    synopsis: Annotated[str, Field(min_length=1, max_length=5_000), Lines]
    told_by: GivenDay


EXAMPLE: Final[dict[str, Any]] = {
    "notice_id": "01a2132a-2291-7252-8390-4252b249ac68",
    "began_on": "2026-11-20",
    "ended_on": "2026-11-22",
    "records": [{"record_id": "01a21327-f20a-7126-b99b-64b5df2b06f3", "fields": ["email"]}],
}


class BreachLetterOrder(Model, extra="forbid", json_schema_extra={"examples": [EXAMPLE]}):
    """Either `records`, each with its own letter to a person, or `authority`. `notice_id`: which
    breach, such as the `access_event` of the question about its scope."""

    notice_id: RecordId
    began_on: GivenDay
    ended_on: GivenDay
    records: Annotated[tuple[LetterRecordOrder, ...], Field(max_length=MOST_LETTERS)] = ()
    authority: AuthorityOrder | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "BreachLetterOrder":
        if self.ended_on < self.began_on:
            raise PydanticCustomError("invalid", "ended_on must not be before began_on.")
        if bool(self.records) == (self.authority is not None):
            raise PydanticCustomError("invalid", "Give either records or authority.")
        return self


def router(letters: PrintBreachLetters, caller_of: CallerOf) -> APIRouter:
    """For counsel."""
    api = APIRouter(prefix="/v1", tags=["breach"], responses=PROBLEMS)
    who = Depends(caller_of)

    @api.post("/breach-letters", response_class=Response, responses={200: {"content": PDF}})
    async def breach_letters(caller: Annotated[Caller, who], order: BreachLetterOrder) -> Response:
        """Print the letters after a breach of security (section 501.171, F.S.): one for each
        record, in three languages, or one to an authority. A letter has no name and no address; it
        names the request by its number. Nothing is opened or stored, and the same call prints the
        same bytes."""
        require(caller, *ROLES.breach_notices)
        breach = BreachPeriod(order.notice_id, order.began_on, order.ended_on)
        # Printing takes the processor for a while.
        content = await asyncio.to_thread(_printed, letters, breach, order)
        return Response(
            content,
            media_type="application/pdf",
            headers={
                "Cache-Control": "no-store",
                "Content-Disposition": 'attachment; filename="breach-letters.pdf"',
                "X-Content-Type-Options": "nosniff",
            },
        )

    return api


def _printed(letters: PrintBreachLetters, breach: BreachPeriod, order: BreachLetterOrder) -> bytes:
    if order.authority is None:
        records = [LetterRecord(each.record_id, each.fields) for each in order.records]
        return letters.to_people(breach, records)
    told = order.authority
    numbers = BreachNumbers(
        persons=told.persons,
        persons_at_most=told.persons_at_most,
        records=told.records,
        synopsis=told.synopsis,
        told_by=told.told_by,
    )
    return letters.to_authority(breach, told.to, numbers)
