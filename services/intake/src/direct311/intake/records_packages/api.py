"""The gateway's call to fetch released records."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from direct311.intake.clients.api.failed_keys import FailedKeys
from direct311.intake.records_packages.handlers import FetchRecords
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import PROBLEMS
from direct311.runtime.http.downloads import Download

LONGEST_TOKEN: Final = 200
ZIP: Final[dict[str, Any]] = {"application/zip": {"schema": {"type": "string", "format": "binary"}}}
_TOKEN = HTTPBearer(
    auto_error=False,
    scheme_name="CaseToken",
    description="The token that came with the answer to a request for records.",
)


def records_packages_router(fetch: FetchRecords, failed_tokens: FailedKeys) -> APIRouter:
    """For whoever has the token of a case. No API key is needed."""
    api = APIRouter(
        prefix="/v1/records-requests",
        tags=["records requests"],
        responses={status: PROBLEMS[status] for status in (401, 404, 410, 422, 429, 503)},
    )

    @api.get("/package", response_class=Response, responses={200: {"content": ZIP}})
    async def package(
        request: Request,
        given: Annotated[HTTPAuthorizationCredentials | None, Security(_TOKEN)] = None,
        number: Annotated[
            int | None,
            Query(ge=1, le=1_000, description="Which of the released packages; the newest"),
        ] = None,
    ) -> Response:
        """The records that were released for your request: a zip file. `X-Package-SHA256` is its
        hash, `X-Packages` the number of packages that were released. Each download is an entry of
        the access log. A wrong token and a case that does not exist any more get the same
        answer."""
        token = given.credentials.strip() if given else ""
        if not token:
            raise RefusedError("unauthenticated", "Send the case token as Authorization: Bearer.")
        try:
            if len(token) > LONGEST_TOKEN:
                raise RefusedError("unknown_case", "No case has this token.")
            found = await fetch(token, number)
        except RefusedError as error:
            wait = failed_tokens.wait(request) if error.code == "unknown_case" else None
            if wait is not None:
                raise RefusedError(
                    "too_often", "Too many calls without a good token.", retry_after=wait
                ) from None
            raise
        return Download(
            found.content,
            media_type="application/zip",
            headers={
                "Cache-Control": "no-store",
                "Content-Length": str(found.size),
                "Content-Disposition": f'attachment; filename="{found.sha256}.zip"',
                "X-Content-Type-Options": "nosniff",
                "X-Package-SHA256": found.sha256,
                "X-Package-Number": str(found.number),
                "X-Packages": str(found.of),
            },
        )

    return api
