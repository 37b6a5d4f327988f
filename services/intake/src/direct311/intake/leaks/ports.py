"""What the leak check needs of a case's decisions."""

from collections.abc import Sequence
from typing import Protocol

from direct311.intake.leaks.domain import WithheldText
from direct311.runtime.access.rules import Caller


class Withheld(Protocol):
    """The texts that the decisions of a case withhold."""

    async def of(
        self, caller: Caller, case_id: str, record_id: str, operation: str
    ) -> Sequence[WithheldText]:
        """The record's withheld texts, each once; empty if all of it goes out. Opening them is an
        access of the caller under the case's grant, which is written to the log first.

        :raises RefusedError: there is no such request, no grant allows it, it was not reviewed, or
            it cannot be written to the log; nothing was opened then.
        """
        ...

    async def when_released(
        self, caller: Caller, case_id: str, record_id: str, decisions: str, operation: str
    ) -> Sequence[WithheldText]:
        """The texts that were withheld when the decisions with this hash rendered the record for
        the case, also if the record has changed since; empty if it was destroyed. Otherwise as
        `of`.

        :raises RefusedError: no grant allows it, or it cannot be written to the log.
        """
        ...
