"""Which front end calls: the API key of its client, in the header `X-Api-Key`."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader

from direct311.intake.clients.api.failed_keys import FailedKeys
from direct311.intake.clients.domain.clients import Client
from direct311.intake.clients.handlers.admission import Admission
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.problem_codes import status_of

ClientOf = Callable[..., Awaitable[Client]]

_KEY = APIKeyHeader(
    name="X-Api-Key", auto_error=False, description="The key of an API client of the county's."
)


def client_of(
    admission: Admission, failed_keys: FailedKeys
) -> Callable[[Request, str | None], Awaitable[Client]]:
    """A dependency that gives the client, whose call is counted.

    It answers 401 where there is no key that is good for submitting, 403 where it may not be used
    from this web page, 429 where the quota is used up or too many keys were tried.
    """

    async def client(request: Request, key: Annotated[str | None, Depends(_KEY)]) -> Client:
        try:
            return await admission(
                (key or "").strip(), "submit", origin=request.headers.get("origin")
            )
        except RefusedError as error:
            status = status_of(error)
            if status != 403:
                raise _of_the_header(error, status) from None
            wait = failed_keys.wait(request)
            if wait is not None:
                raise RefusedError(
                    429, "too_often", "Too many calls without a good key.", retry_after=wait
                ) from None
            raise _of_the_header(error, 401 if error.code == "api_key" else 403) from None

    return client


def _of_the_header(error: RefusedError, status: int) -> RefusedError:
    """The same where the key comes in a header, and not in a field of a form."""
    return RefusedError(
        status,
        error.code,
        error.detail.replace("api_key", "X-Api-Key"),
        field="X-Api-Key" if error.field == "api_key" else error.field,
        retry_after=error.retry_after,
    )
