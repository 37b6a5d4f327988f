"""Fetches released packages from retention's case desk."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final

from direct311.intake.records_packages.domain import ReleasedPackage
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.peers import HttpError, Peer, Streamed

PROBLEM: Final = "urn:direct311:problem:"
LONGEST_ANSWER: Final = 60.0
"""In seconds, for each part of the answer."""
TRY_AGAIN: Final = 5
"""In seconds, if retention does not say when to try again."""
_REFUSALS: Final[Mapping[str, str]] = {
    "unknown_case": "No case has this token.",
    "not_released": "No such package was released for this request.",
    "not_readable": "The package no longer exists.",
    "recalled": "The county has recalled this package. Please delete what you downloaded.",
}


class RetentionPackages:
    """`ReleasedPackages` through `POST /internal/cases/package` of retention."""

    def __init__(self, retention: Peer) -> None:
        self._retention = retention

    async def fetch(self, token: str, number: int | None) -> ReleasedPackage:
        question: dict[str, Any] = {"token": token}
        if number is not None:
            question["number"] = number
        path = "/internal/cases/package"
        # Leaving this closes the call; the content leaves it when it is read or closed.
        async with AsyncExitStack() as calling:
            try:
                answer = await calling.enter_async_context(
                    self._retention.stream(path, question, seconds=LONGEST_ANSWER)
                )
                return ReleasedPackage(
                    sha256=answer.headers["x-package-sha256"],
                    size=int(answer.headers["content-length"]),
                    number=int(answer.headers["x-package-number"]),
                    of=int(answer.headers["x-packages"]),
                    content=_content(answer, calling.pop_all()),
                )
            except HttpError as error:
                code = _code(error.problem)
                if code in _REFUSALS:
                    raise RefusedError(code, _REFUSALS[code]) from None
                raise _away(error.retry_after) from None
            except (TransientError, KeyError, ValueError):
                raise _away(None) from None


async def _content(answer: Streamed, calling: AsyncExitStack) -> AsyncGenerator[bytes]:
    async with calling:
        try:
            async for piece in answer.pieces:
                yield piece
        except HttpError:
            raise _away(None) from None


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
