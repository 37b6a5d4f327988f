"""Counts calls with invalid keys."""

from starlette.requests import Request

from direct311.intake.clients.handlers.reads import ReadLimits, SharedNames


class FailedKeys:
    """Counts calls with invalid keys, so that nobody can try millions of them."""

    def __init__(self, limits: ReadLimits, names: SharedNames, most: int) -> None:
        self._limits = limits
        self._names = names
        self._most = most

    def wait(self, request: Request) -> int | None:
        """Count one. If there were too many, returns the number of seconds until the caller may try
        again."""
        address = request.client.host if request.client else ""
        return self._limits.take(f"keys:{self._names.name(address)}", self._most)
