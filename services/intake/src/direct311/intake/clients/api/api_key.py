"""Which front end calls: the API key of its client, in the header `X-Api-Key`."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader

from direct311.intake.clients.api.failed_keys import FailedKeys
from direct311.intake.clients.domain.clients import Client
from direct311.intake.clients.handlers.admission import KEY_REFUSALS, Admission
from direct311.runtime.errors import RefusedError

ClientOf = Callable[..., Awaitable[Client]]

_KEY = APIKeyHeader(
    name="X-Api-Key", auto_error=False, description="The key of one of the county's API clients."
)


def client_of(
    admission: Admission, failed_keys: FailedKeys
) -> Callable[[Request, str | None], Awaitable[Client]]:
    """A dependency that returns the client and counts its call.

    It refuses a call without a key that is good for submitting, a key that may not be used from
    this web page, a client whose quota is used up, and an address that tried too many keys.
    """

    async def client(request: Request, key: Annotated[str | None, Depends(_KEY)]) -> Client:
        try:
            return await admission(
                (key or "").strip(), "submit", origin=request.headers.get("origin")
            )
        except RefusedError as error:
            wait = failed_keys.wait(request) if error.code in KEY_REFUSALS else None
            if wait is not None:
                raise RefusedError(
                    "too_often", "Too many calls without a good key.", retry_after=wait
                ) from None
            raise _of_the_header(error) from None

    return client


def _of_the_header(error: RefusedError) -> RefusedError:
    """The same for a key in a header instead of a form field."""
    return RefusedError(
        error.code,
        error.detail.replace("api_key", "X-Api-Key"),
        field=error.field,
        retry_after=error.retry_after,
    )
