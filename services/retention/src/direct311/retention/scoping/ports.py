"""What scoping needs from outside."""

from typing import Protocol

from direct311.retention.cases.domain import CaseFile
from direct311.retention.holds.domain import Bounds
from direct311.runtime.access.rules import Caller
from direct311.runtime.messaging.state import Change


class Bounding(Protocol):
    """Within what an open case stops destruction."""

    async def check(self, bounds: Bounds | None) -> None:
        """:raises MalformedError: the bounds name what no record has."""
        ...

    def bounded(self, caller: Caller, state: CaseFile, bounds: Bounds) -> Change[CaseFile] | None:
        """The case with these bounds, and the events that say so; `None` if it has them.

        :raises RefusedError: the records of the case are identified.
        """
        ...

    async def opened(self, case_id: str) -> CaseFile:
        """Make sure that everybody who orders a destruction knows what was written."""
        ...
