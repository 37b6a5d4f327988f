"""Processes die, servers are away, while requests come in and contact data is read.

All choices come from one seed, which is printed; the moments themselves depend on the machine.
"""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from deploy.local import process
from deploy.local.environment import WITNESSES
from deploy.local.stack import Stack
from direct311.runtime.peers import HttpError
from tests.support.county import County, until
from tests.support.submissions import (
    ENFORCEMENT,
    KENDALL,
    MIAMI_BEACH,
    NOWHERE,
    photo,
    submission,
)

SENDERS = 5
READERS = 2
AGENTS = tuple(f"agent{number}" for number in range(10))
"""Who reads: so many that none reads so much, and so few that no record is read by so many, that
the log would call it unusual."""
PATIENCE = 240.0
"""Seconds until every part of a stack that has lost all of them once is ready again."""

AWAY = 15.0
"""Seconds without a server: more than any client of one waits before it gives up (ten)."""

LATER = (429, 502, 503, 504)
KINDS: Sequence[tuple[str, dict[str, str], bool, bool]] = (
    ("ANI-STRAY-DOG", KENDALL, True, False),
    ("ANI-STRAY-DOG", MIAMI_BEACH, True, False),
    ("ROAD-POTHOLE", KENDALL, False, False),
    ("ROAD-POTHOLE", NOWHERE, True, False),
    (ENFORCEMENT, KENDALL, False, False),
    ("ANI-STRAY-DOG", KENDALL, True, True),
)
"""Type, place, whether the reporter is given, whether a photo is."""

PHOTO = photo("x", (25, 40, 1), (80, 20, 1))


@dataclass
class Tally:
    """What the clients saw. `accepted`: the record of each key; `read`: that of each answer."""

    accepted: dict[str, str] = field(default_factory=dict)
    with_photo: set[str] = field(default_factory=set)
    read: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    submissions: Counter[str] = field(default_factory=Counter)
    reads: Counter[str] = field(default_factory=Counter)


class Clients:
    """Front ends that send every request until it is answered, and staff that reads contacts."""

    def __init__(self, county: County, seed: int) -> None:
        self._county = county
        self._dice = random.Random(f"{seed} clients")
        self._seed = seed
        self._next = 0
        self._stopped = asyncio.Event()
        self._phones: dict[str, str | None] = {}
        self.tally = Tally()

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """While the block runs, they do; at its end each finishes what it has begun."""
        async with asyncio.TaskGroup() as group:
            for _ in range(SENDERS):
                group.create_task(self._send())
            for _ in range(READERS):
                group.create_task(self._read())
            try:
                yield
            finally:
                self._stopped.set()

    async def again(self, most: int) -> None:
        """Send some of what was accepted once more: the answers must be the same."""
        keys = sorted(self.tally.accepted)
        for key in self._dice.sample(keys, min(most, len(keys))):
            await self._until_answered(int(key.rpartition("-")[2]))

    async def _send(self) -> None:
        while not self._stopped.is_set():
            number = self._next
            self._next += 1
            await self._until_answered(number)
            await asyncio.sleep(self._dice.uniform(0.1, 0.5))

    async def _until_answered(self, number: int) -> None:
        key = f"fault-{self._seed}-{number}"
        service_code, place, reported, with_photo = KINDS[number % len(KINDS)]
        form = submission(number, service_code, place, reported=reported) | {
            "client_request_id": key,
            "description": f"number {number}",
        }
        files = [("a.jpg", PHOTO, "image/jpeg")] if with_photo else []
        while True:
            try:
                answer = await self._county.submit(form, files, seconds=10)
            except httpx.HTTPError as error:
                self.tally.submissions[type(error).__name__] += 1
            else:
                self.tally.submissions[str(answer.status_code)] += 1
                if answer.status_code == 200:
                    self._accepted(key, answer.json()[0]["service_request_id"], form, with_photo)
                    return
                if answer.status_code not in LATER:
                    self.tally.wrong.append(f"submission {number}: {answer.status_code}")
                    return
            await asyncio.sleep(self._dice.uniform(0.1, 0.5))

    def _accepted(self, key: str, record_id: str, form: dict[str, str], with_photo: bool) -> None:
        known = self.tally.accepted.setdefault(key, record_id)
        if known != record_id:
            self.tally.wrong.append(f"{key} has two requests: {known}, {record_id}")
        self._phones[record_id] = form.get("phone")
        if with_photo:
            self.tally.with_photo.add(record_id)

    async def _read(self) -> None:
        while not self._stopped.is_set():
            await asyncio.sleep(self._dice.uniform(0.1, 0.4))
            if not self._phones:
                continue
            record_id = self._dice.choice(list(self._phones))
            try:
                answer = await self._county.read_contact(
                    record_id, "agent", self._dice.choice(AGENTS)
                )
            except (httpx.HTTPError, HttpError) as error:
                # The second: nobody gives out a token.
                self.tally.reads[type(error).__name__] += 1
                continue
            self.tally.reads[str(answer.status_code)] += 1
            if answer.status_code == 200:
                self.tally.read.append(record_id)
                if answer.json()["fields"].get("phone") != self._phones[record_id]:
                    self.tally.wrong.append(f"{record_id} was read with another's telephone")
            elif answer.status_code not in LATER:
                self.tally.wrong.append(f"read of {record_id}: {answer.status_code}")


class Reaper:
    """Kills parts of a stack with SIGKILL, and starts what is dead, as a supervisor would."""

    def __init__(self, stack: Stack, seed: int, say: Callable[[str], None]) -> None:
        self._stack = stack
        self._dice = random.Random(f"{seed} reaper")
        self._say = say
        self._victims = (*stack.services, *WITNESSES, "kafka", "database", "store")
        self.kills: Counter[str] = Counter()

    async def round(self) -> None:
        """Each part dies once, in random order at random moments; at the end all are ready."""
        victims = self._dice.sample(self._victims, len(self._victims))
        started = time.monotonic()
        said = []
        for victim in victims:
            await asyncio.sleep(self._dice.uniform(0.1, 1.5))
            said.append(f"{victim} {time.monotonic() - started:.1f}")
            await asyncio.to_thread(self._stack.kill9, victim)
            self.kills[victim] += 1
            await asyncio.sleep(self._dice.uniform(0.0, 0.5))
            await self._start_the_dead()
        self._say("killed at (s): " + ", ".join(said))
        await until(self._all_ready, "every part is ready again", seconds=PATIENCE)
        self._say(f"all ready after {time.monotonic() - started:.1f} s")

    async def _start_the_dead(self) -> None:
        for name in self._victims:
            # Does nothing where the part runs.
            await asyncio.to_thread(self._stack.start, name)

    async def _all_ready(self) -> bool:
        await self._start_the_dead()
        ready = await asyncio.gather(
            *(asyncio.to_thread(self._stack.ready, name) for name in self._victims)
        )
        return all(ready)


class Thief:
    """Takes one server after the other away for a while: asked to stop, killed, frozen. Services
    are left alone, for nobody restarts them when a server comes back."""

    WAYS = ("stopped", "killed", "frozen")

    def __init__(self, stack: Stack, seed: int, say: Callable[[str], None]) -> None:
        self._stack = stack
        self._dice = random.Random(f"{seed} thief")
        self._say = say
        self._servers = ("kafka", "database", "store", "identity")
        self._before = self._pids()
        self.taken: Counter[str] = Counter()

    async def round(self) -> None:
        """Each server is away once in each way, in random order."""
        cases = [(server, way) for server in self._servers for way in self.WAYS]
        for server, way in self._dice.sample(cases, len(cases)):
            await asyncio.sleep(self._dice.uniform(0.1, 1.5))
            await self._take(server, way)
            self.taken[server] += 1
            started = time.monotonic()
            await until(self._all_ready, f"all are ready after {server} was {way}")
            self._say(f"{server} {way}: all ready after {time.monotonic() - started:.1f} s")

    def untouched(self) -> bool:
        """Whether every service is still the process that it was."""
        return self._pids() == self._before

    async def _take(self, server: str, way: str) -> None:
        if way == "frozen":
            running = process.find(self._stack.place.pid / f"{server}.json")
            assert running is not None, server
            running.signal(signal.SIGSTOP)
            try:
                await asyncio.sleep(AWAY)
            finally:
                running.signal(signal.SIGCONT)
            return
        await asyncio.to_thread(self._stack.stop if way == "stopped" else self._stack.kill9, server)
        await asyncio.sleep(AWAY)
        await asyncio.to_thread(self._stack.start, server)

    def _pids(self) -> dict[str, int]:
        found = {name: process.find(self._stack.place.pid / f"{name}.json") for name in self._names}
        return {name: running.pid for name, running in found.items() if running is not None}

    @property
    def _names(self) -> Sequence[str]:
        return (*self._stack.services, *WITNESSES)

    async def _all_ready(self) -> bool:
        ready = await asyncio.gather(
            *(asyncio.to_thread(self._stack.ready, name) for name in (*self._names, *self._servers))
        )
        return all(ready)
