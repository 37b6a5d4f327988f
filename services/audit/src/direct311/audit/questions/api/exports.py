"""`/v1/exports`: all matching entries, as a stream."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from direct311.audit.question import Question
from direct311.audit.questions.api.ocsf import ocsf_lines
from direct311.audit.questions.api.questions import Reference, Size
from direct311.audit.questions.api.streams import CSV, HEADERS, NDJSON, pieces_of, streaming
from direct311.audit.questions.api.tables import COLUMNS, csv_lines, csv_of, json_lines
from direct311.audit.questions.handlers.audited_query import QueryContext
from direct311.audit.questions.handlers.export import Encode, Exporting
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS
from direct311.schemas import Model

_ENCODERS: dict[str, tuple[str, str, Encode]] = {
    "ndjson": (NDJSON, "entries.ndjson", json_lines),
    "csv": (CSV, "entries.csv", csv_of),
    "ocsf": (NDJSON, "entries.ocsf.ndjson", ocsf_lines),
}


class ExportQuestion(Model, extra="forbid"):
    """`after` and `size` resume an export that broke off: the index of the last entry received, and
    the value of the first answer's header `Direct311-Log-Size`. The rest has no CSV header line, so
    that appending it to the first part makes one file."""

    filter: Question = Question()
    format: Literal["ndjson", "csv", "ocsf"] = "ndjson"
    reference: Reference | None = None
    after: Size | None = None
    size: Size | None = None


def exports_router(
    exporting: Exporting, caller: Callable[[Request], Awaitable[Caller]]
) -> APIRouter:
    """Each call is an access with purpose and reference, recorded before the first entry is
    sent."""
    router = APIRouter(prefix="/v1", tags=["exports"], responses=PROBLEMS)
    Who = Annotated[Caller, Depends(caller)]  # noqa: N806 - a type

    @router.post(
        "/exports",
        response_class=StreamingResponse,
        responses={
            200: {
                "description": "Entries, oldest first, one per line: NDJSON, CSV or OCSF 1.8.0",
                "content": {NDJSON: {}, CSV: {}},
                "headers": HEADERS,
            }
        },
    )
    async def export(who: Who, question: ExportQuestion) -> StreamingResponse:
        """All matching entries, oldest first, in any number."""
        context = QueryContext(who, "POST /v1/exports", question.reference)
        export_stream = await exporting.export(
            context, question.filter.filter, after=question.after, size=question.size
        )
        media_type, name, encode = _ENCODERS[question.format]
        # The export that this one resumes already has the column names.
        begins = question.format == "csv" and question.after is None
        head = csv_lines([COLUMNS]) if begins else b""
        return streaming(export_stream, pieces_of(export_stream, encode, head), media_type, name)

    return router
