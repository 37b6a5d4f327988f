"""The HTTP face: review, holds, dispositions, certificates."""

from fastapi import APIRouter

from direct311.retention.api import CallerOf, UseCases
from direct311.retention.certificates.api import _certificates
from direct311.retention.holds.api import _holds
from direct311.retention.inventory.api import _records
from direct311.retention.review.api import _dispositions
from direct311.runtime.http.api import PROBLEMS


def router(use: UseCases, caller_of: CallerOf) -> APIRouter:
    """All that retention answers."""
    api = APIRouter(prefix="/v1", responses=PROBLEMS)
    api.include_router(_records(use, caller_of))
    api.include_router(_dispositions(use, caller_of))
    api.include_router(_holds(use, caller_of))
    api.include_router(_certificates(use, caller_of))
    return api
