"""Destroys the keys of entries without a record when the schedule's item says so.

Sign-ins, rule changes and the like belong to no record whose life they could share. They are sealed
under the key of the month in which they were logged. That key is destroyed when the item is due,
unless there is a hold on an entry under it. The leaf, the tree and every proof stay.
"""

from datetime import datetime, timedelta

from direct311.audit.alarms.ports import Alarms
from direct311.audit.disposition.domain.months import MonthKeyRules, month_of
from direct311.audit.disposition.handlers.holds import Held, rows_of_month
from direct311.audit.disposition.ports import MonthKeys
from direct311.audit.entry import Filter
from direct311.audit.index.ports import Entries
from direct311.audit.log.handlers.tags import Tags
from direct311.audit.log.ports.keys import StoredKey
from direct311.audit.log.ports.log import Followed
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.clock import Clock
from direct311.runtime.vault.vault import DeniedError, Vault
from direct311.verifier.entry import Entry

ITSELF = Caller("svc:audit", ("service",), authentication="service")


class MonthDisposition:
    """Each step may be repeated: the event and the cleartext are handled before the key."""

    PATIENCE = timedelta(days=1)
    """The wait after a refusal, which is itself an entry: asking every second would fill the
    log."""

    def __init__(
        self,
        keys: MonthKeys,
        entries: Entries,
        log: Followed,
        held: Held,
        tags: Tags,
        vault: Vault,
        alarms: Alarms,
        rules: MonthKeyRules,
        clock: Clock,
    ) -> None:
        self._keys = keys
        self._entries = entries
        self._log = log
        self._held = held
        self._tags = tags
        self._vault = vault
        self._alarms = alarms
        self._rules = rules
        self._clock = clock
        self._not_before: datetime | None = None

    async def step(self) -> None:
        """Destroy the keys that are due. If the access rules refuse it, raise an alarm and try
        again a day later.

        :raises AuditUnavailableError: it cannot be written.
        :raises IndexLostError: the index's data about their entries could not be removed.
        """
        await self._log.check()
        now = self._clock.now()
        if self._not_before is not None and now < self._not_before:
            return
        today = now.date()
        for key in await self._keys.months():
            month = month_of(key.name)
            if month is None or self._rules.due_on(month[0]) > today:
                continue
            if await self._held.keeps_month(key.name, key.reference):
                continue
            await self._keys.leave(key.name)
            # Check again, now that any later hold sees the destruction.
            if await self._held.keeps_month(key.name, key.reference):
                await self._keys.stay(key.name)
                continue
            try:
                await self._destroy(key)
            except DeniedError as error:
                await self._put_off(key, error, now)
                return

    async def _put_off(self, key: StoredKey, error: DeniedError, now: datetime) -> None:
        """Rules that refuse one key refuse all of them."""
        wait = error.retry_after
        self._not_before = now + (timedelta(seconds=wait) if wait else self.PATIENCE)
        await self._keys.stay(key.name)
        if not wait:
            # The county's own rules lack the grant, or have expired.
            detail = f"the key is due, but the rules refuse its destruction: {error.detail}"
            await self._alarms.raise_alarm("destruction_refused", key.name, detail)

    async def _destroy(self, key: StoredKey) -> None:
        access = Access(
            ITSELF,
            action="destroy",
            purpose="retention",
            operation=f"{self._rules.schedule} item {self._rules.item}",
            reference=key.name,
        )
        await self._vault.authorise(access, RecordFacts())
        async for rows in rows_of_month(self._entries, self._log, Filter(), key.name):
            under = [
                row
                for row in rows
                if row.facts and Entry.parse(row.data).key_reference == key.reference
            ]
            if under:
                tag = await self._tags.tagger(self._clock.now())
                await self._entries.forget_rows(under, tag)
        await self._keys.destroy(key.name)
