"""Builds the fingerprints of what is withheld."""

from direct311.intake.leaks.adapters import ReviewedTexts
from direct311.intake.leaks.handlers import FingerprintWithheld
from direct311.intake.review.handlers.withheld import WithheldTexts


def wire(texts: WithheldTexts) -> FingerprintWithheld:
    """:param texts: opens what the decisions of a case withhold."""
    return FingerprintWithheld(ReviewedTexts(texts))
