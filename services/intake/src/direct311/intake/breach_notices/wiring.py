"""Builds the notices of a breach."""

from fastapi import APIRouter

from direct311.intake.api_types import CallerOf
from direct311.intake.breach_notices.api import breach_notices_router
from direct311.intake.breach_notices.handlers import SendBreachNotices
from direct311.intake.lifecycle.wiring import Lifecycle
from direct311.intake.reporter.adapters.smtp import SmtpMailer
from direct311.intake.sealing import Sealing
from direct311.intake.settings import IntakeSettings
from direct311.runtime.access.breach_letters import load_breach_letters
from direct311.runtime.process import Resources


def wire(
    settings: IntakeSettings,
    resources: Resources,
    sealing: Sealing,
    lifecycle: Lifecycle,
    caller_of: CallerOf,
) -> APIRouter:
    """:raises DataFileError: the words of the notices are invalid."""
    return breach_notices_router(
        SendBreachNotices(
            processor=lifecycle.processor,
            vault=sealing.vault,
            letters=load_breach_letters(settings.breach_letter_file),
            mailer=SmtpMailer(settings) if settings.smtp_host is not None else None,
            sender=settings.mail_from,
            clock=resources.clock,
            ids=resources.ids,
            local=settings.is_local,
        ),
        caller_of,
    )
