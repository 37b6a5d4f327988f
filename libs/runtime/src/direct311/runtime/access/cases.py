"""The disclosure case under which somebody accesses a record."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class AccessCase:
    """A case as the facts about it say at the moment of the access.

    `exempt_until`: set while the case is exempt from inspection; its end, or `secrecy.NO_END` if
    nobody knows the end yet.
    """

    case_id: str
    exempt_until: datetime | None = None
