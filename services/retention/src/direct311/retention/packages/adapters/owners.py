"""Asks intake and routing for the records of a case, on behalf of the worker."""

from collections.abc import Mapping
from typing import Any, Final

from direct311.retention.packages.domain.parts import Rendering
from direct311.retention.packages.ports import NotRendered
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.peers import HttpError, Peer

LONGEST_ANSWER: Final = 30.0
"""In seconds."""
PROBLEM: Final = "urn:direct311:problem:"
_REASONS: Final[Mapping[int, str]] = {403: "not_granted", 404: "unknown_record"}
_CONFLICTS: Final = frozenset({"not_reviewed", "changed"})


class PeerOwners:
    """Implements `Owners`: intake's `POST /internal/cases/{case}/records/{record}/rendering`, and
    routing's `POST /v1/jobs/{record}/history`."""

    def __init__(self, intake: Peer, routing: Peer) -> None:
        self._intake = intake
        self._routing = routing

    async def rendering(
        self, case_id: str, record_id: str, recipient: str, authorization: str
    ) -> Rendering | NotRendered:
        path = f"/internal/cases/{case_id}/records/{record_id}/rendering"
        answer = await ask(self._intake, path, {"recipient": recipient}, authorization)
        if isinstance(answer, NotRendered):
            return answer
        try:
            found = Rendering.model_validate(answer)
        except ValueError:
            # Its message has what was answered.
            return NotRendered("unavailable")
        return found if found.record_id == record_id else NotRendered("unavailable")

    async def job_history(
        self, case_id: str, record_id: str, purpose: str, authorization: str
    ) -> Mapping[str, Any] | NotRendered | None:
        path = f"/v1/jobs/{record_id}/history"
        question = {"purpose": purpose, "reference": case_id}
        answer = await ask(self._routing, path, question, authorization)
        if isinstance(answer, NotRendered):
            return None if answer.reason == "unknown_record" else answer
        return answer if isinstance(answer, dict) else NotRendered("unavailable")


async def ask(peer: Peer, path: str, body: object, authorization: str) -> Any | NotRendered:
    """An owner's answer.

    :raises RefusedError: the owner does not accept the person's token."""
    try:
        return await peer.post(path, body, on_behalf_of=authorization, seconds=LONGEST_ANSWER)
    except TransientError:
        return NotRendered("unavailable")
    except HttpError as error:
        return not_rendered(error)


def not_rendered(error: HttpError) -> NotRendered:
    """Why an owner does not answer.

    :raises RefusedError: it does not accept the person's token.
    """
    if error.status == 401:
        raise RefusedError("unauthenticated", "An owner does not accept the token.") from None
    if error.status == 409 and (code := _code(error.problem)) in _CONFLICTS:
        return NotRendered(code)
    return NotRendered(_REASONS.get(error.status or 0, "unavailable"))


def _code(problem: Any) -> str:
    """The stable code of a problem document."""
    named = problem.get("type") if isinstance(problem, dict) else None
    return str(named).removeprefix(PROBLEM) if named else ""
