"""`/v1/persons/who-saw`: who saw a person's data, when and why."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import StreamingResponse

from direct311.audit.question import Question
from direct311.audit.questions.api.questions import LogEntry, OnePerson, Reference, entry_of
from direct311.audit.questions.api.streams import (
    BUNDLE,
    CSV,
    HEADERS,
    JSON,
    attached,
    pieces_of,
    streaming,
)
from direct311.audit.questions.api.tables import COLUMNS, csv_lines, csv_of
from direct311.audit.questions.handlers.audited_query import Opened, QueryContext
from direct311.audit.questions.handlers.export import Exporting, WhoSaw
from direct311.audit.questions.handlers.read import Reading
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS
from direct311.schemas import Instant, Model


class WhoSawQuestion(OnePerson):
    """`filter` narrows the answer further. `bundle`: a file that `direct311-verifier bundle` checks
    offline, with at most 10,000 entries."""

    filter: Question = Question()
    format: Literal["json", "csv", "bundle"] = "json"
    reference: Reference | None = None


class Met(Model):
    """How often an actor accessed the person's records, for what purpose, and from when to when."""

    actor: str | None
    department: str | None
    purpose: str | None
    count: int
    first: Instant
    last: Instant


class WhoSawAnswer(Model):
    """`entries` come oldest first; each one's reason and reference are in its `signed_event` under
    `why`. `withheld`: exempt entries about these records."""

    record_ids: tuple[str, ...]
    actors: tuple[Met, ...]
    withheld: int
    size: int
    access_event: str
    count: int
    entries: tuple[LogEntry, ...]


def who_saw_router(
    exporting: Exporting, reading: Reading, caller: Callable[[Request], Awaitable[Caller]]
) -> APIRouter:
    """Each call is an access with purpose and reference, recorded before the first entry is
    sent."""
    router = APIRouter(prefix="/v1", tags=["exports"], responses=PROBLEMS)
    Who = Annotated[Caller, Depends(caller)]  # noqa: N806 - a type
    Token = Annotated[str, Header(alias="authorization", include_in_schema=False)]  # noqa: N806

    @router.post(
        "/persons/who-saw",
        response_class=StreamingResponse,
        responses={
            200: {
                "description": "Who saw this person's data, when, why and under which case",
                "content": {
                    JSON: {"schema": {"$ref": "#/components/schemas/WhoSawAnswer"}},
                    CSV: {},
                    BUNDLE: {},
                },
                "headers": HEADERS,
                "model": WhoSawAnswer,
            }
        },
    )
    async def who_saw(
        who: Who, question: WhoSawQuestion, authorization: Token = ""
    ) -> StreamingResponse:
        """Who saw this person's data, when, why and under which case, in one call.

        Intake resolves the person, on behalf of the caller; that search is an access there.
        """
        context = QueryContext(who, "POST /v1/persons/who-saw", question.reference)
        query, person = question.filter.filter, question.person
        if question.format == "bundle":
            records = await exporting.records_of(context, person, authorization, query)
            stream = await reading.bundle(context, query, about=records)
            return StreamingResponse(stream, media_type=BUNDLE, headers=attached("bundle.json"))
        found = await exporting.who_saw(context, person, authorization, query)
        if question.format == "csv":
            pieces = pieces_of(found.export_stream, csv_of, csv_lines([COLUMNS]))
            return streaming(found.export_stream, pieces, CSV, "who-saw.csv")
        return streaming(found.export_stream, _who_saw_pieces(found), JSON, "who-saw.json")

    return router


async def _who_saw_pieces(found: WhoSaw) -> AsyncIterator[bytes]:
    export_stream = found.export_stream
    head = WhoSawAnswer(
        record_ids=tuple(found.record_ids),
        actors=tuple(
            Met(
                actor=each.key[0],
                department=each.key[1],
                purpose=each.key[2],
                count=each.count,
                first=each.first,
                last=each.last,
            )
            for each in found.actors
        ),
        withheld=export_stream.withheld,
        size=export_stream.size,
        access_event=export_stream.access_event,
        count=export_stream.entries,
        entries=(),
    )
    yield json.dumps(head.model_dump(mode="json"), ensure_ascii=False).encode()[: -len("]}")]
    separator = b"\n"
    async with aclosing(export_stream.batches) as batches:
        async for batch in batches:
            yield separator + await asyncio.to_thread(_joined, batch)
            separator = b",\n"
    yield b"\n]}\n"


def _joined(batch: Sequence[Opened]) -> bytes:
    return b",\n".join(entry_of(each).model_dump_json().encode() for each in batch)
