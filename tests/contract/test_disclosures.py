"""Disclosure events are kept the same way in memory and in the database."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from deploy.local.stack import Stack
from direct311.runtime.access.disclosures import KeptDisclosure, KeptDisclosures
from direct311.runtime.access.kept_disclosures import MongoKeptDisclosures
from direct311.runtime.access.provider_keys import MongoSeenKeys, SeenKeyStore
from direct311.runtime.messaging.signing import KeptEvent
from direct311.runtime.storage.database import Database
from tests.support.disclosures import InMemoryKeptDisclosures, InMemorySeenKeys
from tests.support.runtime import NOW, database_of_its_own

pytestmark = [pytest.mark.wire, pytest.mark.anyio]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def database(servers: Stack) -> AsyncIterator[Database]:
    async with database_of_its_own(servers) as database:
        await MongoKeptDisclosures(database["disclosures"], database["searches"]).prepare()
        yield database


@pytest.fixture(params=["memory", "database"])
def kept(request: pytest.FixtureRequest) -> KeptDisclosures:
    if request.param == "memory":
        return InMemoryKeptDisclosures()
    database = request.getfixturevalue("database")
    return MongoKeptDisclosures(database["disclosures"], database["searches"])


def disclosure(
    event_id: str, version: int, name: str = "disclosure.approved", case_id: str = "case-1"
) -> KeptDisclosure:
    return KeptDisclosure(
        event_id=event_id,
        case_id=case_id,
        version=version,
        name=name,
        kept=KeptEvent(
            headers={"ce_id": event_id, "ce_time": "x"}, body=b"\x00\xff{}", received_at=NOW
        ),
        provider_keys=("thumbprint",),
    )


async def test_an_event_comes_back_as_it_was_kept(kept: KeptDisclosures) -> None:
    await kept.keep(disclosure("e-1", 1))
    assert await kept.of_case("case-1") == [disclosure("e-1", 1)]
    assert await kept.of_case("case-2") == []


async def test_events_of_a_case_come_in_the_order_of_their_versions(kept: KeptDisclosures) -> None:
    for event_id, version in (("e-3", 3), ("e-1", 1), ("e-2", 2)):
        await kept.keep(disclosure(event_id, version))
    await kept.keep(disclosure("e-4", 1, case_id="case-2"))
    assert [each.version for each in await kept.of_case("case-1")] == [1, 2, 3]


async def test_the_first_of_an_event_stays(kept: KeptDisclosures) -> None:
    await kept.keep(disclosure("e-1", 1))
    await kept.keep(disclosure("e-1", 1).checked_with(["another"]))
    assert await kept.of_case("case-1") == [disclosure("e-1", 1)]


async def test_of_a_cases_states_the_newest_is_kept(kept: KeptDisclosures) -> None:
    states = [(2, "disclosure.recorded"), (4, "disclosure.released"), (3, "disclosure.recorded")]
    for version, name in states:
        await kept.keep(disclosure(f"e-{version}", version, name))
    assert [each.event_id for each in await kept.of_case("case-1")] == ["e-4"]


async def test_many_states_at_once_leave_the_newest(kept: KeptDisclosures) -> None:
    await asyncio.gather(
        *(
            kept.keep(disclosure(f"e-{version}", version, "disclosure.recorded"))
            for version in range(1, 30)
        )
    )
    assert [each.version for each in await kept.of_case("case-1")] == [29]


async def test_no_two_searches_have_the_same_number(kept: KeptDisclosures) -> None:
    numbers = await asyncio.gather(*(kept.count_search("grant-1", "person", 15) for _ in range(20)))
    assert sorted(each for each in numbers if each is not None) == list(range(15))
    assert await kept.count_search("grant-1", "words", 15) == 0


async def test_a_number_under_which_nobody_searched_is_given_again(kept: KeptDisclosures) -> None:
    assert [await kept.count_search("grant-1", "person", 3) for _ in range(3)] == [0, 1, 2]
    await kept.discount_search("grant-1", "person", 1)
    assert await kept.count_search("grant-1", "person", 3) == 1
    assert await kept.count_search("grant-1", "person", 3) is None


@pytest.fixture(params=["memory", "database"])
def seen(request: pytest.FixtureRequest) -> SeenKeyStore:
    if request.param == "memory":
        return InMemorySeenKeys()
    return MongoSeenKeys(request.getfixturevalue("database")["provider_keys"])


async def test_of_each_key_the_last_time_is_known(seen: SeenKeyStore) -> None:
    later = NOW + timedelta(hours=1)
    assert await seen.last_seen("key-1") is None
    await seen.saw(["key-1", "key-2"], NOW)
    await seen.saw(["key-2"], later)
    await seen.saw(["key-2"], NOW)
    assert await seen.last_seen("key-1") == NOW
    assert await seen.last_seen("key-2") == later
