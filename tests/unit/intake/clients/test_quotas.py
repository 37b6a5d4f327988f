"""Quotas of keys and limits of reads: never one call too many, over all copies and restarts."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from direct311.intake.clients.domain.clients import Quota
from direct311.intake.clients.handlers.quotas import LARGEST_LEASE, Quotas
from direct311.intake.clients.handlers.reads import MOST_CALLERS, ReadLimits, SharedNames
from direct311.runtime.access.sign_ins import Sources
from direct311.runtime.errors import TransientError
from tests.support.quotas import InMemoryCounts, InMemoryQuotas, callers
from tests.support.runtime import SetClock

pytestmark = pytest.mark.anyio


async def _calls(copy: Quotas, quota: Quota, count: int, client: str = "c") -> int:
    """How many of these calls, all at once, were let in."""
    waits = await asyncio.gather(*(copy.take(client, quota) for _ in range(count)))
    return sum(wait is None for wait in waits)


async def test_a_copy_alone_lets_in_just_as_many_as_the_quota_says() -> None:
    store, clock = InMemoryQuotas(), SetClock()
    quota = Quota(minute=1000, day=None)
    copy = Quotas(store, clock)
    assert await _calls(copy, quota, 1500) == 1000
    # So fast because the store was asked seldom: in leases.
    assert store.calls < 150


async def test_a_new_minute_has_room_again_and_the_day_goes_on() -> None:
    store, clock = InMemoryQuotas(), SetClock()
    quota = Quota(minute=10, day=15)
    copy = Quotas(store, clock)
    assert await _calls(copy, quota, 12) == 10
    wait = await copy.take("c", quota)
    assert wait == 60 - clock.at.second
    clock.at += timedelta(minutes=1)
    assert await _calls(copy, quota, 12) == 5
    wait = await copy.take("c", quota)
    assert wait is not None
    assert wait > 3600
    clock.at += timedelta(days=1)
    assert await _calls(copy, quota, 12) == 10


async def test_one_client_takes_nothing_of_another() -> None:
    store, clock = InMemoryQuotas(), SetClock()
    copy = Quotas(store, clock)
    quota = Quota(minute=5, day=None)
    assert await _calls(copy, quota, 9, "a") == 5
    assert await _calls(copy, quota, 9, "b") == 5
    assert await _calls(copy, Quota(minute=None, day=None), 999, "free") == 999


async def test_a_copy_that_stops_gives_back_and_the_next_one_goes_on_from_there() -> None:
    store, clock = InMemoryQuotas(), SetClock()
    quota = Quota(minute=100, day=1000)
    let_in = 0
    for _ in range(5):
        copy = Quotas(store, clock)
        let_in += await _calls(copy, quota, 15)
        await copy.close()
    assert let_in == 75
    assert await _calls(Quotas(store, clock), quota, 100) == 25


async def test_a_copy_that_is_killed_loses_its_slice_and_nobody_gets_more() -> None:
    store, clock = InMemoryQuotas(), SetClock()
    quota = Quota(minute=160, day=None)
    first = await _calls(Quotas(store, clock), quota, 3)
    # Killed: nothing was given back.
    second = await _calls(Quotas(store, clock), quota, 999)
    assert 160 - 160 // 16 < first + second <= 160


async def test_what_one_copy_does_not_use_another_gets_within_a_second() -> None:
    store, clock = InMemoryQuotas(), SetClock()
    quota = Quota(minute=160, day=None)
    idle, busy = Quotas(store, clock), Quotas(store, clock)
    assert await _calls(idle, quota, 1) == 1
    let_in = await _calls(busy, quota, 300)
    await idle.settle()
    await idle.settle()
    clock.at += timedelta(seconds=1)
    assert 1 + let_in + await _calls(busy, quota, 300) == 160


async def test_a_lowered_quota_is_in_force_at_once() -> None:
    store, clock = InMemoryQuotas(), SetClock()
    copy = Quotas(store, clock)
    assert await _calls(copy, Quota(minute=1000, day=None), 50) == 50
    assert await _calls(copy, Quota(minute=20, day=None), 50) == 0


async def test_who_calls_on_and_on_costs_the_store_nothing() -> None:
    store, clock = InMemoryQuotas(), SetClock()
    copy = Quotas(store, clock)
    quota = Quota(minute=1, day=None)
    await _calls(copy, quota, 5)
    before = store.calls
    assert await _calls(copy, quota, 1000) == 0
    assert store.calls == before


async def test_nothing_is_let_in_where_the_store_is_away() -> None:
    store, clock = InMemoryQuotas(), SetClock()
    store.down = True
    copy = Quotas(store, clock)
    with pytest.raises(TransientError):
        await copy.take("c", Quota(minute=5, day=5))
    store.down = False
    assert await _calls(copy, Quota(minute=5, day=5), 9) == 5


Step = tuple[int, int]
"""Which copy, and what: calls where positive, 0 settles, -1 kills, -2 stops and begins anew."""


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 400),
    st.lists(
        st.tuples(st.integers(0, 2), st.one_of(st.integers(-2, 0), st.integers(1, 80))),
        max_size=30,
    ),
)
async def test_whatever_the_copies_do_no_call_is_let_in_beyond_the_quota(
    limit: int, steps: Sequence[Step]
) -> None:
    store, clock = InMemoryQuotas(), SetClock()
    quota = Quota(minute=limit, day=None)
    copies = [Quotas(store, clock) for _ in range(3)]
    let_in = 0
    for number, step in steps:
        clock.at += timedelta(milliseconds=600)
        if step > 0:
            let_in += await _calls(copies[number], quota, step)
        elif step == 0:
            await copies[number].settle()
        else:
            if step == -2:
                await copies[number].close()
            copies[number] = Quotas(store, clock)
    assert let_in <= limit
    assert LARGEST_LEASE > 0


# ---------------------------------------------------------------- reads without key


def _let_in(copy: ReadLimits, name: str, limit: int, count: int) -> int:
    return sum(copy.take(name, limit) is None for _ in range(count))


async def test_a_caller_reads_so_often_and_no_more_until_the_next_minute() -> None:
    clock = SetClock()
    clock.at += timedelta(seconds=20)
    copy = ReadLimits(InMemoryCounts(), clock, worth=1)
    assert _let_in(copy, "a", 100, 150) == 100
    assert copy.take("a", 100) == 40
    assert _let_in(copy, "b", 100, 10) == 10
    clock.at += timedelta(seconds=40)
    assert _let_in(copy, "a", 100, 150) == 100


async def test_copies_share_their_counts_each_second() -> None:
    store, clock = InMemoryCounts(), SetClock()
    one, two = ReadLimits(store, clock, worth=10), ReadLimits(store, clock, worth=10)
    let_in = 0
    for _ in range(20):
        let_in += _let_in(one, "a", 100, 10) + _let_in(two, "a", 100, 10)
        await one.settle()
        await two.settle()
    # Each may let in what it would have in one second more.
    assert 100 <= let_in <= 120


async def test_a_read_that_asks_for_much_counts_as_several() -> None:
    clock = SetClock()
    copy = ReadLimits(InMemoryCounts(), clock, worth=1)
    assert sum(copy.take("a", 100, 10) is None for _ in range(50)) == 10
    # However much it counts, it is let in where there is room for one.
    assert _let_in(copy, "b", 100, 99) == 99
    assert copy.take("b", 100, 10) is None
    assert copy.take("b", 100) == 60
    assert copy.take("c", 5, 10) is None


async def test_what_was_not_used_is_given_back_in_the_same_minute() -> None:
    clock = SetClock()
    copy = ReadLimits(InMemoryCounts(), clock, worth=1)
    copy.take("a", 100, 50)
    minute = copy.minute
    copy.give_back("a", 40, minute)
    assert _let_in(copy, "a", 100, 150) == 90
    clock.at += timedelta(minutes=1)
    assert _let_in(copy, "a", 100, 60) == 60
    copy.give_back("a", 40, minute)
    copy.give_back("b", 40, copy.minute)
    assert _let_in(copy, "a", 100, 150) == 40
    assert _let_in(copy, "b", 100, 150) == 100


async def test_what_was_given_back_other_copies_hear() -> None:
    store, clock = InMemoryCounts(), SetClock()
    one, two = ReadLimits(store, clock, worth=10), ReadLimits(store, clock, worth=10)
    one.take("a", 100, 50)
    await one.settle()
    one.give_back("a", 45, one.minute)
    await one.settle()
    assert list(store.counts.values()) == [5]
    assert _let_in(two, "a", 100, 10) == 10
    await two.settle()
    assert _let_in(two, "a", 100, 150) == 85


LIST = "/open311/v2/requests.xml"


@pytest.mark.parametrize(
    ("path", "query", "charge"),
    [
        (LIST, "", 1),
        (LIST, "page_size=100&extensions=true", 1),
        (LIST, "page_size=100&service_code=A,B,C&service_code=D,E", 1),
        (LIST, "page_size=100&service_code=A,B,C,D,E,F", 2),
        (LIST, "page_size=101", 2),
        (LIST, "page_size=1000", 10),
        (LIST, "page%5Fsize=1000&page_size=+", 1),
        (LIST, "page_size=1&page%5Fsize=+1000", 10),
        (LIST, "page_size=1000&service_code=" + ",".join(map(str, range(500))), 80),
        (LIST, "page_size=nonsense", 1),
        (LIST, "page_size=99999", 1),
        (LIST, "service_request_id=" + ",".join(map(str, range(100))), 1),
        (LIST, "service_request_id=" + ",".join(map(str, range(1000))), 10),
        (LIST, "page_size=200&service_request_id=" + ",".join(map(str, range(1000))), 2),
        ("/open311/v2/requests/an-id.json", "page_size=1000", 1),
        ("/open311/v2/services.json", "page_size=1000", 1),
        ("/v1/requests.atom", "bbox=1", 1),
        ("/v1/requests.geojson", "bbox=1", 2),
        ("/v1/requests.geojson", "bbox=1&limit=500", 5),
        ("/v1/requests.geojson", "bbox=1&limit=%20500", 10),
        ("/v1/policy", "", 1),
    ],
)
async def test_a_read_counts_by_the_rows_that_it_asks_for(
    path: str, query: str, charge: int
) -> None:
    one = callers(SetClock(), most=1_000)
    call = {
        "path": path,
        "query_string": query.encode(),
        "client": ("203.0.113.9", 1),
    }
    alike = {**call, "path": "/v1/policy", "query_string": b""}
    assert one.take(call) is None
    assert sum(one.take(alike) is None for _ in range(2_000)) == 1_000 - charge


UPDATES = {
    "path": "/open311/v2/servicerequestupdates.json",
    "query_string": b"",
    "client": ("203.0.113.9", 1),
}


@pytest.mark.parametrize(("rows", "charge"), [(0, 1), (100, 1), (101, 2), (5_000, 50), (5_150, 52)])
async def test_a_list_whose_length_nobody_knows_counts_by_what_it_had(
    rows: int, charge: int
) -> None:
    one = callers(SetClock(), most=1_000)
    assert one.take(UPDATES) is None
    with one.ahead(UPDATES, 5_000) as ahead:
        ahead.rows = rows
    assert sum(one.take(UPDATES) is None for _ in range(2_000)) == 1_000 - charge


async def test_such_lists_at_the_same_time_count_as_if_they_were_long() -> None:
    one = callers(SetClock(), most=100)
    with ExitStack() as answering:
        for _ in range(2):
            assert one.take(UPDATES) is None
            answering.enter_context(one.ahead(UPDATES, 5_000))
        assert one.take(UPDATES) == 60
    assert one.take(UPDATES) is None


async def test_the_last_read_of_a_minute_is_answered() -> None:
    one = callers(SetClock(), most=1)
    assert one.take(UPDATES) is None
    with one.ahead(UPDATES, 5_000) as ahead:
        ahead.rows = 5_000
    assert one.take(UPDATES) == 60


async def test_who_reads_little_is_not_shared() -> None:
    store, clock = InMemoryCounts(), SetClock()
    copy = ReadLimits(store, clock, worth=10)
    for number in range(500):
        copy.take(f"caller-{number}", 100)
    await copy.settle()
    assert store.counts == {}


async def test_a_store_that_is_away_punishes_nobody() -> None:
    store, clock = InMemoryCounts(), SetClock()
    copy = ReadLimits(store, clock, worth=1)
    assert _let_in(copy, "a", 100, 60) == 60
    store.down = True
    with pytest.raises(TransientError):
        await copy.settle()
    store.down = False
    await copy.settle()
    assert _let_in(copy, "a", 100, 60) == 40


async def test_callers_from_everywhere_do_not_fill_the_memory() -> None:
    clock = SetClock()
    copy = ReadLimits(InMemoryCounts(), clock, worth=10)
    for number in range(MOST_CALLERS + 1000):
        assert copy.take(f"caller-{number}", 5) is None
    assert len(copy._mine) == MOST_CALLERS


class Salts:
    def __init__(self) -> None:
        self.of_days: dict[str, bytes] = {}

    async def of(self, day: str, offered: bytes) -> bytes:
        self.of_days = {kept: salt for kept, salt in self.of_days.items() if kept >= day}
        return self.of_days.setdefault(day, offered)


async def test_copies_give_an_address_one_name_until_the_day_is_over() -> None:
    salts, clock = Salts(), SetClock()
    one, two = (SharedNames(Sources(clock), clock, b"s" * 32, salts.of) for _ in range(2))
    await one.refresh()
    await two.refresh()
    first = one.name("203.0.113.9")
    assert first == two.name("203.0.113.9") != one.name("203.0.113.10")
    assert "203.0" not in first
    # Another secret, the same salt: neither is enough alone.
    other = SharedNames(Sources(clock), clock, b"t" * 32, salts.of)
    await other.refresh()
    assert other.name("203.0.113.9") != first
    clock.at += timedelta(days=1)
    await one.refresh()
    assert one.name("203.0.113.9") != first
    assert list(salts.of_days) == [clock.at.date().isoformat()]


async def test_who_has_a_network_of_ipv6_has_one_name() -> None:
    clock = SetClock()
    names = SharedNames(Sources(clock), clock, b"s", Salts().of)
    assert names.name("2001:db8::1") == names.name("2001:db8::ffff:1")
    assert names.name("2001:db8::1") != names.name("2001:db8:0:1::1")
    assert names.name("no:address") != names.name("2001:db8::1")
