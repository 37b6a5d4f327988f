"""Every fetch of a key has its event in the log; an event without a fetch opened nothing.

The services that hold vaults say which keys they fetched and under which access event. A fetch
whose event does not appear within a minute is an alarm: somebody opened something without having
written it down.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from direct311.audit.domain import CLOCK_TOLERANCE, Fetch
from direct311.audit.ports import Alarms, Entries, KeyFetches, Log, Watch
from direct311.runtime.clock import Clock

AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Of the entries since an instant: how many led to `fetches`, and how many authorised one and
    opened nothing, with the ids of the first hundred. `without_event`: fetches, however old, whose
    event is not in the log."""

    fetches: int
    without_event: Sequence[Fetch]
    authorised_not_opened: int
    not_opened: Sequence[str]


class Reconciler:
    """Compares. Run one at a time, by lease; the same comparison twice changes nothing."""

    def __init__(
        self,
        sources: Sequence[KeyFetches],
        watch: Watch,
        log: Log,
        entries: Entries,
        alarms: Alarms,
        clock: Clock,
        *,
        patience: timedelta = timedelta(seconds=60),
    ) -> None:
        self._sources = sources
        self._watch = watch
        self._log = log
        self._entries = entries
        self._alarms = alarms
        self._clock = clock
        self._patience = patience
        self._started_at = clock.now()
        self.running: dict[str, frozenset[str]] = {}
        """The producers that run, by service; without the services that did not answer."""

    async def step(self) -> None:
        """Read every service's fetches since the last round, then look again at what is open.

        A service that does not answer does not keep the others from being read.
        """
        failed: Exception | None = None
        self.running.clear()
        for source in self._sources:
            try:
                await self._read(source)
            except Exception as error:
                failed = error
        await self._look_again()
        if failed is not None:
            raise failed

    async def _read(self, source: KeyFetches) -> None:
        cursor = await self._watch.cursor(source.service)
        after = (cursor or self._clock.now() - timedelta(days=30)) - CLOCK_TOLERANCE
        while True:
            page = await source.after(after)
            self.running[source.service] = frozenset(page.producers)
            # The same fetch comes again in every page that overlaps.
            await self._sort(source, page.fetches)
            latest = max((fetch.at for fetch in page.fetches), default=None)
            if latest is not None and (cursor is None or latest > cursor):
                await self._watch.advance(source.service, latest)
            if page.complete or latest is None or latest <= after:
                return
            after = latest

    async def _sort(self, source: KeyFetches, fetches: Sequence[Fetch]) -> None:
        """Note which are in the log, and keep the others in view."""
        size = (await self._log.head()).size
        for at in range(0, len(fetches), AT_ONCE):
            part = fetches[at : at + AT_ONCE]
            ids = list(dict.fromkeys(fetch.event_id for fetch in part))
            found = await self._entries.mark_opened(ids, size)
            await self._watch.keep([fetch for fetch in part if fetch.event_id not in found])
            await source.confirm([fetch for fetch in part if fetch.event_id in found])

    async def _look_again(self) -> None:
        size = (await self._log.head()).size
        kept = await self._watch.kept(AT_ONCE)
        found = await self._entries.mark_opened([fetch.event_id for fetch in kept], size)
        await self._watch.drop(sorted(found))
        overdue = self._clock.now() - self._patience
        if self._started_at > overdue:
            # While audit was away events waited in the broker; they get the same time to arrive.
            return
        for fetch in kept:
            if fetch.event_id not in found and fetch.at < overdue:
                detail = f"{fetch.service} fetched a key, and the event that it names is not logged"
                await self._alarms.raise_alarm("unlogged_fetch", fetch.event_id, detail)

    async def without_event(self) -> Sequence[Fetch]:
        """Fetches whose event should be in the log by now and is not."""
        before = self._clock.now() - self._patience
        return [fetch for fetch in await self._watch.kept(AT_ONCE) if fetch.at < before]

    async def state(self, since: datetime) -> Reconciliation:
        """How the entries logged at `since` or later stand now."""
        size = (await self._log.head()).size
        start = await self._entries.first_logged(since, size)
        settled = await self._entries.first_logged(self._clock.now() - self._patience, size)
        not_opened, ids = await self._entries.not_opened(start, settled, 100)
        return Reconciliation(
            await self._entries.opened(start, size), await self.without_event(), not_opened, ids
        )
