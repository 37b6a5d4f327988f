"""`/v1/exports` and `/v1/persons/who-saw`: streams of any size in constant memory."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import StreamingResponse

from direct311.audit.question import Question
from direct311.audit.questions.api.ocsf import ocsf_lines
from direct311.audit.questions.api.questions import LogEntry, OnePerson, Reference, Size, entry_of
from direct311.audit.questions.api.tables import COLUMNS, csv_lines, csv_of, json_lines
from direct311.audit.questions.handlers.audited_query import Opened, QueryContext
from direct311.audit.questions.handlers.export import Encode, Exporting, ExportStream, WhoSaw
from direct311.audit.questions.handlers.read import Reading
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS
from direct311.schemas import Instant, Model

NDJSON, CSV, JSON = "application/x-ndjson", "text/csv", "application/json"
BUNDLE = "application/vnd.direct311.bundle+json"
_ENCODERS: dict[str, tuple[str, str, Encode]] = {
    "ndjson": (NDJSON, "entries.ndjson", json_lines),
    "csv": (CSV, "entries.csv", csv_of),
    "ocsf": (NDJSON, "entries.ocsf.ndjson", ocsf_lines),
}
_HEADERS: dict[str, Any] = {
    "Direct311-Entries": {"description": "How many entries follow", "schema": {"type": "integer"}},
    "Direct311-Withheld": {
        "description": "Exempt entries at the question's records and time",
        "schema": {"type": "integer"},
    },
    "Direct311-Log-Size": {
        "description": "The log's size; give it as `size` to take up an export that broke off",
        "schema": {"type": "integer"},
    },
    "Direct311-Access-Event": {
        "description": "The id of the event that this call is",
        "schema": {"type": "string"},
    },
}


class ExportQuestion(Model, extra="forbid"):
    """`after` and `size` take up an export that broke off: the index of the last entry that came,
    and what the first answer's header `Direct311-Log-Size` said. The rest has no line of CSV with
    the names of columns: behind the first part it makes one file."""

    filter: Question = Question()
    format: Literal["ndjson", "csv", "ocsf"] = "ndjson"
    reference: Reference | None = None
    after: Size | None = None
    size: Size | None = None


class WhoSawQuestion(OnePerson):
    """`filter` narrows the answer further. `bundle`: a file that `direct311-verifier bundle` checks
    offline, with at most 10,000 entries."""

    filter: Question = Question()
    format: Literal["json", "csv", "bundle"] = "json"
    reference: Reference | None = None


class Met(Model):
    """How often an actor met the person's records, for what purpose, and from when to when."""

    actor: str | None
    department: str | None
    purpose: str | None
    count: int
    first: Instant
    last: Instant


class WhoSawAnswer(Model):
    """`entries` oldest first; the reason and the reference of each are in its `signed_event` under
    `why`. `withheld`: exempt entries about these records."""

    record_ids: tuple[str, ...]
    actors: tuple[Met, ...]
    withheld: int
    size: int
    access_event: str
    count: int
    entries: tuple[LogEntry, ...]


def exports_router(
    exporting: Exporting, reading: Reading, caller: Callable[[Request], Awaitable[Caller]]
) -> APIRouter:
    """Each call is an access with purpose and reference, written down before the first entry."""
    router = APIRouter(prefix="/v1", tags=["exports"], responses=PROBLEMS)
    Who = Annotated[Caller, Depends(caller)]  # noqa: N806 - a type
    Token = Annotated[str, Header(alias="authorization", include_in_schema=False)]  # noqa: N806

    @router.post(
        "/exports",
        response_class=StreamingResponse,
        responses={
            200: {
                "description": "Entries, oldest first, one a line: NDJSON, CSV or OCSF 1.8.0",
                "content": {NDJSON: {}, CSV: {}},
                "headers": _HEADERS,
            }
        },
    )
    async def export(who: Who, question: ExportQuestion) -> StreamingResponse:
        """All entries that fit, oldest first, in any number."""
        context = QueryContext(who, "POST /v1/exports", question.reference)
        export_stream = await exporting.export(
            context, question.filter.filter, after=question.after, size=question.size
        )
        media_type, name, encode = _ENCODERS[question.format]
        # What goes on where another broke off has its names of columns already.
        begins = question.format == "csv" and question.after is None
        head = csv_lines([COLUMNS]) if begins else b""
        return _streaming(export_stream, _pieces(export_stream, encode, head), media_type, name)

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
                "headers": _HEADERS,
                "model": WhoSawAnswer,
            }
        },
    )
    async def who_saw(
        who: Who, question: WhoSawQuestion, authorization: Token = ""
    ) -> StreamingResponse:
        """Who saw this person's data, when, why, under which case: in one call.

        Intake resolves the person, on behalf of the caller; that search is an access there.
        """
        context = QueryContext(who, "POST /v1/persons/who-saw", question.reference)
        query, person = question.filter.filter, question.person
        if question.format == "bundle":
            records = await exporting.records_of(context, person, authorization, query)
            stream = await reading.bundle(context, query, about=records)
            return StreamingResponse(stream, media_type=BUNDLE, headers=_attached("bundle.json"))
        found = await exporting.who_saw(context, person, authorization, query)
        if question.format == "csv":
            pieces = _pieces(found.export_stream, csv_of, csv_lines([COLUMNS]))
            return _streaming(found.export_stream, pieces, CSV, "who-saw.csv")
        return _streaming(found.export_stream, _who_saw_pieces(found), JSON, "who-saw.json")

    return router


def _streaming(
    export_stream: ExportStream, pieces: AsyncIterator[bytes], media_type: str, name: str
) -> StreamingResponse:
    headers = {
        "Direct311-Entries": str(export_stream.entries),
        "Direct311-Withheld": str(export_stream.withheld),
        "Direct311-Log-Size": str(export_stream.size),
        "Direct311-Access-Event": export_stream.access_event,
    }
    return StreamingResponse(pieces, media_type=media_type, headers=headers | _attached(name))


def _attached(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


async def _pieces(
    export_stream: ExportStream, encode: Encode, head: bytes = b""
) -> AsyncIterator[bytes]:
    if head:
        yield head
    # Whoever hangs up closes this, and this the reading: no work goes on for nobody.
    async with aclosing(export_stream.batches) as batches:
        async for batch in batches:
            yield await asyncio.to_thread(encode, batch)


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
