"""The token of a case of the county's desk: how its holder's calls are let in, and how wrong ones
are limited."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from fastapi import Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from direct311.intake.clients.api.failed_keys import FailedKeys
from direct311.runtime.errors import RefusedError

T = TypeVar("T")
LONGEST_TOKEN: Final = 200
CASE_TOKEN: Final = HTTPBearer(
    auto_error=False,
    scheme_name="CaseToken",
    description="The token that came with the answer to a request for records.",
)


async def by_token(
    request: Request,
    given: HTTPAuthorizationCredentials | None,
    failed_tokens: FailedKeys,
    ask: Callable[[str], Awaitable[T]],
) -> T:
    """What the holder of a case token is told.

    :raises RefusedError: there is no token, or no case has it, or its sender tried too many.
    """
    token = given.credentials.strip() if given else ""
    if not token:
        raise RefusedError("unauthenticated", "Send the case token as Authorization: Bearer.")
    try:
        if len(token) > LONGEST_TOKEN:
            raise RefusedError("unknown_case", "No case has this token.")
        return await ask(token)
    except RefusedError as error:
        wait = failed_tokens.wait(request) if error.code == "unknown_case" else None
        if wait is not None:
            raise RefusedError(
                "too_often", "Too many calls without a good token.", retry_after=wait
            ) from None
        raise
