"""Asks retention's case desk what a case costs, and what of it was denied."""

from typing import Any, TypeVar

from direct311.intake.records_requests.adapters.retention import PROBLEM, away
from direct311.intake.records_requests.domain import CaseEstimate, CaseStatements
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.peers import HttpError, Peer
from direct311.schemas import Model

M = TypeVar("M", bound=Model)
REFUSALS = {
    "unknown_case": "No case has this token.",
    "no_estimate": "Nothing was estimated for this case yet.",
    "no_statement": "Nothing of this request was denied.",
    "changed": "There is a newer estimate; read it again.",
    "case_closed": "The case is closed.",
}
"""Retention's refusals that the requester learns, in our words."""


class RetentionEstimates:
    """`EstimateDesk` and `StatementDesk` through `POST /internal/cases/estimate`,
    `…/estimate/acceptance` and `…/statement` of retention."""

    def __init__(self, retention: Peer) -> None:
        self._retention = retention

    async def estimate(self, token: str) -> CaseEstimate:
        return await self._asked(CaseEstimate, "/internal/cases/estimate", {"token": token})

    async def accept(self, token: str, version: int) -> CaseEstimate:
        body = {"token": token, "version": version}
        return await self._asked(CaseEstimate, "/internal/cases/estimate/acceptance", body)

    async def statements(self, token: str) -> CaseStatements:
        return await self._asked(CaseStatements, "/internal/cases/statement", {"token": token})

    async def _asked(self, model: type[M], path: str, body: dict[str, Any]) -> M:
        try:
            return model.model_validate(await self._retention.post(path, body))
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
