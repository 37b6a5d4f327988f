"""Builds the fees of cases."""

from dataclasses import dataclass

from fastapi import APIRouter

from direct311.retention.api import CallerOf
from direct311.retention.cases.work import CaseWork
from direct311.retention.charges.adapters import load_fees
from direct311.retention.charges.api import requester_router, router
from direct311.retention.charges.handlers import Charging
from direct311.retention.charges.ports import CasesByToken
from direct311.retention.settings import RetentionSettings


@dataclass(frozen=True, slots=True)
class ChargesPart:
    """`requester_router`: what the gateway passes on."""

    router: APIRouter
    requester_router: APIRouter


def wire(
    settings: RetentionSettings, caller_of: CallerOf, work: CaseWork, cases: CasesByToken
) -> ChargesPart:
    """:raises DataFileError: the file of fees is invalid."""
    charging = Charging(work, load_fees(settings.fees_file), cases)
    return ChargesPart(
        router(charging, work.rules.desks, caller_of), requester_router(charging, caller_of)
    )
