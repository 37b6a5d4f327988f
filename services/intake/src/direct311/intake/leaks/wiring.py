"""Builds the fingerprints of what is withheld."""

from direct311.intake.leaks.handlers import FingerprintWithheld
from direct311.intake.leaks.ports import Withheld


def wire(withheld: Withheld) -> FingerprintWithheld:
    return FingerprintWithheld(withheld)
