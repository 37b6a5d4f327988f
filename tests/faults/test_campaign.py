"""Under load, processes die and servers are away: nothing is lost, nothing is done twice.

FAULTS is the number of rounds (1 unless said otherwise; `make faults N=100`), FAULT_SEED the seed.

- killed: in a round each of the six services, the three witnesses, Kafka, the database and the
  object store dies once, and is started again.
- away (with `make faults`; one round in ten, at least one): Kafka, the database, the object store
  and the issuer are each stopped, killed and frozen for longer than any client waits; nothing else
  is restarted.
"""

import asyncio
import os
import random
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import pytest

from deploy.local.stack import Stack
from tests.faults.accounts import Accounts, checkpoint, collect, settled
from tests.faults.campaign import Clients, Reaper, Tally, Thief
from tests.support.county import entering
from tests.support.stacks import stack_of_its_own

ROUNDS = int(os.environ.get("FAULTS", "1"))
SEED = int(os.environ.get("FAULT_SEED") or random.SystemRandom().randrange(1_000_000))

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300 + 300 * ROUNDS)]


@dataclass(frozen=True)
class Aftermath:
    tally: Tally
    accounts: Accounts
    harm: int
    wanted: int

    @property
    def accepted(self) -> set[str]:
        return set(self.tally.accepted.values())


@pytest.fixture(
    scope="module",
    params=[
        "killed",
        pytest.param("away", marks=[pytest.mark.campaign, pytest.mark.timeout(900 + 90 * ROUNDS)]),
    ],
)
def after(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Aftermath]:
    capture = request.config.pluginmanager.getplugin("capturemanager")
    harm = {"killed": _killed, "away": _away}[request.param]

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled():
            sys.stdout.write(f"\nfaults: {line}")
            sys.stdout.flush()

    with stack_of_its_own(tmp_path_factory.mktemp("faults") / "f") as stack:
        say(f"{request.param}, {ROUNDS} rounds, FAULT_SEED={SEED}")
        aftermath = asyncio.run(_campaign(stack, harm, say))
        tally = aftermath.tally
        say(f"{len(tally.accepted)} accepted; attempts: {dict(tally.submissions)}")
        say(f"{len(tally.read)} contacts read; attempts: {dict(tally.reads)}")
        state = aftermath.accounts.reconciliation
        say(
            f"{len(aftermath.accounts.logged)} log entries, {state['fetches']} fetches with their "
            f"event, {state['authorised_not_opened']} authorised, not opened, "
            f"{len(aftermath.accounts.alarms)} alarms\n"
        )
        yield aftermath


Say = Callable[[str], None]
Harm = Callable[[Stack, Say, Callable[[], Awaitable[None]]], Awaitable[tuple[int, int]]]
"""Does harm, and after each round what it is given; the harm done, and what was to be done."""


async def _campaign(stack: Stack, harm: Harm, say: Say) -> Aftermath:
    async with entering(stack) as county:
        clients = Clients(county, SEED)
        checkpoints: list[str] = []

        async def keep() -> None:
            checkpoints.append(await checkpoint(county))

        async with clients.at_work():
            done, wanted = await harm(stack, say, keep)
        await clients.again(40)
        await settled(county, clients.tally)
        accounts = await collect(county, checkpoints)
        return Aftermath(clients.tally, accounts, done, wanted)


async def _killed(stack: Stack, say: Say, keep: Callable[[], Awaitable[None]]) -> tuple[int, int]:
    reaper = Reaper(stack, SEED, say)
    for _ in range(ROUNDS):
        await reaper.round()
        await keep()
    return reaper.kills.total(), 12 * ROUNDS


async def _away(stack: Stack, say: Say, keep: Callable[[], Awaitable[None]]) -> tuple[int, int]:
    thief, rounds = Thief(stack, SEED, say), max(1, ROUNDS // 10)
    for _ in range(rounds):
        await thief.round()
        await keep()
    assert thief.untouched(), "a service has ended, or was started again"
    return thief.taken.total(), 12 * rounds


@pytest.mark.policy("P20")
def test_what_was_accepted_is_stored_located_routed_and_in_the_inventory(after: Aftermath) -> None:
    assert after.harm == after.wanted
    assert len(after.accepted) > 10 * ROUNDS
    for service, ids in after.accounts.ids.items():
        assert len(ids) == len(after.accepted), service
        assert ids == after.accepted, service
    undecided = [
        job["_id"]
        for job in after.accounts.jobs
        if not job.get("department") and job["status"] != "identity_required"
    ]
    assert undecided == []


def test_each_submission_is_one_request_however_often_it_was_sent(after: Aftermath) -> None:
    assert after.tally.wrong == []
    assert len(after.tally.accepted) == len(after.accepted)
    assert len(set(after.accounts.idempotency)) == len(after.accounts.idempotency)
    assert len(after.accounts.idempotency) == len(after.tally.accepted)


def test_every_event_has_one_effect(after: Aftermath) -> None:
    events = after.accounts.events
    assert after.accounts.forked == []
    for topic, by_record in events.items():
        twice = [
            (record_id, version)
            for record_id, versions in by_record.items()
            for version, ids in versions.items()
            if len(ids) > 1
        ]
        assert twice == [], topic
    for topic in ("request.created", "location.resolved", "request.updated"):
        assert set(events[topic]) == after.accepted, topic
    for topic in ("request.created", "location.resolved"):
        assert {len(versions) for versions in events[topic].values()} == {1}, topic
    routed = {job["_id"] for job in after.accounts.jobs if job["status"] != "identity_required"}
    for revisions in (after.accounts.first_revisions, after.accounts.copies):
        assert set(revisions) == routed
        assert {len(ids) for ids in revisions.values()} == {1}


def test_every_photo_is_kept_once(after: Aftermath) -> None:
    assert set(after.accounts.media) == after.tally.with_photo
    assert {tuple(states) for states in after.accounts.media.values()} == {("stored",)}


def test_nothing_was_given_up_and_nothing_waits(after: Aftermath) -> None:
    assert after.accounts.dead_letters == []
    assert {name: count for name, count in after.accounts.pending.items() if count} == {}


@pytest.mark.policy("P20", "P21")
def test_the_log_begins_with_each_of_its_earlier_checkpoints(after: Aftermath) -> None:
    assert after.accounts.log.ok, after.accounts.log


@pytest.mark.policy("P20", "P21")
def test_every_fetch_of_a_key_has_its_event_in_the_log(after: Aftermath) -> None:
    accounts = after.accounts
    assert accounts.reconciliation["without_event"] == []
    assert accounts.reconciliation["fetches"] >= len(after.tally.read)
    for service, fetched in accounts.fetched.items():
        assert fetched <= accounts.logged, service
    assert set(accounts.accesses) <= accounts.logged
    # While audit itself was away it may have missed an event for over a minute: that is an alarm,
    # and then it must have found the event.
    real = [each for each in accounts.alarms if each["about"] not in accounts.logged]
    assert [each for each in real if each["kind"] != "checkpoint_age"] == []


def test_every_read_that_was_answered_is_in_the_log(after: Aftermath) -> None:
    granted: dict[str, int] = {}
    for event_id, access in after.accounts.accesses.items():
        if access["action"] == "view" and access["outcome"] == "success":
            assert event_id in after.accounts.logged
            for record_id in access["what"]["record_ids"]:
                granted[record_id] = granted.get(record_id, 0) + 1
    assert after.tally.read
    for record_id in set(after.tally.read):
        assert granted[record_id] >= after.tally.read.count(record_id)
