"""How often one person, and all people with a role together, may open sealed data.

The rates come from the file of rules, so that the county can narrow them without a release. Each
copy of a service counts for itself, in memory: a limit stops a stolen credential or a script within
seconds, whatever the state of the database. The log shows the total for all copies, and the audit
service watches it for unusual volume.
"""

import math
import time
from collections.abc import Iterable, Mapping

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from direct311.runtime.access.rules import Rate


class Rates:
    """Counts openings by person and by role, in a sliding window."""

    def __init__(self, rates: Mapping[str, Rate]) -> None:
        self._limits = {
            role: {"person": parse(rate.person), "role": parse(rate.role)}
            for role, rate in rates.items()
        }
        self._window = MovingWindowRateLimiter(MemoryStorage())

    async def take(self, person: str, roles: Iterable[str]) -> int | None:
        """Count one opening by `person` under the most generous of `roles`. If no role has room,
        returns the number of seconds until one has. A role without a rate is not limited."""
        waits = []
        for role in roles:
            limits = self._limits.get(role)
            if limits is None:
                return None
            keys = ((limits["role"], role, "all"), (limits["person"], role, person))
            wait = max([await self._wait(*key) for key in keys])
            if not wait:
                for item, *names in keys:
                    await self._window.hit(item, *names)
                return None
            waits.append(wait)
        return min(waits, default=None)

    async def _wait(self, item: RateLimitItem, *names: str) -> int:
        if await self._window.test(item, *names):
            return 0
        stats = await self._window.get_window_stats(item, *names)
        return max(1, math.ceil(stats.reset_time - time.time()))
