"""Audit's alarms, holds on the log, and accounts of key fetches: the fakes and the real ones."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI, Request

from deploy.local.stack import Stack
from direct311.audit.alarms.adapters import OutboxAlarms
from direct311.audit.alarms.domain import Alarm
from direct311.audit.alarms.ports import Alarms
from direct311.audit.disposition.adapters.mongo_holds import MongoLogHolds
from direct311.audit.disposition.domain.holds import LogHold
from direct311.audit.disposition.ports import LogHolds
from direct311.audit.entry import Filter
from direct311.audit.index.adapters.mongo_cases import MongoCaseExemptions
from direct311.audit.index.domain import CaseExemption
from direct311.audit.index.ports import CaseExemptions
from direct311.audit.monitoring.adapters.fetches import PeerFetches
from direct311.audit.monitoring.domain.fetches import Fetch
from direct311.audit.monitoring.ports import KeyFetches
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.key_routes import key_fetches_router
from direct311.runtime.peers import HttpClient, Peer
from direct311.runtime.storage.database import MongoRecords
from direct311.runtime.vault.vault import KeyFetch
from direct311.schemas.secrecy import DelayedNotice
from tests.support.keys import InMemoryKeys
from tests.support.runtime import NOW, database_of_its_own
from tests.support.service_under_test import ServiceUnderTest
from tests.unit.audit.fakes import (
    InMemoryAlarms,
    InMemoryCaseExemptions,
    InMemoryFetches,
    InMemoryLogHolds,
)

pytestmark = pytest.mark.anyio
BOTH = ["memory", pytest.param("database", marks=pytest.mark.wire)]


# ---------------------------------------------------------------- alarms


@dataclass(frozen=True)
class Raising:
    alarms: Alarms
    raised: Callable[[], Awaitable[Sequence[str]]]
    """What the alarms are about that operators are told."""


@pytest.fixture(params=BOTH)
async def raising(request: pytest.FixtureRequest) -> AsyncIterator[Raising]:
    if request.param == "memory":
        alarms = InMemoryAlarms()

        async def kept() -> Sequence[str]:
            return [about for _, about in alarms.raised]

        yield Raising(alarms, kept)
        return
    servers: Stack = request.getfixturevalue("servers")
    async with database_of_its_own(servers) as database:
        records = MongoRecords(database["alarms"], Alarm)
        await records.prepare()
        audit = ServiceUnderTest("audit")
        outbox = OutboxAlarms(audit.processor_of(records, Alarm), audit.clock)

        async def told() -> Sequence[str]:
            due = await records.due(NOW + timedelta(days=1), 100)
            entries = [entry for waiting in due.values() for entry in waiting]
            return [entry.message.headers["ce_subject"] for entry in entries]

        yield Raising(outbox, told)


async def test_an_alarm_is_raised_once_for_each_kind_and_matter(raising: Raising) -> None:
    for _ in range(3):
        await raising.alarms.raise_alarm("sequence_gap", "intake/1#3", "a gap")
    await raising.alarms.raise_alarm("sequence_gap", "intake/1#9", "another gap")
    await raising.alarms.raise_alarm("tree_mismatch", "intake/1#9", "another kind")
    assert sorted(await raising.raised()) == ["intake/1#3", "intake/1#9", "intake/1#9"]


# ---------------------------------------------------------------- holds


@pytest.fixture(params=BOTH)
async def holds(request: pytest.FixtureRequest) -> AsyncIterator[LogHolds]:
    if request.param == "memory":
        yield InMemoryLogHolds()
        return
    servers: Stack = request.getfixturevalue("servers")
    async with database_of_its_own(servers) as database:
        yield MongoLogHolds(database)


def hold(hold_id: str) -> LogHold:
    return LogHold(
        hold_id=hold_id,
        name="suit",
        kind="litigation",
        authority="26-1",
        filter=Filter(record_ids=("r-1",)),
        placed_by="cole",
        placed_at=NOW,
    )


async def test_a_hold_stands_until_it_is_released_and_is_kept(holds: LogHolds) -> None:
    for name in ("h-1", "h-2"):
        await holds.add(hold(name))
    assert await holds.get("h-1") == hold("h-1")
    assert await holds.get("none") is None
    released = hold("h-1").released("raul", "settled", NOW)
    await holds.replace(released)
    assert await holds.get("h-1") == released
    assert list(await holds.all()) == [released, hold("h-2")]
    assert list(await holds.standing()) == [hold("h-2")]


# ---------------------------------------------------------------- exemptions of cases


@pytest.fixture(params=BOTH)
async def exemptions(request: pytest.FixtureRequest) -> AsyncIterator[CaseExemptions]:
    if request.param == "memory":
        yield InMemoryCaseExemptions()
        return
    servers: Stack = request.getfixturevalue("servers")
    async with database_of_its_own(servers) as database:
        stored = MongoCaseExemptions(database)
        await stored.prepare()
        yield stored


def said(version: int, case_id: str = "c-1") -> CaseExemption:
    until = NOW + timedelta(days=version) if version % 2 else None
    tag = f"{case_id} {version}".encode()
    return CaseExemption(case_id=case_id, version=version, exempt_until=until, tag=tag)


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1, 3, 2, 1), (3, 3, 3)])
async def test_the_highest_version_of_a_case_stays(
    exemptions: CaseExemptions, order: tuple[int, ...]
) -> None:
    for version in order:
        await exemptions.keep(said(version), matters=True)
    assert list(await exemptions.of(["c-1", "unknown"])) == [said(3)]
    assert list(await exemptions.that_matter()) == [said(3)]


async def test_the_document_of_a_delayed_notice_is_stored(exemptions: CaseExemptions) -> None:
    notice = DelayedNotice(document="a" * 64, dated_at=NOW, until=NOW + timedelta(days=3))
    delayed = CaseExemption(
        case_id="c-1", version=2, exempt_until=NOW + timedelta(days=3), notice=notice, tag=b"2"
    )
    await exemptions.keep(said(1), matters=True)
    await exemptions.keep(delayed, matters=True)
    assert list(await exemptions.of(["c-1"])) == [delayed]
    await exemptions.keep(said(3), matters=True)
    assert list(await exemptions.of(["c-1"])) == [said(3)]


async def test_the_same_version_says_nothing_else_later(exemptions: CaseExemptions) -> None:
    await exemptions.keep(said(2), matters=True)
    await exemptions.keep(said(2).tagged(b"another"), matters=True)
    assert list(await exemptions.of(["c-1"])) == [said(2)]


async def test_a_case_that_once_mattered_always_does(exemptions: CaseExemptions) -> None:
    await exemptions.keep(said(2), matters=False)
    await exemptions.keep(said(4, "c-2"), matters=False)
    assert list(await exemptions.that_matter()) == []
    await exemptions.keep(said(1), matters=True)
    await exemptions.keep(said(4), matters=False)
    assert list(await exemptions.that_matter()) == [said(4)]
    found = await exemptions.of(["c-1", "c-2"])
    assert sorted(each.case_id for each in found) == ["c-1", "c-2"]


async def test_many_versions_at_once_leave_the_highest(exemptions: CaseExemptions) -> None:
    await asyncio.gather(*(exemptions.keep(said(n), matters=True) for n in range(1, 21)))
    assert list(await exemptions.of(["c-1"])) == [said(20)]


@pytest.mark.wire
async def test_a_document_that_cannot_be_read_is_a_case_without_a_tag(servers: Stack) -> None:
    async with database_of_its_own(servers) as database:
        stored = MongoCaseExemptions(database)
        broken = {"_id": "c-1", "version": "new", "exempt_until": None, "tag": 7, "matters": True}
        await database["case_exemptions"].insert_one(broken)
        assert list(await stored.that_matter()) == [CaseExemption(case_id="c-1", version=0)]


# ---------------------------------------------------------------- fetches of keys


EVENTS = ("0195567e-8f00-7000-8000-000000000001", "0195567e-8f00-7000-8000-000000000002")
FETCHED = [
    KeyFetch(f"r-{number}", event_id, NOW + timedelta(seconds=number))
    for number, event_id in enumerate(EVENTS)
]


class OwnTokens:
    """A peer's token, which nobody checks here."""

    async def get(self) -> str:
        return "token"

    async def exchanged(self, authorization: str) -> str:
        return authorization


class Running:
    async def running(self) -> Sequence[str]:
        return ["intake/1"]


def over_http() -> KeyFetches:
    """The account of a service, read through the call that all services answer."""
    keys = InMemoryKeys()
    keys.fetches += FETCHED

    async def caller(_: Request) -> Caller:
        return Caller("svc:audit", ("service",))

    app = FastAPI()
    app.include_router(key_fetches_router(keys, Running(), caller))
    http = HttpClient(transport=httpx.ASGITransport(app=app))
    return PeerFetches("intake", Peer("http://intake.test", http, OwnTokens()))


def in_memory() -> KeyFetches:
    fetches = [
        Fetch(service="intake", record_id=each.record_id, event_id=each.event_id, at=each.at)
        for each in FETCHED
    ]
    return InMemoryFetches("intake", fetches, producers=("intake/1",))


@pytest.mark.parametrize("account", [in_memory, over_http])
async def test_the_fetches_since_an_instant_come_with_the_service_that_made_them(
    account: Callable[[], KeyFetches],
) -> None:
    fetches = account()
    assert fetches.service == "intake"
    page = await fetches.after(NOW - timedelta(seconds=1))
    assert [(each.service, each.record_id, each.event_id) for each in page.fetches] == [
        ("intake", "r-0", EVENTS[0]),
        ("intake", "r-1", EVENTS[1]),
    ]
    assert (page.complete, page.producers) == (True, ("intake/1",))
    later = await fetches.after(NOW)
    assert [each.record_id for each in later.fetches] == ["r-1"]
    assert (await fetches.after(NOW + timedelta(seconds=9))).fetches == ()
    await fetches.confirm(page.fetches)
