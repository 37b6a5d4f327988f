"""Documents and their outboxes keep the same promises in memory and in the database."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, Protocol

import pytest

from deploy.local.stack import Stack
from direct311.runtime.messaging.records import Entry, Outbox, Records, Stored, Write
from direct311.runtime.storage.database import MongoRecords
from tests.support.memory import InMemoryRecords
from tests.support.runtime import IN_A_TOMBSTONE, NOW, Tally, database_of_its_own, entry, new_id

pytestmark = [pytest.mark.wire, pytest.mark.anyio]


class Both(Records[Tally], Outbox, Protocol):
    """The two ports, which one collection implements."""

    async def destroying(self, limit: int) -> Sequence[Tally]: ...


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["memory", "database"])
async def records(request: pytest.FixtureRequest) -> AsyncIterator[Both]:
    if request.param == "memory":
        yield InMemoryRecords("one")
        return
    async with database_of_its_own(request.getfixturevalue("servers")) as database:
        kept: MongoRecords[Tally] = MongoRecords(database["records"], Tally, writer="one")
        await kept.prepare()
        yield kept


def write(
    record_id: str,
    expected: int,
    *outbox: Entry,
    total: int = 0,
    after: float = 0.0,
    **fields: object,
) -> Write[Tally]:
    state = Tally(record_id=record_id, version=expected + 1, total=total)
    return Write(
        expected,
        state.model_copy(update=fields),
        outbox,
        NOW + timedelta(seconds=after),
    )


async def one(records: Both, record_id: str) -> Stored[Tally]:
    return (await records.load([record_id]))[record_id]


async def test_what_was_committed_is_loaded_as_it_was(records: Both) -> None:
    first, second = entry(), entry()
    wanted = write("a", 0, first, second, total=7, seen={"request.created": 3}, holds=("h",))
    assert await records.commit([wanted]) == set()
    found = await one(records, "a")
    assert found.state == wanted.state
    assert found.outbox == (first, second)


async def test_only_documents_that_exist_are_loaded(records: Both) -> None:
    await records.commit([write("a", 0), write("b", 0)])
    assert set(await records.load(["a", "b", "c"])) == {"a", "b"}
    assert await records.load(["c"]) == {}
    assert await records.load([]) == {}


async def test_a_document_is_replaced_where_it_has_the_expected_version(records: Both) -> None:
    await records.commit([write("a", 0, entry(), total=1)])
    assert await records.commit([write("a", 1, total=2)]) == set()
    found = await one(records, "a")
    assert (found.state.version, found.state.total, found.outbox) == (2, 2, ())


async def test_a_write_over_another_version_loses_and_changes_nothing(records: Both) -> None:
    kept = entry()
    await records.commit([write("a", 0, total=1)])
    await records.commit([write("a", 1, kept, total=2)])
    for late in (write("a", 0, total=9), write("a", 1, total=9), write("a", 5, total=9)):
        assert await records.commit([late]) == {"a"}
    found = await one(records, "a")
    assert (found.state.total, found.outbox) == (2, (kept,))


async def test_a_document_that_is_not_there_cannot_be_replaced(records: Both) -> None:
    assert await records.commit([write("a", 3)]) == {"a"}
    assert await records.load(["a"]) == {}


async def test_winners_and_losers_of_one_batch_are_told_apart(records: Both) -> None:
    await records.commit([write(each, 0, total=1) for each in ("a", "b", "c")])
    await records.commit([write("b", 1, total=2)])
    batch = [
        write("a", 1, total=5),
        write("b", 1, total=5),
        write("c", 0, total=5),
        write("d", 0, total=5),
        write("e", 2, total=5),
    ]
    assert await records.commit(batch) == {"b", "c", "e"}
    totals = {
        record_id: stored.state.total
        for record_id, stored in (await records.load(["a", "b", "c", "d", "e"])).items()
    }
    assert totals == {"a": 5, "b": 2, "c": 1, "d": 5}


async def test_large_batches_keep_each_result_apart(records: Both) -> None:
    ids = [new_id() for _ in range(600)]
    assert await records.commit([write(each, 0) for each in ids]) == set()
    lost = set(ids[::7])
    await records.commit([write(each, 1, total=1) for each in lost])
    assert await records.commit([write(each, 1, total=2) for each in ids]) == lost
    assert len(await records.load(ids)) == 600


async def test_of_writers_that_come_at_once_one_wins_each_record(records: Both) -> None:
    ids = [new_id() for _ in range(25)]
    await records.commit([write(each, 0) for each in ids])
    for version in range(1, 6):
        lost = await asyncio.gather(
            *(
                records.commit([write(each, version, total=writer) for each in ids[writer:]])
                for writer in range(4)
            )
        )
        won = [set(ids[writer:]) - refused for writer, refused in enumerate(lost)]
        assert sorted(each for ours in won for each in ours) == sorted(ids)
        stored = await records.load(ids)
        assert all(
            stored[each].state.total == writer for writer in range(4) for each in won[writer]
        )
        assert {stored[each].state.version for each in ids} == {version + 1}


async def test_a_write_that_comes_between_the_reading_and_the_replacing_is_not_overwritten(
    servers: Stack,
) -> None:
    async with database_of_its_own(servers) as database:
        collection = database["records"]
        records: MongoRecords[Tally] = MongoRecords(collection, Tally, writer="one")
        other: MongoRecords[Tally] = MongoRecords(collection, Tally, writer="two")
        await records.prepare()
        await records.commit([write(each, 0) for each in ("a", "b", "c")])

        class Interrupted:
            """The collection, where somebody else writes just before the replacements."""

            def __getattr__(self, name: str) -> Any:
                return getattr(collection, name)

            async def bulk_write(self, *operations: Any, **options: Any) -> Any:
                if options.get("session"):
                    assert await other.commit([write("b", 1, total=7)]) == set()
                return await collection.bulk_write(*operations, **options)

        records.collection = Interrupted()  # type: ignore[assignment]
        lost = await records.commit([write(each, 1, total=5) for each in ("a", "b", "c")])
        assert lost == {"b"}
        totals = [(await one(other, each)).state.total for each in ("a", "b", "c")]
        assert totals == [5, 7, 5]


async def test_marked_entries_leave_their_outbox(records: Both) -> None:
    first, second, third = entry(), entry(), entry()
    await records.commit([write("a", 0, first, second, third), write("b", 0, entry())])
    await records.mark_dispatched({"a": [first.id, second.id]})
    assert (await one(records, "a")).outbox == (third,)
    assert len((await one(records, "b")).outbox) == 1
    await records.mark_dispatched({"a": [third.id]})
    assert set(await records.due(NOW, 10)) == {"b"}


async def test_a_released_outbox_is_due_at_once_and_no_other(records: Both) -> None:
    kept = entry()
    await records.commit(
        [
            write("a", 0, kept, after=30),
            write("b", 0, entry(), after=30),
            write("c", 0, after=30),
            write("d", 0, entry(), after=-30),
        ]
    )
    assert set(await records.due(NOW, 10)) == {"d"}
    await records.release(["a", "c", "d", "nobody"], NOW)
    due = await records.due(NOW, 10)
    assert set(due) == {"a", "d"}
    assert list(due["a"]) == [kept]
    assert await records.oldest() == NOW - timedelta(seconds=30)


async def test_what_a_writer_had_in_hand_can_be_taken_over(records: Both) -> None:
    await records.commit(
        [
            write("a", 0, entry(), after=90),
            write("b", 0, after=90),
            write("c", 0, entry(), after=-30),
        ]
    )
    assert await records.take_over("other", NOW) == 0
    assert set(await records.due(NOW, 10)) == {"c"}
    assert await records.take_over("one", NOW) == 1
    assert set(await records.due(NOW, 10)) == {"a", "c"}
    assert await records.take_over("one", NOW) == 0


async def test_much_is_taken_over_part_by_part(
    records: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MongoRecords, "TOGETHER", 2)
    await records.commit([write(new_id(), 0, entry(), after=90) for _ in range(5)])
    assert await records.take_over("one", NOW) == 5
    assert len(await records.due(NOW, 10)) == 5


@pytest.mark.parametrize("step", ["release", "take_over", "mark"])
async def test_what_meets_a_writer_waits_for_it_and_does_not_keep_it_from_ending(
    servers: Stack, step: str
) -> None:
    async with database_of_its_own(servers) as database:
        records: MongoRecords[Tally] = MongoRecords(database["records"], Tally, writer="one")
        await records.prepare()
        kept = {record_id: entry() for record_id in ("a", "b")}
        await records.commit([write(each, 0, kept[each], after=90) for each in kept])
        steps: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
            "release": lambda: records.release(list(kept), NOW),
            "take_over": lambda: records.take_over("one", NOW),
            "mark": lambda: records.mark_dispatched({each: [kept[each].id] for each in kept}),
        }
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            client = database.client
            async with await client.start_session() as session, session.start_transaction():
                change = {"$set": {"total": 7}}
                await database["records"].update_one({"_id": "a"}, change, session=session)
                group.create_task(steps[step]())
                await asyncio.sleep(0.5)
                await database["records"].update_one({"_id": "b"}, change, session=session)
        due = await records.due(NOW, 10)
        assert set(due) == (set() if step == "mark" else set(kept))
        assert [(await one(records, each)).state.total for each in kept] == [7, 7]


async def test_marks_may_be_repeated_and_may_speak_of_what_is_gone(records: Both) -> None:
    """Nothing that was not named is lost, and nothing is counted twice."""
    first, second = entry(), entry()
    await records.commit([write("a", 0, first, second)])
    await records.mark_dispatched({"a": [first.id]})
    await records.mark_dispatched({"a": [first.id]})
    await records.mark_dispatched({"a": [first.id, entry().id], "nowhere": [entry().id]})
    await records.mark_dispatched({})
    assert (await one(records, "a")).outbox == (second,)
    assert {k: list(v) for k, v in (await records.due(NOW, 10)).items()} == {"a": [second]}
    await records.mark_dispatched({"a": [second.id]})
    assert await records.due(NOW, 10) == {}
    assert await records.oldest() is None


async def test_a_mark_does_not_stand_in_the_way_of_a_write(records: Both) -> None:
    first = entry()
    await records.commit([write("a", 0, first)])
    await records.mark_dispatched({"a": [first.id]})
    assert await records.commit([write("a", 1, total=2)]) == set()


async def test_an_outbox_is_due_when_its_time_has_come_and_keeps_its_order(records: Both) -> None:
    ordered = [entry() for _ in range(5)]
    await records.commit(
        [
            write("now", 0, *ordered),
            write("later", 0, entry(), after=2),
            write("empty", 0, after=-100),
        ]
    )
    assert {k: list(v) for k, v in (await records.due(NOW, 10)).items()} == {"now": ordered}
    assert set(await records.due(NOW + timedelta(seconds=2), 10)) == {"now", "later"}
    assert await records.due(NOW - timedelta(milliseconds=1), 10) == {}


async def test_no_more_outboxes_are_due_than_were_asked_for(records: Both) -> None:
    await records.commit([write(new_id(), 0, entry()) for _ in range(5)])
    first = await records.due(NOW, 3)
    assert len(first) == 3
    others = await records.due(NOW, 3, 3)
    assert len(others) == 2
    assert first.keys().isdisjoint(others)


async def test_the_longest_waiting_outbox_tells_its_age(records: Both) -> None:
    assert await records.oldest() is None
    late = entry()
    await records.commit([write("a", 0, entry(), after=-30), write("b", 0, late, after=-60)])
    assert await records.oldest() == NOW - timedelta(seconds=60)
    await records.mark_dispatched({"b": [late.id]})
    assert await records.oldest() == NOW - timedelta(seconds=30)


async def test_records_that_are_being_destroyed_are_found(records: Both) -> None:
    await records.commit(
        [
            write("a", 0, lifecycle="destroying", order_id="o"),
            write("b", 0),
            write("c", 0, lifecycle="destroyed"),
            write("d", 0, lifecycle="destroying", order_id="o"),
        ]
    )
    assert {state.record_id for state in await records.destroying(10)} == {"a", "d"}
    assert len(await records.destroying(1)) == 1


async def test_a_tombstone_holds_nothing_but_its_pending_answer(records: Both) -> None:
    answer = entry()
    await records.commit([write("a", 0, total=41, holds=("h",), seen={"x": 1})])
    await records.commit(
        [write("a", 1, answer, total=41, seen={"x": 1}, order_id="o", lifecycle="destroyed")]
    )
    found = await one(records, "a")
    assert found.state == Tally(record_id="a", version=2, lifecycle="destroyed")
    assert found.outbox == (answer,)
    if isinstance(records, MongoRecords):
        (document,) = [each async for each in records.collection.find({})]
        assert document.keys() == IN_A_TOMBSTONE


async def test_a_tombstone_keeps_its_version_so_that_nothing_is_written_over_it(
    records: Both,
) -> None:
    await records.commit([write("a", 0)])
    await records.commit([write("a", 1, lifecycle="destroyed")])
    assert await records.commit([write("a", 0, total=1)]) == {"a"}
    assert await records.commit([write("a", 1, total=1)]) == {"a"}
    assert (await one(records, "a")).state.lifecycle == "destroyed"
