"""What the gateway's calls to retention's case desk share: refusals, and large answers that are
read while they arrive."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from typing import Final

from direct311.runtime.arriving import Arriving
from direct311.runtime.errors import RefusedError
from direct311.runtime.peers import HttpError, Streamed

LONGEST_ANSWER: Final = 60.0
"""In seconds, for each part of an answer."""
TRY_AGAIN: Final = 5
"""In seconds, if the desk does not say when to try again."""
_PROBLEM: Final = "urn:direct311:problem:"


def content_of(answer: Streamed, calling: AsyncExitStack) -> Arriving:
    """The bytes of an answer, piece by piece.

    :param calling: the call; it is closed once the content is read or closed, also if nobody has
        read a byte.
    :raises RefusedError: `case_desk_unavailable`, if the answer breaks off.
    """

    async def pieces() -> AsyncGenerator[bytes]:
        async with calling:
            try:
                async for piece in answer.pieces:
                    yield piece
            except HttpError:
                raise unavailable() from None

    return Arriving(pieces(), calling.aclose)


def refused(error: HttpError, refusals: Mapping[str, str]) -> RefusedError:
    """What a caller is told.

    :param refusals: the codes that the desk may refuse with, each with its words. Any other answer
        is `case_desk_unavailable`.
    """
    named = error.problem.get("type") if isinstance(error.problem, dict) else None
    code = str(named).removeprefix(_PROBLEM)
    if code in refusals:
        return RefusedError(code, refusals[code])
    return unavailable(error.retry_after)


def unavailable(seconds: int | None = None) -> RefusedError:
    """The desk does not answer now, and `seconds` may say for how long."""
    return RefusedError(
        "case_desk_unavailable",
        "The case desk does not answer now. Try again.",
        retry_after=seconds or TRY_AGAIN,
    )
