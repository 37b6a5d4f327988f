"""Open cases against ordering destruction, on a real retention service, killed in between."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from deploy.local.stack import Stack
from tests.support.county import County, Document, entering, until
from tests.support.stacks import stack_of_its_own
from tests.wire.test_retention import eligible, new_id, ordered, record

pytestmark = [pytest.mark.wire, pytest.mark.anyio]


@pytest.fixture(scope="module")
def retention(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own: a case without bounds stops the destruction of everything."""
    with stack_of_its_own(tmp_path_factory.mktemp("cases") / "s", services=False) as stack:
        stack.start("retention")
        stack.wait_ready("retention")
        yield stack


@pytest.fixture
async def world(retention: Stack) -> AsyncIterator[County]:
    async with entering(retention) as county:
        yield county


async def opened(world: County, **bounds: object) -> str:
    order = {"kind": "public_records", "request": "all reports of potholes", **bounds}
    made = await world.post("retention", "/v1/cases", order, "custodian", "carla")
    return str(made["case_id"])


async def withdrawn(world: County, case_id: str) -> None:
    path = f"/v1/cases/{case_id}/close"
    await world.post("retention", path, {"outcome": "withdrawn"}, "custodian", "carla")

    async def ended() -> bool:
        with world.database() as database:
            found = database["retention"]["cases"].find_one({"_id": case_id})
        return bool(found and found["provisional"]["state"] == "ended")

    await until(ended, "the provisional hold has ended")


async def proposed(world: County, *record_ids: str) -> Document:
    body = {"record_ids": record_ids}
    return dict(await world.post("retention", "/v1/dispositions", body, "custodian", "carla"))


async def approved(world: County, made: Document) -> Document:
    path = f"/v1/dispositions/{made['disposition_id']}/approve"
    body = {"set_hash": made["set_hash"]}
    return dict(await world.post("retention", path, body, "records_officer", "raul"))


def left_out(made: Document) -> dict[str, str]:
    return {each["record_id"]: each["reason"] for each in made["left_out"]}


@pytest.mark.policy("P13", "P14")
async def test_an_order_inside_the_bounds_of_an_open_case_is_left_out_and_outside_it_goes_through(
    world: County,
) -> None:
    inside, outside, later = new_id(), new_id(), new_id()
    await eligible(world, inside, outside, later)
    made = await proposed(world, inside, outside)
    case_id = await opened(world, bounds={"record_ids": [inside]})
    done = await approved(world, made)
    assert left_out(done) == {inside: "case_open"}
    assert (await record(world, outside))["state"] == "ordered"
    # The process dies; the case is not forgotten.
    await asyncio.to_thread(world.stack.kill9, "retention")
    world.stack.start("retention")
    await asyncio.to_thread(world.stack.wait_ready, "retention")
    made = await proposed(world, inside, later)
    assert left_out(made) == {inside: "case_open"}
    await withdrawn(world, case_id)
    assert left_out(await ordered(world, inside)) == {}
    assert (await record(world, inside))["state"] == "ordered"


async def test_a_case_whose_process_died_at_its_opening_is_not_lost(world: County) -> None:
    """Opening is cut off at different moments. Whatever was written stops destruction."""
    for pause in (0.0, 0.01, 0.03):
        record_id = new_id()
        await eligible(world, record_id)
        made = await proposed(world, record_id)
        opening = asyncio.create_task(opened(world, bounds={"record_ids": [record_id]}))
        await asyncio.sleep(pause)
        await asyncio.to_thread(world.stack.kill9, "retention")
        await asyncio.gather(opening, return_exceptions=True)
        world.stack.start("retention")
        await asyncio.to_thread(world.stack.wait_ready, "retention")
        with world.database() as database:
            query = {"provisional.bounds.record_ids": record_id}
            written = database["retention"]["cases"].find_one(query)

        async def settled(record_id: str = record_id) -> bool:
            with world.database() as database:
                query = {"provisional.state": "placing"}
                return database["retention"]["cases"].find_one(query) is None

        await until(settled, "the loop has raised the fence")
        done = await approved(world, made)
        assert left_out(done) == ({record_id: "case_open"} if written else {})


async def test_identified_records_are_held_until_the_law_lets_them_go_and_a_suit_keeps_them(
    world: County,
) -> None:
    """With a request inside 30 days of an ordered destruction: what came too late is named."""
    gone, kept = new_id(), new_id()
    await eligible(world, gone, kept)
    await ordered(world, gone)
    case_id = await opened(world, bounds={"query": {"service_codes": ["POTHOLE"]}})
    path = f"/v1/cases/{case_id}"
    body = {"record_ids": [gone, kept], "complete": True}
    held = await world.post("retention", f"{path}/records", body, "custodian", "carla")
    (hold,) = held["holds"]
    assert (held["provisional"], hold["state"], hold["too_late"]) == (False, "in_force", [gone])
    shown = await world.get("retention", f"/v1/holds/{hold['hold_id']}", "auditor", "ines")
    assert (shown["name"], shown["authority"]) == (f"case {case_id}", f"case {case_id}")
    assert [each["hold_id"] for each in (await record(world, kept))["holds"]] == [hold["hold_id"]]

    release = f"/v1/holds/{hold['hold_id']}/release"
    reason = {"reason": "the thirty days are not over yet"}
    early = await world.ask("POST", "retention", release, "records_officer", "raul", reason)
    assert (early.status_code, early.json()["type"]) == (409, "urn:direct311:problem:hold_period")
    sued = await world.post("retention", f"{path}/suit", None, "custodian", "carla")
    assert sued["holds"][0]["suit_at"]
    refused = await world.ask("POST", "retention", release, "records_officer", "raul", reason)
    assert refused.json()["type"] == "urn:direct311:problem:court_hold"
    reason = {"reason": "the court's order 26-1 CA 01"}
    await world.post("retention", release, reason, "counsel", "cole")
    assert (await record(world, kept))["holds"] == []


async def test_a_case_without_bounds_is_a_task_and_then_an_alarm(world: County) -> None:
    case_id = await opened(world)
    record_id = new_id()
    await eligible(world, record_id)
    refused = await world.ask(
        "POST", "retention", "/v1/dispositions", "custodian", "carla", {"record_ids": [record_id]}
    )
    assert refused.status_code == 409
    assert "case_open" in refused.text
    tasks = await world.get("retention", "/v1/case-tasks", "custodian", "carla")
    # A suit of an earlier test has an answer of its own to wait for.
    unbounded = [each["case_id"] for each in tasks["tasks"] if each["task"] == "set_bounds"]
    assert unbounded == [case_id]
    with world.database() as database:
        cases = database["retention"]["cases"]
        (found,) = cases.find({"_id": case_id})
        long_ago = found["provisional"]["placed_at"].replace(year=2025)
        # As if it had been opened a year ago; the test cannot wait for two business days.
        cases.update_one({"_id": case_id}, {"$set": {"provisional.placed_at": long_ago}})
    url = world.known.services["retention"]

    async def alarmed() -> bool:
        ready = await world.http.get(f"{url}/health/ready")
        metrics = await world.http.get(f"{url}/metrics")
        gauge = "direct311_cases_without_bounds 1.0"
        return ready.status_code == 200 and case_id in ready.text and gauge in metrics.text

    await until(alarmed, "readiness and the metric tell of it")
    path = f"/v1/cases/{case_id}/bounds"
    elsewhere = new_id()
    await eligible(world, elsewhere)
    body = {"record_ids": [elsewhere]}
    put = await world.ask("PUT", "retention", path, "records_officer", "raul", body)
    assert put.status_code == 200, put.text
    await ordered(world, record_id)
    assert (await record(world, record_id))["state"] == "ordered"
