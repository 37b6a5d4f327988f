"""A certificate once every holder but audit has answered; a supplement once audit has."""

import json
from datetime import date, timedelta
from hashlib import sha256

import pytest

from direct311.retention.certificates import domain
from direct311.retention.record import ReleasedWith
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.problem_codes import status_of
from tests.unit.retention.fakes import COUNSEL, FOUR, LONG_AGO, KilledError, RetentionUnderTest

pytestmark = pytest.mark.anyio


async def ordered(retention: RetentionUnderTest) -> str:
    """Two complaints and one work order, ordered."""
    await retention.eligible("r1", "r2")
    await retention.eligible("r3", service_code="ROAD-POTHOLE")
    order = await retention.ordered("r1", "r2", "r3")
    return order.disposition_id


@pytest.mark.policy("P14")
async def test_a_certificate_has_the_six_fields_and_what_stands_behind_them() -> None:
    retention = RetentionUnderTest()
    order_id = await ordered(retention)
    order = retention.dispositions.sets[order_id]
    await retention.certification.step()
    assert not retention.certificates.documents
    retention.clock.advance(timedelta(hours=1))
    await retention.answered(order, *FOUR)
    await retention.certification.step()
    found = retention.dispositions.sets[order_id]
    assert found.status == "certified"
    complaints, work_orders = [
        (await retention.certification.certificate(each))[0] for each in found.certificate_ids
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
    assert complaints.recoverable_until == retention.clock.at + timedelta(days=35)
    assert complaints.audit_part_on == date(2026, 3, 17)
    assert (complaints.custodian, complaints.records_officer) == ("carla", "raul")
    assert complaints.set_hash == order.set_hash
    assert complaints.record_ids == ("r1", "r2")
    assert {(each.record_id, each.holder) for each in complaints.receipts} == {
        (record_id, holder) for record_id in ("r1", "r2") for holder in FOUR
    }
    kept = {each.event_id: each.sha256 for each in retention.record("r1").receipts}
    assert kept.items() <= {each.event_id: each.sha256 for each in complaints.receipts}.items()


async def test_the_inclusive_dates_go_to_the_closing_of_the_last_case() -> None:
    retention = RetentionUnderTest()
    await retention.eligible("r1")
    await retention.outcomes.add(COUNSEL, "r1", "litigation", retention.ids.new(), date(2017, 5, 4))
    await retention.expiry.step()
    order = await retention.ordered("r1")
    await retention.answered(order, *FOUR)
    await retention.certification.step()
    await retention.answered(order, "audit")
    await retention.certification.step()
    found = retention.dispositions.sets[order.disposition_id]
    for each in (*found.certificate_ids, *found.supplement_ids):
        content, _ = await retention.certification.certificate(each)
        assert content.inclusive_dates == (date(2015, 6, 1), date(2017, 5, 4))
    assert len(found.supplement_ids) == 1


async def test_a_reader_can_compute_the_hash_from_the_json_alone() -> None:
    retention = RetentionUnderTest()
    order_id = await ordered(retention)
    await retention.answered(retention.dispositions.sets[order_id], *FOUR)
    await retention.certification.step()
    for announced in retention.announced():
        content, digest = await retention.certification.certificate(announced.certificate_id)
        shown = json.loads(content.model_dump_json(exclude_none=True))
        text = json.dumps(shown, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert sha256(text.encode()).hexdigest() == digest == announced.sha256


async def test_of_a_certified_record_stay_id_items_and_dates() -> None:
    retention = RetentionUnderTest()
    order_id = await ordered(retention)
    await retention.answered(retention.dispositions.sets[order_id], *FOUR)
    await retention.certification.step()
    record = retention.record("r3")
    assert record.stage == "certified"
    assert record.certificate_id == retention.dispositions.sets[order_id].certificate_ids[1]
    assert (record.service_code, record.municipality, record.department) == (None, None, None)
    assert (record.items, record.received_at) == ((94, 141), LONG_AGO)


async def test_one_holder_that_has_not_answered_for_one_record_delays_all() -> None:
    retention = RetentionUnderTest()
    order_id = await ordered(retention)
    order = retention.dispositions.sets[order_id]
    await retention.answered(order, "intake", "media", "geo", "audit")
    shorter = order.model_copy(update={"records": order.records[:2]})
    await retention.answered(shorter, "routing")
    await retention.certification.step()
    assert retention.dispositions.sets[order_id].status == "ordered"
    assert retention.announced() == []
    await retention.answered(order, "routing")
    await retention.certification.step()
    assert retention.dispositions.sets[order_id].status == "certified"


async def test_audit_makes_a_supplement() -> None:
    retention = RetentionUnderTest()
    order_id = await ordered(retention)
    order = retention.dispositions.sets[order_id]
    await retention.answered(order, *FOUR)
    await retention.certification.step()
    await retention.certification.step()
    assert len(retention.announced()) == 2
    retention.clock.advance(timedelta(days=15))
    await retention.answered(order, "audit")
    await retention.certification.step()
    found = retention.dispositions.sets[order_id]
    assert found.status == "closed"
    content, _ = await retention.certification.certificate(found.supplement_ids[0])
    assert content.supplement_to == found.certificate_ids[0]
    assert content.disposed_on == date(2026, 3, 17)
    assert content.audit_part_on is None
    assert {each.holder for each in content.receipts} == {"audit"}
    supplements = [each for each in retention.announced() if each.supplement_to]
    assert [each.supplement_to for each in supplements] == list(found.certificate_ids)


@pytest.mark.parametrize("die_at", range(1, 4))
async def test_a_crash_between_certificate_and_records_makes_no_second_one(die_at: int) -> None:
    retention = RetentionUnderTest()
    order_id = await ordered(retention)
    await retention.answered(retention.dispositions.sets[order_id], *FOUR)
    retention.records.die_at = retention.records.writes + die_at
    with pytest.raises(KilledError):
        await retention.certification.step()
    before = {key: write.state for key, write in retention.certificates.documents.items()}
    assert len(before) == 2
    retention.clock.advance(timedelta(minutes=5))
    retention.start()
    await retention.certification.step()
    assert {key: write.state for key, write in retention.certificates.documents.items()} == before
    assert len(retention.announced()) == 2
    assert {retention.record(key).stage for key in ("r1", "r2", "r3")} == {"certified"}
    assert retention.dispositions.sets[order_id].status == "certified"


async def test_the_statement_of_a_fiscal_year_has_its_quantities_by_item() -> None:
    retention = RetentionUnderTest()
    order_id = await ordered(retention)
    await retention.answered(retention.dispositions.sets[order_id], *FOUR)
    await retention.certification.step()
    statement = await retention.certification.statement(2026, "raul")
    assert (statement.first_on, statement.last_on) == (date(2025, 10, 1), date(2026, 9, 30))
    assert [(each.item_number, each.records, each.files) for each in statement.quantities] == [
        ("94", 2, 4),
        ("141", 1, 2),
    ]
    assert statement.prepared_by == "raul"
    assert (await retention.certification.statement(2025, "raul")).quantities == ()


async def test_a_certificate_lists_the_cases_with_which_its_records_went_out() -> None:
    retention = RetentionUnderTest()
    order_id = await ordered(retention)
    # One case file still exists; that of the other was destroyed, and its record remembers.
    retention.releases.all = [
        (record_id, ReleasedWith(case_id="case-b", package="b" * 64)) for record_id in ("r2", "r1")
    ]
    await retention.answered(retention.dispositions.sets[order_id], "intake", "media", "geo")
    remembering = retention.case_files
    await remembering.went_out("case-a", {"r2": "a" * 64, "unknown": "a" * 64})
    await remembering.went_out("case-a", {"r2": "a" * 64})
    await retention.answered(retention.dispositions.sets[order_id], "routing")
    await retention.certification.step()
    found = retention.dispositions.sets[order_id]
    complaints, work_orders = [
        (await retention.certification.certificate(each))[0] for each in found.certificate_ids
    ]
    assert complaints.releases is not None
    assert [(each.reference, each.package[0], each.record_ids) for each in complaints.releases] == [
        ("case case-a", "a", ("r2",)),
        ("case case-b", "b", ("r1", "r2")),
    ]
    assert work_orders.releases is None
    assert retention.record("r2").released_with == ()
    assert "unknown" not in retention.records.documents


def test_a_certificate_from_before_has_the_hash_that_it_had() -> None:
    content = domain.Content.model_validate_json(BEFORE)
    assert content.releases is None
    text = json.dumps(json.loads(BEFORE), sort_keys=True, separators=(",", ":"))
    assert domain.digest(content) == sha256(text.encode()).hexdigest()


BEFORE = """{
    "certificate_id": "c", "order_id": "o", "citation": "Rule", "schedule_number": "GS1-SL",
    "item_number": "94", "series_title": "COMPLAINTS", "manner": "shredded",
    "inclusive_dates": ["2015-06-01", "2015-06-10"], "volume_records": 1, "volume_files": 2,
    "volume_bytes": 3, "disposed_on": "2026-03-02", "recoverable_until": "2026-04-06T17:00:00Z",
    "custodian": "carla", "proposed_at": "2026-03-02T17:00:00Z", "records_officer": "raul",
    "approved_at": "2026-03-02T17:00:00Z", "set_hash": "s", "record_ids": ["r1"], "receipts": [],
    "certified_at": "2026-03-02T17:00:00Z"
}"""


async def test_there_is_no_certificate_that_was_not_issued() -> None:
    with pytest.raises(RefusedError) as refused:
        await RetentionUnderTest().certification.certificate("nothing")
    assert status_of(refused.value) == 404
