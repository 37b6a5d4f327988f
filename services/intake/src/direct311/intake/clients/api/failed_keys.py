"""Calls with a key that is none, counted."""

from starlette.requests import Request

from direct311.intake.clients.handlers.reads import ReadLimits, SharedNames


class FailedKeys:
    """Counts calls with a key that is none, so that nobody tries them by the million."""

    def __init__(self, limits: ReadLimits, names: SharedNames, most: int) -> None:
        self._limits = limits
        self._names = names
        self._most = most

    def wait(self, request: Request) -> int | None:
        """Count one; in how many seconds the caller may try again, where that is too many."""
        address = request.client.host if request.client else ""
        return self._limits.take(f"keys:{self._names.name(address)}", self._most)
