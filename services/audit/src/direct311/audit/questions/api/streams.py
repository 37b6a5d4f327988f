"""Streams of entries of any size, in constant memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from fastapi.responses import StreamingResponse

from direct311.audit.questions.handlers.export import Encode, ExportStream

NDJSON, CSV, JSON = "application/x-ndjson", "text/csv", "application/json"
BUNDLE = "application/vnd.direct311.bundle+json"
HEADERS: dict[str, Any] = {
    "Direct311-Entries": {"description": "How many entries follow", "schema": {"type": "integer"}},
    "Direct311-Withheld": {
        "description": "Exempt entries for the question's records and time",
        "schema": {"type": "integer"},
    },
    "Direct311-Log-Size": {
        "description": "The log's size; give it as `size` to resume an export that broke off",
        "schema": {"type": "integer"},
    },
    "Direct311-Access-Event": {
        "description": "The id of this call's own event",
        "schema": {"type": "string"},
    },
}


def streaming(
    export_stream: ExportStream, pieces: AsyncIterator[bytes], media_type: str, name: str
) -> StreamingResponse:
    headers = {
        "Direct311-Entries": str(export_stream.entries),
        "Direct311-Withheld": str(export_stream.withheld),
        "Direct311-Log-Size": str(export_stream.size),
        "Direct311-Access-Event": export_stream.access_event,
    }
    return StreamingResponse(pieces, media_type=media_type, headers=headers | attached(name))


def attached(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


async def pieces_of(
    export_stream: ExportStream, encode: Encode, head: bytes = b""
) -> AsyncIterator[bytes]:
    if head:
        yield head
    # A client that disconnects closes this, and this closes the reading, so that no work goes on
    # for nobody.
    async with aclosing(export_stream.batches) as batches:
        async for batch in batches:
            yield await asyncio.to_thread(encode, batch)
