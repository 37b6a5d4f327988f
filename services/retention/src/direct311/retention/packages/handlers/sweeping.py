"""Removing what a killed build left in the store: pieces of a package that no case file names."""

from datetime import datetime, timedelta
from typing import Final

from direct311.retention.case_file.packages import build_name
from direct311.retention.cases.ports import SealedDocuments
from direct311.retention.cases.work import CaseWork

SAFE: Final = timedelta(hours=24)
"""How old all pieces of a build are before it counts as killed. A build of the largest package
takes less than an hour; a day also survives a clock of the store that is wrong by hours."""
SHARDS: Final = 256


class SweepBuilds:
    """Looks at one of the store's 256 shards at a time. A case file names a build before anybody
    fetches it and never forgets it, so what no case file names after `SAFE` is never named. A sweep
    that was killed goes on with the next one."""

    def __init__(self, work: CaseWork, sealed: SealedDocuments) -> None:
        self._work = work
        self._sealed = sealed

    async def shard(self, shard: int) -> int:
        """Sweeps one shard; may be repeated. Returns how many builds were removed."""
        limit = self._work.clock.now() - SAFE
        removed = 0
        for case_id, build in await self._sealed.builds_of_shard(shard, limit):
            state = await self._work.processor.read(case_id)
            if not state.exists or any(each.build == build for each in state.packages.packages):
                # Whoever destroys a case file removes all of it.
                continue
            await self._sealed.remove(case_id, f"{build_name(build)}/")
            removed += 1
        return removed


def shard_of_the_minute(at: datetime) -> int:
    """Which shard's turn it is: all of them in four and a quarter hours, without stored state."""
    return int(at.timestamp() // 60) % SHARDS
