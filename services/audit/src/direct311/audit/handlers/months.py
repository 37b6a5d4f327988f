"""The keys of entries about no record, destroyed when their item of the schedule says so.

Sign-ins, changes of rules and the like relate to no record whose life they could share. They are
sealed under the key of the month of their logging, and that key goes when the item is due, unless a
hold stands on an entry under it. Leaf, tree and every proof stay.
"""

from direct311.audit.domain import Filter
from direct311.audit.domain.months import MonthKeyRules, month_of
from direct311.audit.handlers.holds import Held, rows_of_month
from direct311.audit.handlers.tags import Tags
from direct311.audit.ports import Entries, IndexLostError, Log, MonthKeys, StoredKey
from direct311.runtime.access import Caller, RecordFacts
from direct311.runtime.clock import Clock
from direct311.runtime.ledger import Access
from direct311.runtime.vault import Vault
from direct311.verifier.entry import Entry

ITSELF = Caller("svc:audit", ("service",), authentication="service")


class MonthDisposition:
    """Each step may be repeated: the event and what is in clear go before the key."""

    def __init__(
        self,
        keys: MonthKeys,
        entries: Entries,
        log: Log,
        held: Held,
        tags: Tags,
        vault: Vault,
        rules: MonthKeyRules,
        clock: Clock,
    ) -> None:
        self._keys = keys
        self._entries = entries
        self._log = log
        self._held = held
        self._tags = tags
        self._vault = vault
        self._rules = rules
        self._clock = clock

    async def step(self) -> None:
        """Destroy the keys that are due.

        :raises AuditUnavailableError: it cannot be written.
        :raises IndexLostError: what the index says of their entries could not be removed.
        """
        if await self._log.whole_since(await self._log.head()) is None:
            raise IndexLostError
        today = self._clock.now().date()
        for key in await self._keys.months():
            month = month_of(key.name)
            if month is None or self._rules.due_on(month[0]) > today:
                continue
            if await self._held.keeps_month(key.name, key.reference):
                continue
            await self._keys.leave(key.name)
            # Once more, now that a hold which comes later learns of it.
            if await self._held.keeps_month(key.name, key.reference):
                await self._keys.stay(key.name)
                continue
            await self._destroy(key)

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
