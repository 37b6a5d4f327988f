"""Every fetch of a key has its event in the log; an event without a fetch opened nothing.

The services that hold vaults say which keys they fetched and under which access event. A fetch
whose event does not appear within a minute is an alarm: somebody opened something without recording
it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from direct311.audit.alarms.ports import Alarms
from direct311.audit.index.ports import Entries
from direct311.audit.log.domain import CLOCK_TOLERANCE
from direct311.audit.log.ports.log import Followed
from direct311.audit.monitoring.domain.fetches import Fetch
from direct311.audit.monitoring.ports import KeyFetches, Watch
from direct311.runtime.clock import Clock

AT_ONCE = 1_000
PAGES = 5
"""How many fetches without an event one round checks; the next round checks the ones after them."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """For the entries since an instant: how many led to `fetches`, and how many authorized a fetch
    but opened nothing, with the ids of the first hundred. `without_event`: the oldest thousand
    fetches, however old, whose event is not in the log; `unlogged`: how many there are."""

    fetches: int
    without_event: Sequence[Fetch]
    unlogged: int
    authorised_not_opened: int
    not_opened: Sequence[str]


class Reconciler:
    """Compares fetches with the log. Run one at a time, by lease; repeating a comparison changes
    nothing."""

    def __init__(
        self,
        sources: Sequence[KeyFetches],
        watch: Watch,
        log: Followed,
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
        self._looked_at = ""
        """The key of the last fetch checked again; empty at the end."""
        self.running: dict[str, frozenset[str]] = {}
        """The running producers, by service, without the services that did not answer."""

    async def step(self) -> None:
        """Read every service's fetches since the last round, then check the open ones again.

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
            # Overlapping pages repeat a fetch.
            await self._sort(source, page.fetches)
            latest = max((fetch.at for fetch in page.fetches), default=None)
            if latest is not None and (cursor is None or latest > cursor):
                await self._watch.advance(source.service, latest)
            if page.complete or latest is None or latest <= after:
                return
            after = latest

    async def _sort(self, source: KeyFetches, fetches: Sequence[Fetch]) -> None:
        """Note which are in the log, and keep the others open."""
        size = (await self._log.head()).size
        for at in range(0, len(fetches), AT_ONCE):
            part = fetches[at : at + AT_ONCE]
            ids = list(dict.fromkeys(fetch.event_id for fetch in part))
            found = await self._entries.mark_opened(ids, size)
            await self._watch.keep([fetch for fetch in part if fetch.event_id not in found])
            await source.confirm([fetch for fetch in part if fetch.event_id in found])

    async def _look_again(self) -> None:
        for _ in range(PAGES):
            kept = await self._watch.kept(self._looked_at, AT_ONCE)
            await self._compare(kept)
            self._looked_at = kept[-1].key if len(kept) == AT_ONCE else ""
            if not self._looked_at:
                return

    async def _compare(self, kept: Sequence[Fetch]) -> None:
        """Drop those whose event has arrived, and report those whose event should have."""
        size = (await self._log.head()).size
        ids = list(dict.fromkeys(fetch.event_id for fetch in kept))
        found = await self._entries.mark_opened(ids, size)
        await self._watch.drop(sorted(found))
        overdue = self._clock.now() - self._patience
        if self._started_at > overdue:
            # While audit was down, events waited in the broker; they get the same time to arrive.
            return
        late = [each for each in kept if each.event_id not in found and each.at < overdue]
        for fetch in {each.event_id: each for each in late}.values():
            detail = f"{fetch.service} fetched a key, but the event that it names is not logged"
            await self._alarms.raise_alarm("unlogged_fetch", fetch.event_id, detail)

    async def late(self) -> Mapping[str, int]:
        """How many fetches lack an event that should be in the log by now, by service."""
        return await self._watch.late(self._clock.now() - self._patience)

    async def state(self, since: datetime) -> Reconciliation:
        """The current state of the entries logged at `since` or later."""
        size = (await self._log.head()).size
        start = await self._entries.first_logged(since, size)
        settled = await self._entries.first_logged(self._clock.now() - self._patience, size)
        not_opened, ids = await self._entries.not_opened(start, settled, 100)
        overdue = await self._watch.overdue(self._clock.now() - self._patience, AT_ONCE)
        return Reconciliation(
            fetches=await self._entries.opened(start, size),
            without_event=overdue,
            unlogged=sum((await self.late()).values()),
            authorised_not_opened=not_opened,
            not_opened=ids,
        )
