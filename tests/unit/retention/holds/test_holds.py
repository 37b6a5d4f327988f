"""A hold reaches every record that matches, those that come later too, until it is released."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.retention.holds.domain import Hold, HoldQuery, same_place
from direct311.retention.inventory.adapters import name_pattern
from direct311.retention.record import InventoryRecord
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.state import Change
from direct311.schemas import events as ev
from tests.unit.retention.fakes import (
    COUNSEL,
    RAUL,
    SETTLE_FOR,
    START,
    RetentionUnderTest,
    created,
    located,
    updated,
)

pytestmark = pytest.mark.anyio


def hold(hold_id: str = "h1", **scope: object) -> Hold:
    return Hold(
        hold_id=hold_id,
        name="suit",
        kind="litigation",
        authority="26-1 CA 01",
        placed_by="cole",
        placed_at=START,
        **scope,
    )


POTHOLES = HoldQuery(service_codes=("POTHOLE",))


@pytest.mark.policy("P14")
async def test_a_hold_is_written_into_every_record_that_matches_and_told_from_there() -> None:
    retention = RetentionUnderTest()
    await retention.apply(created("r1"), created("r2"), created("r3", "ANI-STRAY"))
    found = await retention.holding.place(hold(query=POTHOLES), COUNSEL)
    assert (found.state, found.fence) == ("in_force", 1)
    for record_id in ("r1", "r2"):
        (said,) = retention.said(record_id)
        assert isinstance(said.data, ev.HoldPlaced)
        assert (said.data.hold_id, said.data.kind) == ("h1", "litigation")
        assert said.data.authority == "26-1 CA 01"
        assert said.data.version == retention.record(record_id).version
        assert retention.record(record_id).holds == ("h1",)
    assert retention.said("r3") == []


async def test_new_records_join_by_themselves_when_they_match() -> None:
    retention = RetentionUnderTest()
    await retention.holding.place(hold("h1", query=HoldQuery(municipality="hialeah")), COUNSEL)
    await retention.holding.place(hold("h2", record_ids=("r2",)), COUNSEL)
    await retention.apply(created("r1"), created("r2"))
    assert retention.record("r1").holds == ()
    assert retention.record("r2").holds == ("h2",)
    await retention.apply(located("r1", 1, "hialeah"), located("r2", 1, None))
    assert retention.record("r1").holds == ("h1",)
    assert retention.record("r1").fence == 2
    await retention.apply(updated("r1", 2))
    assert retention.names("r1") == ["hold.placed"]


async def test_a_hold_stays_when_the_record_changes_so_that_it_would_not_match() -> None:
    retention = RetentionUnderTest()
    await retention.apply(created("r1"))
    await retention.holding.place(hold(query=POTHOLES), COUNSEL)
    await retention.apply(updated("r1", 2, "ANI-STRAY"))
    assert retention.record("r1").holds == ("h1",)


async def test_each_version_tells_of_one_hold() -> None:
    retention = RetentionUnderTest()
    for number in range(3):
        await retention.holding.place(hold(f"h{number}", record_ids=("r1",)), COUNSEL)
    await retention.apply(created("r1"))
    assert retention.record("r1").behind
    await retention.holding.step()
    record = retention.record("r1")
    assert (sorted(record.holds), record.behind, record.fence) == (["h0", "h1", "h2"], False, 3)
    versions = [said.data.version for said in retention.said("r1") if hasattr(said.data, "version")]
    assert versions == sorted(set(versions))
    assert len(versions) == 3


async def test_a_released_hold_is_told_and_the_others_stay() -> None:
    retention = RetentionUnderTest()
    await retention.apply(created("r1"))
    await retention.holding.place(hold("h1", query=POTHOLES), COUNSEL)
    await retention.holding.place(hold("h2", record_ids=("r1",)), COUNSEL)
    found = await retention.holding.release("h1", RAUL, "settled")
    assert (found.state, found.released_by, found.release_reason) == ("released", "raul", "settled")
    last = retention.said("r1")[-1].data
    assert isinstance(last, ev.HoldReleased)
    assert (last.hold_id, last.still_held) == ("h1", True)
    await retention.holding.release("h2", RAUL, "settled")
    last = retention.said("r1")[-1].data
    assert isinstance(last, ev.HoldReleased)
    assert (last.hold_id, last.still_held) == ("h2", False)
    assert retention.record("r1").holds == ()


@pytest.mark.parametrize(
    ("hold_id", "by", "code"),
    [("h1", "cole", "same_person"), ("h9", "raul", "unknown_hold"), ("h2", "raul", "placing")],
)
async def test_who_may_not_release_is_told_why(hold_id: str, by: str, code: str) -> None:
    retention = RetentionUnderTest()
    await retention.holding.place(hold("h1", record_ids=("r1",)), COUNSEL)
    await retention.holds.add(hold("h2", record_ids=("r1",)), ())
    with pytest.raises(RefusedError) as refused:
        await retention.holding.release(hold_id, Caller(by, ("counsel",)), "settled")
    assert refused.value.code == code


async def test_releasing_twice_is_releasing_once() -> None:
    retention = RetentionUnderTest()
    await retention.apply(created("r1"))
    await retention.holding.place(hold(query=POTHOLES), COUNSEL)
    first = await retention.holding.release("h1", RAUL, "settled")
    assert await retention.holding.release("h1", Caller("rosa", ("counsel",)), "again") == first
    assert retention.names("r1") == ["hold.placed", "hold.released"]


async def test_the_same_hold_asked_for_twice_is_one() -> None:
    retention = RetentionUnderTest()
    await retention.apply(created("r1"))
    first = await retention.holding.place(hold(query=POTHOLES), COUNSEL)
    again = await retention.holding.place(hold(record_ids=("other",)), COUNSEL)
    assert again == first
    assert retention.holds.fence == 1


async def test_a_hold_lists_the_records_for_which_it_comes_too_late() -> None:
    retention = RetentionUnderTest()
    await retention.eligible("r1", "r2")
    await retention.ordered("r1")
    found = await retention.holding.place(hold(query=POTHOLES), COUNSEL)
    assert found.too_late == ("r1",)
    assert retention.record("r1").holds == ()
    assert retention.record("r2").holds == ("h1",)


async def test_what_was_written_meanwhile_is_found_when_the_hold_settles() -> None:
    retention = RetentionUnderTest()
    await retention.holding.place(hold(query=POTHOLES), COUNSEL)
    # Written by somebody who had read the fence before it was raised.
    await retention.processor.change("r1", retention.ids.new(), _as_of_an_older_fence)
    assert retention.record("r1").holds == ()
    await retention.holding.step()
    assert retention.record("r1").holds == ()
    retention.clock.advance(SETTLE_FOR)
    await retention.holding.step()
    assert retention.record("r1").holds == ("h1",)
    assert retention.holds.holds["h1"].settle_at is None


NAMES = st.lists(
    st.sampled_from(
        ["city", "Town", "VILLAGE", "of", "Miami", "miami", "beach", "Opa-locka", "1", "_", "St."]
    ),
    max_size=6,
).map(" ".join)


@given(NAMES, NAMES)
def test_the_database_knows_the_same_names_of_a_municipality(asked: str, known: str) -> None:
    found = re.search(name_pattern(asked), known, re.IGNORECASE) is not None
    assert found is same_place(asked, known)


async def _as_of_an_older_fence(state: InventoryRecord) -> Change[InventoryRecord]:
    return Change(state.model_copy(update={"service_code": "POTHOLE", "received_at": START}))


async def test_a_large_hold_is_carried_on_by_the_loop() -> None:
    retention = RetentionUnderTest()
    await retention.apply(*(created(f"r{number}") for number in range(450)))
    found = await retention.holding.place(hold(query=POTHOLES), COUNSEL, chunks=1)
    assert found.state == "placing"
    assert sum(bool(retention.record(f"r{number}").holds) for number in range(450)) == 200
    await retention.holding.step()
    assert retention.holds.holds["h1"].state == "in_force"
    assert all(retention.record(f"r{number}").holds for number in range(450))


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ({"service_codes": ("POTHOLE", "X")}, True),
        ({"service_codes": ("X",)}, False),
        ({"municipality": "hialeah"}, True),
        ({"municipality": "City of Hialeah"}, True),
        ({"municipality": "HIALEAH"}, True),
        ({"municipality": "Hialeah Gardens"}, False),
        ({"municipality": "miami"}, False),
        ({"department": "parks"}, True),
        ({"department": "parks", "municipality": "miami"}, False),
        ({"since": START}, True),
        ({"until": START}, False),
        (
            {"since": datetime(2026, 1, 1, tzinfo=UTC), "until": datetime(2026, 4, 1, tzinfo=UTC)},
            True,
        ),
    ],
)
async def test_a_query_matches_what_fits_it_in_everything(
    query: dict[str, object], fits: bool
) -> None:
    record = InventoryRecord(
        record_id="r1",
        service_code="POTHOLE",
        municipality="hialeah",
        department="parks",
        received_at=START,
    )
    assert HoldQuery.model_validate(query).matches(record) is fits
    unknown = InventoryRecord(record_id="r2")
    assert not HoldQuery.model_validate(query).matches(unknown)
