"""Fetches released packages from retention's case desk."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, Final

from direct311.intake.case_desk import LONGEST_ANSWER, content_of, refused, unavailable
from direct311.intake.records_packages.domain import ReleasedPackage
from direct311.runtime.errors import TransientError
from direct311.runtime.peers import HttpError, Peer

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
                    content=content_of(answer, calling.pop_all()),
                )
            except HttpError as error:
                raise refused(error, _REFUSALS) from None
            except (TransientError, KeyError, ValueError):
                raise unavailable() from None
