"""One monitor run: new entries, key fetches, and missing numbers."""

import contextlib
from collections.abc import Callable
from datetime import timedelta

from direct311.audit.log.ports.log import Followed, IndexLostError
from direct311.audit.monitoring.handlers.log_tailer import LogTailer
from direct311.audit.monitoring.handlers.numbers import Numbering
from direct311.audit.monitoring.handlers.reconcile import Reconciler
from direct311.runtime.clock import Clock


class MonitorRun:
    """Run one at a time, by lease. `missing` is called with how many numbers are missing."""

    def __init__(
        self,
        log: Followed,
        tailer: LogTailer,
        reconciler: Reconciler,
        numbering: Numbering,
        clock: Clock,
        *,
        patience: timedelta,
        missing: Callable[[int], None],
    ) -> None:
        self._log = log
        self._tailer = tailer
        self._reconciler = reconciler
        self._numbering = numbering
        self._clock = clock
        self._patience = patience
        self._missing = missing

    async def step(self) -> None:
        """Compares fetches even if an observer fails. Checks numbers only after a complete run,
        since numbers it has not seen would count as missing.

        :raises Exception: the tailer's error, or else the reconciliation's.
        """
        # Events that waited while the index was lost get the usual time to arrive.
        try:
            since = (await self._log.head()).since
        except IndexLostError:
            return
        if self._clock.now() - since < self._patience:
            return
        try:
            await self._tailer.step()
        except IndexLostError:
            # Then it cannot say which fetches have their event either.
            raise
        except Exception:
            with contextlib.suppress(Exception):
                await self._reconciler.step()
            raise
        try:
            await self._reconciler.step()
        finally:
            # A service that does not answer hides no other service's gap.
            late = await self._reconciler.late()
            gaps = await self._numbering.step(self._reconciler.running, late)
            self._missing(sum(gap.size for _, gap in gaps))
