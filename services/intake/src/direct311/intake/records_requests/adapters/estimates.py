"""Asks retention's case desk what a case costs."""

from typing import Any

from direct311.intake.records_requests.adapters.retention import PROBLEM, away
from direct311.intake.records_requests.domain import CaseEstimate
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.peers import HttpError, Peer

REFUSALS = {
    "unknown_case": "No case has this token.",
    "no_estimate": "Nothing was estimated for this case yet.",
    "changed": "There is a newer estimate; read it again.",
    "case_closed": "The case is closed.",
}
"""Retention's refusals that the requester learns, in our words."""


class RetentionEstimates:
    """`EstimateDesk` through `POST /internal/cases/estimate` and `…/estimate/acceptance` of
    retention."""

    def __init__(self, retention: Peer) -> None:
        self._retention = retention

    async def estimate(self, token: str) -> CaseEstimate:
        return await self._asked("/internal/cases/estimate", {"token": token})

    async def accept(self, token: str, version: int) -> CaseEstimate:
        body = {"token": token, "version": version}
        return await self._asked("/internal/cases/estimate/acceptance", body)

    async def _asked(self, path: str, body: dict[str, Any]) -> CaseEstimate:
        try:
            return CaseEstimate.model_validate(await self._retention.post(path, body))
        except HttpError as error:
            named = error.problem.get("type") if isinstance(error.problem, dict) else None
            code = str(named).removeprefix(PROBLEM)
            if code in REFUSALS:
                raise RefusedError(code, REFUSALS[code]) from None
            raise away(error) from None
        except TransientError:
            # Without a token of our own, nothing was sent.
            raise away(HttpError(None, unsent=True)) from None
        except ValueError:
            # Its message has what was answered.
            raise away(HttpError(None)) from None
