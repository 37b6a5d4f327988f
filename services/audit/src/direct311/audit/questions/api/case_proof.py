"""`POST /internal/cases/{case_id}/proof`: the proof that goes into a case's package."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import StreamingResponse

from direct311.audit.questions.handlers.case_proof import CaseProof
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import PROBLEMS, require
from direct311.schemas import RecordId

RETENTION = "svc:retention"


def case_proof_router(
    proof: CaseProof, caller: Callable[[Request], Awaitable[Caller]]
) -> APIRouter:
    """Only for retention, which keeps the case."""
    router = APIRouter(prefix="/internal", tags=["internal"], responses=PROBLEMS)
    Who = Annotated[Caller, Depends(caller)]  # noqa: N806 - a type

    @router.post(
        "/cases/{case_id}/proof",
        response_class=StreamingResponse,
        responses={
            200: {"description": "direct311-bundle-v1", "content": {"application/json": {}}}
        },
    )
    async def case_proof(case_id: Annotated[RecordId, Path()], who: Who) -> StreamingResponse:
        """The entries of the case's own events with their proofs, as a bundle. Grants and releases
        stay sealed, since they have the sign-ins of those who approved."""
        require(who, "service")
        if who.sub != RETENTION or who.via is not None:
            raise RefusedError("caller", "Only the retention service may ask.")
        return StreamingResponse(await proof(who, case_id), media_type="application/json")

    return router
