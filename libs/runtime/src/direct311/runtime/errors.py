"""The errors that the runtime and the services raise."""

from collections.abc import Iterable

from direct311.schemas.model import Model, replaced


class FieldProblem(Model):
    """One thing that is wrong with the input: the field's name and what would be right, never the
    value. `code`: a stable code, which docs/problem-codes.md lists."""

    field: str
    detail: str
    code: str = "invalid"

    def called(self, field: str) -> "FieldProblem":
        """The same where the field has another name."""
        return replaced(self, field=field)


class RuntimeFaultError(Exception):
    """Root of the runtime's errors. A message never holds input or personal data."""


class TransientError(RuntimeFaultError):
    """The step may work later, so it is tried again."""


class RefusedError(RuntimeFaultError):
    """Why a caller does not get what it asked for: `code` (for machines), `detail` (for people).

    `field` names the input that was wrong, by the domain's name; `retry_after` is in seconds. The
    HTTP status of each code, and what callers of the API call a field, are decided at the edge
    (`runtime.http.problem_codes`, `runtime.http.fields`).
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        field: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(code)
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
