"""The errors of the runtime, and how each becomes an answer."""


class RuntimeFaultError(Exception):
    """Root of the runtime's errors. A message never holds input or personal data."""


class TransientError(RuntimeFaultError):
    """It may work later: the same step is tried again."""


class RefusedError(RuntimeFaultError):
    """An answer to a caller: `status` (HTTP), `code` (for machines), `detail` (for people).

    `field` names the input that was wrong; `retry_after` is in seconds.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        field: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.field = field
        self.retry_after = retry_after
