"""Asks the audit service who has seen a request."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from direct311.intake.reporter.ports import SeenAccess, SeenAccesses
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.peers import HttpError, Peer
from direct311.schemas import Instant, Model

PROBLEM = "urn:direct311:problem:"
_CURSORS = ("cursor", "cursor_mismatch")
"""Codes that audit answers if a cursor does not fit the question."""
TRY_AGAIN = 5
"""In seconds, if audit does not say when to try again."""


class _Access(Model):
    at: Instant
    purpose: str
    sentence: str
    roles: tuple[str, ...]
    department: str | None
    action: str
    outcome: str
    fields: tuple[str, ...]
    count: int


class _Answer(Model):
    accesses: tuple[_Access, ...]
    next: str | None
    late_by_seconds: int


class AuditLog:
    """`AccessLog` through `POST /internal/subject/accesses` of audit."""

    def __init__(self, audit: Peer) -> None:
        self._audit = audit

    async def seen(self, link: str, *, limit: int, cursor: str | None) -> SeenAccesses:
        question: Mapping[str, object] = {"link": link, "limit": limit, "cursor": cursor}
        try:
            given = await self._audit.post("/internal/subject/accesses", question)
            answer = _Answer.model_validate(given)
        except HttpError as error:
            raise _refusal(error) from None
        except (TransientError, ValueError):
            raise _unavailable(TRY_AGAIN) from None
        return SeenAccesses(
            [SeenAccess(**dict(each)) for each in answer.accesses],
            answer.next,
            timedelta(seconds=answer.late_by_seconds),
        )


def _refusal(error: HttpError) -> RefusedError:
    code = _code(error.problem)
    if code in _CURSORS:
        return RefusedError("cursor", "The cursor belongs to another query.", field="cursor")
    if code == "signed_link":
        return RefusedError("signed_link", "The signed link is no longer valid.")
    if error.status == 429:
        return RefusedError(
            "too_often",
            "This was asked too often. Try again later.",
            retry_after=error.retry_after or TRY_AGAIN,
        )
    return _unavailable(error.retry_after or TRY_AGAIN)


def _unavailable(seconds: int) -> RefusedError:
    return RefusedError(
        "audit_unavailable",
        "The access log does not answer now, so nothing can be shown. Try again.",
        retry_after=seconds,
    )


def _code(problem: Any) -> str | None:
    """The stable code of a problem document."""
    named = problem.get("type") if isinstance(problem, dict) else None
    return str(named).removeprefix(PROBLEM) if named else None
