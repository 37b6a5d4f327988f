"""Builds the letters after a breach of security."""

from fastapi import APIRouter

from direct311.retention.api import CallerOf
from direct311.retention.breach_letters.adapters import PdfLetters
from direct311.retention.breach_letters.api import router
from direct311.retention.breach_letters.handlers import PrintBreachLetters
from direct311.retention.settings import RetentionSettings
from direct311.runtime.access.breach_letters import load_breach_letters


def wire(settings: RetentionSettings, caller_of: CallerOf) -> APIRouter:
    """:raises DataFileError: the words of the letters are invalid."""
    letters = load_breach_letters(settings.breach_letter_file)
    printing = PrintBreachLetters(letters, PdfLetters(), local=settings.is_local)
    return router(printing, caller_of)
