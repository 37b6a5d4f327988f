"""The exemption log across cases over HTTP."""

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from direct311.retention.api import CallerOf
from direct311.retention.exemption_log.domain import LogQuery, Place, WithheldRow
from direct311.retention.exemption_log.handlers import AUDITOR, DESKS, ExemptionLog
from direct311.runtime.access import reasons
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS, require
from direct311.runtime.parameters import AskedInstant, in_order
from direct311.runtime.text import Line
from direct311.schemas import Model, RecordId

Records = Annotated[int, Query(ge=1, le=500, description="Records to open for one page")]
Citation = Annotated[str, Field(min_length=1, max_length=100), Line]
After = Annotated[
    str,
    Query(
        pattern=r"^[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{1,64}$",
        description="`next` of the page before",
    ),
]
READERS: Final = (*DESKS, AUDITOR)


class ExemptionLogPage(Model):
    """By case, and in a case by record. `counts`: the items of this page by citation. `records`:
    how many records were opened for it. `unreadable`: records whose answer no longer exists.
    A page may have no rows and still have a `next`."""

    rows: tuple[WithheldRow, ...]
    counts: Mapping[str, int]
    records: int
    unreadable: int
    next: str | None


def router(log: ExemptionLog, caller_of: CallerOf) -> APIRouter:
    """For records officers, counsel and auditors."""
    api = APIRouter(prefix="/v1", tags=["cases"], responses=PROBLEMS)
    who = Depends(caller_of)

    @api.get("/exemption-log")
    async def exemption_log(
        caller: Annotated[Caller, who],
        response: Response,
        since: Annotated[AskedInstant | None, Query(description="released from then on")] = None,
        until: Annotated[AskedInstant | None, Query(description="released before then")] = None,
        case: Annotated[RecordId | None, Query(description="the number of one case")] = None,
        citation: Annotated[Citation | None, Query(description="as in the exemptions")] = None,
        reference: Annotated[
            reasons.Reference | None, Query(description="the auditor's letter")
        ] = None,
        limit: Records = 100,
        cursor: After | None = None,
    ) -> ExemptionLogPage:
        """What was withheld in the packages that were released: each item with its place, the law,
        who decided it and when. There is no value in it. Each case on the page is an access, and an
        entry of the log. A case that is exempt from inspection is not there for those who may not
        know of it."""
        require(caller, *READERS)
        in_order(since, until)
        response.headers["Cache-Control"] = "no-store"
        query = LogQuery(since, until, case, citation)
        page = await log.page(caller, query, limit, _place(cursor), reference)
        return ExemptionLogPage(
            rows=tuple(page.rows),
            counts=page.counts,
            records=page.records,
            unreadable=page.unreadable,
            next=f"{page.next.case_id}.{page.next.record_id}" if page.next else None,
        )

    return api


def _place(cursor: str | None) -> Place | None:
    if cursor is None:
        return None
    case_id, _, record_id = cursor.partition(".")
    return Place(case_id, record_id)
