"""Reads new entries of the log, oldest first, and shows them to the observers."""

from collections.abc import Sequence
from typing import Protocol

from direct311.audit.index.ports import Entries
from direct311.audit.index_row import EntrySummary
from direct311.audit.log.ports.log import Followed
from direct311.audit.monitoring.ports import Watch

AT_ONCE = 2_000


class Observer(Protocol):
    async def see(self, summaries: Sequence[EntrySummary]) -> None:
        """Take entries in the order of the log. The same ones may come again after a crash."""
        ...


class LogTailer:
    """Reads each new entry of the log once, for all observers. Run one at a time, by lease."""

    NAME = "observers"

    def __init__(
        self, observers: Sequence[Observer], log: Followed, entries: Entries, watch: Watch
    ) -> None:
        self._observers = observers
        self._log = log
        self._entries = entries
        self._watch = watch

    async def step(self) -> None:
        """Show the observers everything new since the last step, even one before a restart. If one
        fails, all see the same entries again.

        :raises IndexLostError: the index cannot tell what the log has.
        """
        at = await self._watch.place(self.NAME)
        size = (await self._log.head()).size
        while at < size:
            end = min(at + AT_ONCE, size)
            summaries = await self._entries.summaries(at, end)
            # If the index was lost in the meantime, this raises.
            await self._log.head()
            for observer in self._observers:
                await observer.see(summaries)
            await self._watch.move_place(self.NAME, end)
            at = end
