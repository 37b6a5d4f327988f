"""Builds the taking of calls."""

from fastapi import APIRouter

from direct311.intake.api_types import CallerOf
from direct311.intake.calls.api import calls_router
from direct311.intake.calls.handlers import TakeCall
from direct311.intake.lifecycle.wiring import Lifecycle
from direct311.intake.reporter.wiring import Reporters
from direct311.intake.sealing import Sealing
from direct311.intake.submission.wiring import Submissions


def wire(
    sealing: Sealing,
    submissions: Submissions,
    lifecycle: Lifecycle,
    reporters: Reporters,
    who: CallerOf,
) -> APIRouter:
    """The route that takes a call."""
    take = TakeCall(
        accept=submissions.accept,
        agreement=submissions.agreement,
        requests=lifecycle.requests,
        codes=reporters.one_time,
        can_mail=reporters.mail is not None,
        vault=sealing.vault,
    )
    return calls_router(take, who)
