"""Asks retention's case desk."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final

from direct311.intake.deliveries.domain import EncryptedFile
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.peers import HttpError, Peer, Streamed

PROBLEM: Final = "urn:direct311:problem:"
LONGEST_ANSWER: Final = 60.0
"""In seconds, for each part of the answer."""
TRY_AGAIN: Final = 5
"""In seconds, if retention does not say when to try again."""
_REFUSALS: Final[Mapping[str, str]] = {
    "unknown_code": "No delivery has this code, or it was used.",
    "not_readable": "It no longer exists.",
    "recalled": "The county has recalled this package. Ask the desk that gave you the code.",
    "receipted": "Another receipt was given.",
}


class RetentionDeliveries:
    """`DeliveryDesk` through `POST /internal/deliveries/…` of retention."""

    def __init__(self, retention: Peer) -> None:
        self._retention = retention

    async def download(self, code: str) -> EncryptedFile:
        path, question = "/internal/deliveries/download", {"code": code}
        # Leaving this closes the call; the content leaves it when it is read or closed.
        async with AsyncExitStack() as calling:
            try:
                answer = await calling.enter_async_context(
                    self._retention.stream(path, question, seconds=LONGEST_ANSWER)
                )
                return EncryptedFile(
                    sha256=answer.headers["x-delivery-sha256"],
                    size=int(answer.headers["content-length"]),
                    content=_content(answer, calling.pop_all()),
                )
            except HttpError as error:
                raise _refused(error) from None
            except (TransientError, KeyError, ValueError):
                raise _away(None) from None

    async def receipt(self, code: str, receipt: str) -> None:
        said = {"code": code, "receipt": receipt}
        try:
            await self._retention.post("/internal/deliveries/receipt", said, seconds=LONGEST_ANSWER)
        except HttpError as error:
            raise _refused(error) from None
        except TransientError:
            raise _away(None) from None


async def _content(answer: Streamed, calling: AsyncExitStack) -> AsyncGenerator[bytes]:
    async with calling:
        try:
            async for piece in answer.pieces:
                yield piece
        except HttpError:
            raise _away(None) from None


def _refused(error: HttpError) -> RefusedError:
    code = _code(error.problem)
    if code in _REFUSALS:
        return RefusedError(code, _REFUSALS[code])
    return _away(error.retry_after)


def _away(seconds: int | None) -> RefusedError:
    return RefusedError(
        "case_desk_unavailable",
        "The case desk does not answer now. Try again.",
        retry_after=seconds or TRY_AGAIN,
    )


def _code(problem: Any) -> str:
    """The stable code of a problem document."""
    named = problem.get("type") if isinstance(problem, dict) else None
    return str(named).removeprefix(PROBLEM) if named else ""
