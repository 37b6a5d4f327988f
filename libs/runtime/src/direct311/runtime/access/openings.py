"""Openings in an emergency, and the case file in which somebody says what became of each.

Emergency staff may open contact data at once. Afterwards they say whom they told. Audit and
retention know the number of that case file without telling each other anything: it follows from who
opened which record on which day.
"""

from datetime import date
from typing import Final

from direct311.schemas import derived_id

EMERGENCY_ROLE: Final = "emergency"
"""Whose openings have to be explained."""
EMERGENCY_PURPOSE: Final = "emergency_assistance"
_OPENINGS: Final = "c1d9f0a4-6b0e-5f4e-8f57-0c3b7a9d2e64"
"""The namespace of the numbers of these case files."""


def opening_case(actor: str, record_id: str, on: date) -> str:
    """The number of the case file about what somebody opened of a record on this day (UTC)."""
    return derived_id(_OPENINGS, f"{actor}:{record_id}:{on.isoformat()}")
