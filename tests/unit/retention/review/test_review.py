"""Two persons, one exact set; what is held or has changed since is left out with its reason."""

from collections.abc import Awaitable
from datetime import date, timedelta

import pytest

from direct311.retention.holds.domain import Hold, HoldQuery
from direct311.retention.review.domain import Disposition
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.problem_codes import status_of
from direct311.schemas import events as ev
from tests.unit.retention.fakes import (
    CARLA,
    COUNSEL,
    RAUL,
    START,
    KilledError,
    RetentionUnderTest,
    created,
    updated,
)

pytestmark = pytest.mark.anyio


def litigation(hold_id: str = "h1", **scope: object) -> Hold:
    return Hold(
        hold_id=hold_id,
        name="suit",
        kind="litigation",
        authority="26-1",
        placed_by="cole",
        placed_at=START,
        **scope,
    )


async def proposed(retention: RetentionUnderTest, *record_ids: str) -> Disposition:
    return await retention.review.propose(CARLA, record_ids or None, 500, None)


async def approve(retention: RetentionUnderTest, made: Disposition) -> Disposition:
    assert made.set_hash is not None
    return await retention.review.approve(made.disposition_id, RAUL, made.set_hash)


def left_out(disposition: Disposition) -> dict[str, str]:
    return {each.record_id: each.reason for each in disposition.left_out}


@pytest.mark.policy("P14")
async def test_two_persons_order_the_destruction_of_an_exact_set() -> None:
    retention = RetentionUnderTest()
    await retention.eligible("r1", "r2", "r3")
    made = await proposed(retention, "r1", "r2")
    assert made.status == "proposed"
    assert [each.record_id for each in made.records] == ["r1", "r2"]
    assert retention.record("r1").stage == "in_review"
    done = await approve(retention, made)
    assert (done.status, done.custodian, done.records_officer) == ("ordered", "carla", "raul")
    assert retention.record("r3").stage == "eligible"
    for record_id in ("r1", "r2"):
        order = retention.said(record_id)[-1].data
        assert isinstance(order, ev.DispositionOrdered)
        assert order.order_id == made.disposition_id
        assert order.holders == ("intake", "media", "geo", "routing", "audit")
        assert (order.custodian, order.records_officer) == ("carla", "raul")
        assert order.version == retention.record(record_id).version


async def test_without_a_list_the_queue_is_proposed_up_to_the_limit_without_what_is_held() -> None:
    retention = RetentionUnderTest()
    await retention.eligible("r1", "r2", "r3", "r4")
    await retention.holding.place(litigation(record_ids=("r1",)), COUNSEL)
    made = await retention.review.propose(CARLA, None, 2, None)
    assert [each.record_id for each in made.records] == ["r2", "r3"]


async def test_nobody_approves_what_he_proposed() -> None:
    retention = RetentionUnderTest()
    await retention.eligible("r1")
    made = await proposed(retention, "r1")
    with pytest.raises(RefusedError) as refused:
        await retention.review.approve(made.disposition_id, CARLA, made.set_hash or "")
    assert (status_of(refused.value), refused.value.code) == (403, "same_person")
    assert retention.record("r1").stage == "in_review"


async def test_another_hash_than_that_of_the_set_approves_nothing() -> None:
    retention = RetentionUnderTest()
    await retention.eligible("r1")
    made = await proposed(retention, "r1")
    with pytest.raises(RefusedError) as refused:
        await retention.review.approve(made.disposition_id, RAUL, "0" * 64)
    assert refused.value.code == "set_hash"
    assert retention.record("r1").stage == "in_review"


async def test_a_set_is_decided_once() -> None:
    retention = RetentionUnderTest()
    await retention.eligible("r1")
    made = await proposed(retention, "r1")
    await approve(retention, made)
    with pytest.raises(RefusedError) as refused:
        await approve(retention, made)
    assert refused.value.code == "status"
    with pytest.raises(RefusedError):
        await retention.review.reject(made.disposition_id, RAUL, "second thoughts")
    assert retention.names("r1").count("disposition.ordered") == 1


async def test_what_was_approved_is_not_ordered_while_no_events_are_taken_in() -> None:
    retention = RetentionUnderTest()
    await retention.eligible("r1")
    made = await proposed(retention, "r1")
    # The process that took the approval died before it ordered.
    left = {"status": "ordering", "records_officer": "raul", "decided_at": START}
    assert await retention.dispositions.replace(made.model_copy(update=left))
    retention.stopped = True
    await retention.review.step()
    assert retention.record("r1").stage == "in_review"
    retention.stopped = False
    await retention.review.step()
    assert retention.record("r1").stage == "ordered"


async def test_what_cannot_be_proposed_is_left_out_with_its_reason() -> None:
    retention = RetentionUnderTest()
    await retention.eligible("r1", "r2", "r3")
    await retention.apply(created("r4"))
    await retention.holding.place(litigation(record_ids=("r2",)), COUNSEL)
    await proposed(retention, "r3")
    made = await proposed(retention, "r1", "r2", "r3", "r4", "r5")
    assert [each.record_id for each in made.records] == ["r1"]
    assert left_out(made) == {
        "r2": "held",
        "r3": "in_other_set",
        "r4": "not_eligible",
        "r5": "unknown",
    }
    assert "r5" not in retention.records.documents


async def test_a_set_of_nothing_is_refused() -> None:
    retention = RetentionUnderTest()
    await retention.apply(created("r1"))
    with pytest.raises(RefusedError) as refused:
        await proposed(retention, "r1")
    assert refused.value.code == "nothing_to_propose"
    with pytest.raises(RefusedError):
        await proposed(retention)


@pytest.mark.policy("P14")
async def test_what_is_held_or_has_changed_since_is_not_ordered() -> None:
    retention = RetentionUnderTest()
    await retention.eligible("r1", "r2", "r3", "r4")
    made = await proposed(retention, "r1", "r2", "r3", "r4")
    await retention.holding.place(litigation(record_ids=("r1",)), COUNSEL)
    await retention.apply(updated("r2", 3))
    await retention.apply(updated("r3", 3, closed_at=START - timedelta(days=4000)))
    done = await approve(retention, made)
    assert done.status == "ordered"
    assert left_out(done) == {"r1": "held", "r2": "changed", "r3": "changed"}
    stages = {key: retention.record(key).stage for key in ("r1", "r2", "r3", "r4")}
    assert stages == {"r1": "eligible", "r2": "active", "r3": "active", "r4": "ordered"}
    assert retention.record("r1").order_id is None


async def test_a_hold_whose_fence_was_raised_is_seen_before_it_is_written() -> None:
    retention = RetentionUnderTest()
    await retention.eligible("r1", "r2")
    made = await proposed(retention, "r1", "r2")
    # The placing stopped right after the fence: no record knows of the hold.
    hold = await retention.holds.add(litigation(query=HoldQuery(service_codes=("POTHOLE",))), ())
    fence = await retention.holds.raise_fence(("hold", hold.hold_id))
    await retention.holds.replace(hold.model_copy(update={"fence": fence}))
    done = await approve(retention, made)
    assert done.status == "closed"
    assert left_out(done) == {"r1": "held", "r2": "held"}
    assert retention.names("r1") == ["record.expired", "hold.placed"]


async def test_a_rejected_set_goes_back_in_line() -> None:
    retention = RetentionUnderTest()
    await retention.eligible("r1")
    made = await proposed(retention, "r1")
    done = await retention.review.reject(made.disposition_id, RAUL, "wrong series")
    assert (done.status, done.decided_by, done.decision_reason) == (
        "rejected",
        "raul",
        "wrong series",
    )
    assert retention.record("r1").stage == "eligible"
    assert (await proposed(retention, "r1")).status == "proposed"


async def test_a_day_in_the_future_is_refused_in_production() -> None:
    retention = RetentionUnderTest(ahead=False)
    await retention.eligible("r1")
    with pytest.raises(RefusedError) as refused:
        await retention.review.propose(CARLA, ["r1"], 500, date(2030, 1, 1))
    assert refused.value.code == "as_of_in_future"
    assert (await proposed(retention, "r1")).as_of == date(2026, 3, 2)


async def test_on_a_test_system_the_set_says_up_to_which_day_it_looks_ahead() -> None:
    retention = RetentionUnderTest()
    await retention.apply(created("r1"), updated("r1", 2, closed_at=START))
    await retention.expiry.run(date(2040, 1, 1))
    made = await proposed(retention, "r1")
    assert made.as_of == date(2027, 3, 2)
    assert (await approve(retention, made)).status == "ordered"


@pytest.mark.parametrize("act", ["propose", "approve", "reject"])
async def test_whatever_write_the_process_dies_at_the_set_is_carried_on(act: str) -> None:
    for die_at in range(1, 4):
        retention = RetentionUnderTest()
        await retention.eligible("r1", "r2", "r3")
        made = None
        if act != "propose":
            made = await proposed(retention, "r1", "r2", "r3")
        retention.records.die_at = retention.records.writes + die_at
        if made is None:
            step: Awaitable[Disposition] = proposed(retention, "r1", "r2", "r3")
        elif act == "approve":
            step = approve(retention, made)
        else:
            step = retention.review.reject(made.disposition_id, RAUL, "no")
        with pytest.raises(KilledError):
            await step
        retention.start()
        await retention.review.step()
        (found,) = retention.dispositions.sets.values()
        stages = {retention.record(key).stage for key in ("r1", "r2", "r3")}
        wanted = {
            "propose": ("proposed", "in_review"),
            "approve": ("ordered", "ordered"),
            "reject": ("rejected", "eligible"),
        }[act]
        assert (found.status, *stages) == wanted
        assert found.left_out == ()
        for key in ("r1", "r2", "r3"):
            assert retention.names(key).count("disposition.ordered") == (act == "approve")
