"""kill -9 of everything that the log needs while access events come in: one leaf each, no gap.

Sequencer, standby, witnesses, Kafka, database and store die in turn, at random moments. LOG_FAULTS
is the number of rounds (1 unless said otherwise; `make faults N=…`), FAULT_SEED the seed.
"""

import asyncio
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest

from deploy.local.environment import WITNESSES
from deploy.local.stack import Stack
from direct311.verifier.bundle import verify_bundle
from direct311.verifier.event import decode_json, parse_event_keys
from direct311.verifier.policy import Policy
from direct311.verifier.report import Report
from tests.faults.accounts import checkpoint, verified
from tests.faults.log_load import Load
from tests.load.log_appends import ACTORS
from tests.support.copies import Copy
from tests.support.county import County, Document, entering, until
from tests.support.stacks import stack_of_its_own

ROUNDS = int(os.environ.get("LOG_FAULTS") or 1)
RATE = int(os.environ.get("LOG_RATE") or 1_000)
STILL = 120.0
"""Seconds without a leaf after which what is not in the log counts as lost."""
SEED = int(os.environ.get("FAULT_SEED") or random.SystemRandom().randrange(1_000_000))
SERVERS = ("kafka", "database", "store")
OTHERS = ("geo", "routing", "retention")

pytestmark = [
    pytest.mark.faults,
    pytest.mark.campaign,
    pytest.mark.timeout(600 + 300 * ROUNDS),
]


@dataclass(frozen=True)
class Aftermath:
    """`leaves`: how often each event is in the log; `numbers`: of the load's producer."""

    sent: Sequence[str]
    kills: Mapping[str, int]
    leaves: Mapping[str, int]
    size: int
    numbers: Sequence[int]
    alarms: Sequence[str]
    log: Report
    receipts: Mapping[str, Report]
    taken_over: Sequence[float]


@pytest.fixture(scope="module")
def after(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Aftermath]:
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled():
            sys.stdout.write(f"\nlog faults: {line}")
            sys.stdout.flush()

    with stack_of_its_own(tmp_path_factory.mktemp("logfaults") / "f") as stack:
        for name in OTHERS:
            stack.stop(name)
        say(f"{ROUNDS} rounds at {RATE}/s, FAULT_SEED={SEED}")
        with Copy(stack, "audit").running() as standby:
            aftermath = asyncio.run(_campaign(stack, standby, say))
        say(
            f"{len(aftermath.sent)} events acknowledged, {aftermath.size} leaves, "
            f"{len(aftermath.receipts)} bundles verified, {len(aftermath.alarms)} alarms\n"
        )
        yield aftermath


async def _campaign(stack: Stack, standby: Copy, say: Callable[[str], None]) -> Aftermath:
    dice = random.Random(f"{SEED} log")
    kills: Counter[str] = Counter()
    checkpoints: list[str] = []
    taken_over: list[float] = []
    load = Load(stack, RATE)
    async with entering(stack) as county:
        async with load.at_work():
            for _ in range(ROUNDS):
                taken_over.append(await _takes_over(county, standby, say))
                kills["audit"] += 1
                victims = ["audit", "standby", *WITNESSES, *SERVERS]
                dice.shuffle(victims)
                for victim in victims:
                    await asyncio.sleep(dice.uniform(0.5, 2.5))
                    if victim == "standby":
                        await asyncio.to_thread(standby.kill9)
                    else:
                        await asyncio.to_thread(stack.kill9, victim)
                    kills[victim] += 1
                    await asyncio.sleep(dice.uniform(0.0, 0.5))
                    await asyncio.to_thread(_start_all, stack, standby)
                say(f"killed in order: {', '.join(victims)}")
                await until(lambda: _ready(stack), "every part is ready again", seconds=240)
                checkpoints.append(await checkpoint(county))
        say(f"{len(load.acknowledged)} acknowledged; waiting for the log")
        await _all_logged(county, load)
        return await _collect(county, load, checkpoints, kills, taken_over)


async def _takes_over(county: County, standby: Copy, say: Callable[[str], None]) -> float:
    """Seconds from the death of one copy to the next leaf of the other."""
    await asyncio.to_thread(county.stack.kill9, "audit")
    before, started = _size(county), time.monotonic()

    async def moves() -> bool:
        return _size(county) > before + RATE // 10

    await until(moves, "the other copy appends", seconds=60)
    took = time.monotonic() - started
    say(f"the standby appends {took:.1f} s after the death of the other")
    await asyncio.to_thread(_start_all, county.stack, standby)
    await asyncio.to_thread(county.stack.wait_ready, "audit", 120)
    return took


def _start_all(stack: Stack, standby: Copy) -> None:
    for name in (*SERVERS, *WITNESSES, "identity", "intake", "media", "audit"):
        stack.start(name)
    standby.start()


async def _ready(stack: Stack) -> bool:
    names = (*SERVERS, *WITNESSES, "audit")
    return all(await asyncio.gather(*(asyncio.to_thread(stack.ready, name) for name in names)))


def _size(county: County) -> int:
    with county.database() as database:
        head: Document = database.audit.log.find_one({"_id": "head"}) or {}
        return int(head["size"])


async def _all_logged(county: County, load: Load) -> None:
    """Wait until all that was acknowledged is in the log, for as long as the log grows (in many
    rounds more comes than is appended between two deaths), and under a published checkpoint."""
    size, moved = 0, time.monotonic()
    deadline = moved + 300 * ROUNDS
    while True:
        before, size = size, _size(county)
        if size > before:
            moved = time.monotonic()
        with county.database() as database:
            waiting = database.audit.inbox.count_documents({})
            if size >= len(load.acknowledged) and not waiting:
                ours = {"instance": "load", "_id": {"$lt": size}}
                indexed: Document = database.audit.log.find_one({"_id": "indexed"}) or {}
                found = database.audit.entries.count_documents(ours)
                if found >= len(load.acknowledged) and int(indexed["size"]) >= size:
                    break
        if time.monotonic() > min(moved + STILL, deadline):
            pytest.fail(f"{waiting} batches wait, {size} leaves of {len(load.acknowledged)}")
        await asyncio.sleep(1)

    async def published() -> bool:
        return int((await checkpoint(county)).splitlines()[1]) >= size

    await until(published, "all is published")


async def _collect(
    county: County,
    load: Load,
    checkpoints: Sequence[str],
    kills: Mapping[str, int],
    taken_over: Sequence[float],
) -> Aftermath:
    size = _size(county)
    with county.database() as database:
        entries = list(
            database.audit.entries.find(
                {"_id": {"$gte": 0, "$lt": size}}, {"event_id": 1, "sequence": 1, "instance": 1}
            )
        )
    receipts = {}
    keys = parse_event_keys(decode_json((county.stack.root / "principals.json").read_bytes()))
    trust = Policy.parse(county.stack.place.policy.read_bytes()).trust
    for number in range(ACTORS):
        actor = f"load-{number}"
        question = {"filter": {"actor": actor}, "reference": "FAULTS-1"}
        answer = await county.ask("POST", "audit", "/v1/bundles", "auditor", "ines", body=question)
        assert answer.status_code == 200, answer.text[:300]
        receipts[actor] = verify_bundle(answer.content, trust, keys)
    alarms = [alarm.value or b"" for alarm in await county.messages("audit.alarm")]
    return Aftermath(
        sent=load.acknowledged,
        kills=kills,
        leaves=Counter(each["event_id"] for each in entries),
        size=size,
        numbers=sorted(each["sequence"] for each in entries if each.get("instance") == "load"),
        alarms=[alarm.decode() for alarm in alarms],
        log=await verified(county, checkpoints),
        receipts=receipts,
        taken_over=taken_over,
    )


@pytest.mark.policy("P20")
def test_every_acknowledged_event_is_one_leaf(after: Aftermath) -> None:
    assert set(after.kills) == {"audit", "standby", *WITNESSES, *SERVERS}
    assert len(after.sent) > RATE * ROUNDS
    assert set(after.sent) <= set(after.leaves)
    assert [event_id for event_id, times in after.leaves.items() if times > 1] == []
    assert sum(after.leaves.values()) == after.size


def test_the_numbers_have_no_gap_and_no_double(after: Aftermath) -> None:
    assert after.numbers == list(range(1, len(after.numbers) + 1))
    assert [alarm for alarm in after.alarms if "sequence_gap" in alarm] == []


def test_the_whole_log_verifies_against_every_checkpoint_of_the_way(after: Aftermath) -> None:
    assert after.log.ok, after.log.text


def test_all_receipts_verify_under_a_cosigned_checkpoint(after: Aftermath) -> None:
    assert len(after.receipts) == ACTORS
    assert [actor for actor, report in after.receipts.items() if not report.ok] == []


def test_the_standby_appended_while_the_other_was_dead(after: Aftermath) -> None:
    # How long it took is told above; a busy machine makes it longer than the 10 s that are wanted.
    assert len(after.taken_over) == ROUNDS
