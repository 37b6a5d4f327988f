"""Openings of emergency staff that somebody has to explain."""

from datetime import datetime, timedelta
from typing import Final

from direct311.schemas import Model

EXPLAINED_WITHIN: Final = timedelta(hours=24)


class Unexplained(Model):
    """What somebody opened of a record on one day. `case_id`: the case file that explains it.
    `event_id`: of the first opening; `at`: when it was logged."""

    case_id: str
    event_id: str
    at: datetime
