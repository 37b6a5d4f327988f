"""Builds the correspondence of cases."""

from dataclasses import dataclass

from fastapi import APIRouter

from direct311.retention.api import CallerOf
from direct311.retention.cases.ports import Cases
from direct311.retention.cases.work import CaseWork
from direct311.retention.correspondence.api import own_router, router
from direct311.retention.correspondence.handlers import Corresponding


@dataclass(frozen=True, slots=True)
class CorrespondencePart:
    """`own_router`: for the requester, by way of the gateway."""

    router: APIRouter
    own_router: APIRouter


def wire(work: CaseWork, cases: Cases, caller_of: CallerOf) -> CorrespondencePart:
    """:param cases: finds the case of a token."""
    corresponding = Corresponding(work, cases)
    return CorrespondencePart(
        router(corresponding, work.rules.desks, caller_of), own_router(corresponding, caller_of)
    )
