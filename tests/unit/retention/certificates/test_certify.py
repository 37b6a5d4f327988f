"""A certificate once every holder but audit has answered; a supplement once audit has."""

import json
from datetime import date, timedelta
from hashlib import sha256

import pytest

from direct311.runtime.errors import RefusedError
from direct311.runtime.http.problem_codes import status_of
from tests.unit.retention.fakes import COUNSEL, FOUR, LONG_AGO, KilledError, World

pytestmark = pytest.mark.anyio


async def ordered(world: World) -> str:
    """Two complaints and one work order, ordered."""
    await world.eligible("r1", "r2")
    await world.eligible("r3", service_code="ROAD-POTHOLE")
    order = await world.ordered("r1", "r2", "r3")
    return order.disposition_id


@pytest.mark.policy("P14")
async def test_a_certificate_has_the_six_fields_and_what_stands_behind_them() -> None:
    world = World()
    order_id = await ordered(world)
    order = world.dispositions.sets[order_id]
    await world.certification.step()
    assert not world.certificates.documents
    world.clock.advance(timedelta(hours=1))
    await world.answered(order, *FOUR)
    await world.certification.step()
    found = world.dispositions.sets[order_id]
    assert found.status == "certified"
    complaints, work_orders = [
        (await world.certification.certificate(each))[0] for each in found.certificate_ids
    ]
    assert complaints.schedule_number == "GS1-SL"
    assert (complaints.item_number, work_orders.item_number) == ("94", "141")
    assert complaints.series_title == "COMPLAINTS: CITIZENS/CONSUMERS/EMPLOYEES"
    assert complaints.inclusive_dates == (date(2015, 6, 1), date(2015, 6, 10))
    assert complaints.volume_records == 2
    assert complaints.volume_files == 4
    assert complaints.volume_bytes == 2 * 1030
    assert complaints.manner == "key shredded, data deleted"
    assert complaints.disposed_on == date(2026, 3, 2)
    assert complaints.recoverable_until == world.clock.at + timedelta(days=35)
    assert complaints.audit_part_on == date(2026, 3, 17)
    assert (complaints.custodian, complaints.records_officer) == ("carla", "raul")
    assert complaints.set_hash == order.set_hash
    assert complaints.record_ids == ("r1", "r2")
    assert {(each.record_id, each.holder) for each in complaints.receipts} == {
        (record_id, holder) for record_id in ("r1", "r2") for holder in FOUR
    }
    kept = {each.event_id: each.sha256 for each in world.record("r1").receipts}
    assert kept.items() <= {each.event_id: each.sha256 for each in complaints.receipts}.items()


async def test_the_inclusive_dates_go_to_the_closing_of_the_last_case() -> None:
    world = World()
    await world.eligible("r1")
    await world.outcomes.add(COUNSEL, "r1", "litigation", world.ids.new(), date(2017, 5, 4))
    await world.expiry.step()
    order = await world.ordered("r1")
    await world.answered(order, *FOUR)
    await world.certification.step()
    await world.answered(order, "audit")
    await world.certification.step()
    found = world.dispositions.sets[order.disposition_id]
    for each in (*found.certificate_ids, *found.supplement_ids):
        content, _ = await world.certification.certificate(each)
        assert content.inclusive_dates == (date(2015, 6, 1), date(2017, 5, 4))
    assert len(found.supplement_ids) == 1


async def test_a_reader_can_compute_the_hash_from_the_json_alone() -> None:
    world = World()
    order_id = await ordered(world)
    await world.answered(world.dispositions.sets[order_id], *FOUR)
    await world.certification.step()
    for announced in world.announced():
        content, digest = await world.certification.certificate(announced.certificate_id)
        shown = json.loads(content.model_dump_json(exclude_none=True))
        text = json.dumps(shown, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert sha256(text.encode()).hexdigest() == digest == announced.sha256


async def test_of_a_certified_record_stay_id_items_and_dates() -> None:
    world = World()
    order_id = await ordered(world)
    await world.answered(world.dispositions.sets[order_id], *FOUR)
    await world.certification.step()
    record = world.record("r3")
    assert record.stage == "certified"
    assert record.certificate_id == world.dispositions.sets[order_id].certificate_ids[1]
    assert (record.service_code, record.municipality, record.department) == (None, None, None)
    assert (record.items, record.received_at) == ((94, 141), LONG_AGO)


async def test_one_holder_that_has_not_answered_for_one_record_delays_all() -> None:
    world = World()
    order_id = await ordered(world)
    order = world.dispositions.sets[order_id]
    await world.answered(order, "intake", "media", "geo", "audit")
    shorter = order.model_copy(update={"records": order.records[:2]})
    await world.answered(shorter, "routing")
    await world.certification.step()
    assert world.dispositions.sets[order_id].status == "ordered"
    assert world.announced() == []
    await world.answered(order, "routing")
    await world.certification.step()
    assert world.dispositions.sets[order_id].status == "certified"


async def test_audit_makes_a_supplement() -> None:
    world = World()
    order_id = await ordered(world)
    order = world.dispositions.sets[order_id]
    await world.answered(order, *FOUR)
    await world.certification.step()
    await world.certification.step()
    assert len(world.announced()) == 2
    world.clock.advance(timedelta(days=15))
    await world.answered(order, "audit")
    await world.certification.step()
    found = world.dispositions.sets[order_id]
    assert found.status == "closed"
    content, _ = await world.certification.certificate(found.supplement_ids[0])
    assert content.supplement_to == found.certificate_ids[0]
    assert content.disposed_on == date(2026, 3, 17)
    assert content.audit_part_on is None
    assert {each.holder for each in content.receipts} == {"audit"}
    supplements = [each for each in world.announced() if each.supplement_to]
    assert [each.supplement_to for each in supplements] == list(found.certificate_ids)


@pytest.mark.parametrize("die_at", range(1, 4))
async def test_a_crash_between_certificate_and_records_makes_no_second_one(die_at: int) -> None:
    world = World()
    order_id = await ordered(world)
    await world.answered(world.dispositions.sets[order_id], *FOUR)
    world.records.die_at = world.records.writes + die_at
    with pytest.raises(KilledError):
        await world.certification.step()
    before = {key: write.state for key, write in world.certificates.documents.items()}
    assert len(before) == 2
    world.clock.advance(timedelta(minutes=5))
    world.start()
    await world.certification.step()
    assert {key: write.state for key, write in world.certificates.documents.items()} == before
    assert len(world.announced()) == 2
    assert {world.record(key).stage for key in ("r1", "r2", "r3")} == {"certified"}
    assert world.dispositions.sets[order_id].status == "certified"


async def test_the_statement_of_a_fiscal_year_has_its_quantities_by_item() -> None:
    world = World()
    order_id = await ordered(world)
    await world.answered(world.dispositions.sets[order_id], *FOUR)
    await world.certification.step()
    statement = await world.certification.statement(2026, "raul")
    assert (statement.first_on, statement.last_on) == (date(2025, 10, 1), date(2026, 9, 30))
    assert [(each.item_number, each.records, each.files) for each in statement.quantities] == [
        ("94", 2, 4),
        ("141", 1, 2),
    ]
    assert statement.prepared_by == "raul"
    assert (await world.certification.statement(2025, "raul")).quantities == ()


async def test_there_is_no_certificate_that_was_not_issued() -> None:
    with pytest.raises(RefusedError) as refused:
        await World().certification.certificate("nothing")
    assert status_of(refused.value) == 404
