"""The error statuses that a reporter's calls document: only those that each call can really
answer."""

from typing import Any

from direct311.runtime.http.api import PROBLEMS

ALL = (401, 403, 422, 429, 503)
"""For every call: who calls, how often, and whether the service can answer."""
NO_ADDRESS = (404,)
"""For a call about a request whose answer does not tell whether it exists: no request has an
address with, for example, a line break."""
OF_A_REQUEST = (404, 410)
"""For a call about a request that must exist."""
OF_A_BODY = (400, 408, 413)
"""For a call with a body."""
CONFLICT = (409,)


def answers(*groups: tuple[int, ...]) -> dict[int | str, dict[str, Any]]:
    """The documented error answers of a call that can end with these statuses."""
    return {status: PROBLEMS[status] for group in groups for status in group}
