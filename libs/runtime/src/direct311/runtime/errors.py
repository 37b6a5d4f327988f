"""The errors of the runtime, and how each becomes an answer."""

from collections.abc import Iterable
from typing import overload

from direct311.schemas.model import Model


class FieldProblem(Model):
    """One thing that is wrong with what was sent: the field's name and what would be right, never
    the value."""

    field: str
    detail: str


class RuntimeFaultError(Exception):
    """Root of the runtime's errors. A message never holds input or personal data."""


class TransientError(RuntimeFaultError):
    """It may work later: the same step is tried again."""


class RefusedError(RuntimeFaultError):
    """Why a caller does not get what it asks for: `code` (for machines), `detail` (for people).

    `field` names the input that was wrong; `retry_after` is in seconds. Which HTTP status a code is
    answered with is said at the edge (`runtime.http.problem_codes`). Refusals that still name it
    themselves do so first; `status` is `None` in all others.
    """

    @overload
    def __init__(
        self, code: str, detail: str, /, *, field: str | None = ..., retry_after: int | None = ...
    ) -> None: ...

    @overload
    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        /,
        *,
        field: str | None = ...,
        retry_after: int | None = ...,
    ) -> None: ...

    def __init__(
        self,
        first: int | str,
        *rest: str,
        field: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        status, (code, detail) = (first, rest) if isinstance(first, int) else (None, (first, *rest))
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.field = field
        self.retry_after = retry_after
        self.problems: tuple[FieldProblem, ...] = ()


class MalformedError(RefusedError):
    """Everything that is wrong with what was sent, at once."""

    def __init__(self, problems: Iterable[FieldProblem]) -> None:
        found = tuple(problems)
        super().__init__("malformed", found[0].detail, field=found[0].field)
        self.problems = found
