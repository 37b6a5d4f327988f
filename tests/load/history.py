"""How fast one person's history is found among millions of entries.

The query index is filled directly, with entries that never were: what is measured is the index and
the questions to it, not the log. A person has five records with some twenty entries each.
"""

import asyncio
import os
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from direct311.audit.entry import Filter
from direct311.audit.index.adapters.mongo_index import MongoEntries
from direct311.audit.index.domain import Exempt
from direct311.audit.questions.domain.cursors import windows
from direct311.runtime.storage import database as mongo
from tests.load.filling import store

LEAF_BYTES = 1_000
ENTRIES_A_RECORD = 20
RECORDS_A_PERSON = 5
CHUNK = 2_000
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Times:
    """A question's times in milliseconds."""

    question: str
    entries: int
    p50: float
    p99: float

    def __str__(self) -> str:
        where = f"{self.question}, {self.entries:,} entries"
        return f"{where}: p50 {self.p50:.1f} ms, p99 {self.p99:.1f} ms"


async def history_times(
    url: str, sizes: tuple[int, ...], told: Callable[[str], object], rounds: int = 60
) -> list[Times]:
    """Fill an index of each of these sizes and ask it. The databases stay: to drop millions of
    documents takes the local server longer than anything here."""
    found: list[Times] = []
    for size in sizes:
        database = mongo.connect(url, f"history{os.getpid()}x{size}")
        started = time.perf_counter()
        # Indexes first: the local server builds none over a million documents.
        await MongoEntries(database).prepare()
        await _fill(database["entries"], size)
        told(f"{size:,} entries filled and indexed in {time.perf_counter() - started:.0f} s")
        found += await _ask(MongoEntries(database), size, rounds)
        mongo.disconnect(database)
    return found


async def _fill(collection: Any, end: int) -> None:
    leaf = os.urandom(LEAF_BYTES - 8)
    chances = random.Random(end)

    async def insert(low: int) -> None:
        high = min(end, low + CHUNK)
        await store(
            collection, [_document(index, end, leaf, chances) for index in range(low, high)]
        )

    for low in range(0, end, 2 * CHUNK):
        await asyncio.gather(*(insert(at) for at in range(low, min(end, low + 2 * CHUNK), CHUNK)))


def _document(index: int, size: int, leaf: bytes, chances: random.Random) -> dict[str, Any]:
    at = BEGIN + timedelta(seconds=2 * index)
    return {
        "_id": index,
        "epoch": 1,
        "event": "pii.accessed",
        "event_id": f"{index:08x}-0000-7000-8000-000000000000",
        "service": "intake",
        "instance": f"intake-web{index % 3}-0123456789ab",
        "record_ids": [record_name(chances.randrange(size // ENTRIES_A_RECORD))],
        "actor": f"agent-{chances.randrange(400)}",
        "roles": ["agent"],
        "department": f"department-{chances.randrange(30)}",
        "session": f"token-{index // 50}",
        "purpose": chances.choice(("respond", "county_business")),
        "action": chances.choice(("view", "search")),
        "outcome": "success",
        "fields": ["phone"],
        "occurred_at": at,
        "logged_at": at,
        "opened": True,
        "data": leaf + index.to_bytes(8, "big"),
        "leaf": leaf[:32],
    }


def record_name(number: int) -> str:
    return f"record-{number:07}"


async def _ask(entries: MongoEntries, size: int, rounds: int) -> list[Times]:
    chances = random.Random(size)
    exempt = Exempt(BEGIN)

    def records(number: int) -> tuple[str, ...]:
        names = range(size // ENTRIES_A_RECORD)
        return tuple(record_name(each) for each in chances.sample(names, number))

    async def page(query: Filter) -> None:
        """As a page of `/v1/entries` looks for it."""
        left = 51
        for low, high in windows(size, 0, 100_000 if query.record_ids else 500):
            rows = await entries.find(query, before=high, floor=low, limit=left, exempt=exempt)
            left -= len(rows)
            if left <= 0:
                return

    async def grouped() -> None:
        query = Filter(record_ids=records(RECORDS_A_PERSON))
        await entries.groups(query, ("actor", "purpose"), before=size, floor=0, exempt=exempt)

    questions: dict[str, Callable[[], Awaitable[None]]] = {
        "one person's history (a page)": lambda: page(Filter(record_ids=records(RECORDS_A_PERSON))),
        "one record's history (a page)": lambda: page(Filter(record_ids=records(1))),
        "one person's history by actor and purpose": grouped,
        "what one credential did": lambda: page(
            Filter(session=f"token-{chances.randrange(size // 50)}")
        ),
    }
    found = []
    for name, question in questions.items():
        times = []
        for _ in range(rounds):
            started = time.perf_counter()
            await question()
            times.append((time.perf_counter() - started) * 1000)
        times.sort()
        worst = times[min(len(times) - 1, len(times) * 99 // 100)]
        found.append(Times(name, size, statistics.median(times), worst))
    return found


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """`python -m tests.load.history URL SIZE…`: without the rest of the bench."""
    url, *sizes = sys.argv[1:]
    for each in asyncio.run(history_times(url, tuple(map(int, sizes)), _tell)):
        _tell(str(each))


if __name__ == "__main__":
    main()
