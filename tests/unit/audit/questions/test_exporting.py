"""Exports: counted first, written down, then streamed batch by batch, and taken up again."""

import json
from collections.abc import Sequence
from datetime import timedelta

import pytest

from direct311.audit.entry import Filter
from direct311.audit.questions.handlers import audited_query
from direct311.audit.questions.handlers.export import ExportStream
from direct311.runtime.access.ledger import AuditUnavailableError
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.problem_codes import status_of
from direct311.verifier.bundle import verify_bundle
from tests.unit.audit.audit_under_test import ASKING, TRUST, AuditUnderTest, whole
from tests.unit.audit.events import OTHER, RECORD, START, THIRD, Producer, producers

pytestmark = pytest.mark.anyio


@pytest.fixture
async def audit(monkeypatch: pytest.MonkeyPatch) -> AuditUnderTest:
    """Fifty entries, which are read seven at a time."""
    monkeypatch.setattr(audited_query, "BATCH", 7)
    audit = AuditUnderTest()
    await audit.log(
        *(
            Producer().access(
                (RECORD, OTHER, THIRD)[number % 3],
                actor=f"agent-{number % 4}",
                exempt_until=START + timedelta(days=1) if number % 10 == 9 else None,
            )
            for number in range(50)
        )
    )
    return audit


async def indexes(export_stream: ExportStream) -> list[int]:
    return [each.row.index async for batch in export_stream.batches for each in batch]


async def test_all_that_fits_comes_once_and_in_order(audit: AuditUnderTest) -> None:
    export_stream = await audit.exporting.export(ASKING, Filter())
    assert (export_stream.entries, export_stream.withheld, export_stream.size) == (50, 5, 50)
    assert await indexes(export_stream) == list(range(50))
    some = await audit.exporting.export(ASKING, Filter(actor="agent-1"))
    found = await indexes(some)
    # Entry 9, 29 and 49 are agent-1's and withheld: a question about who does not find them.
    assert found == [n for n in range(50) if n % 4 == 1 and n % 10 != 9]
    assert some.entries == len(found)


async def test_the_event_comes_first_and_each_batch_is_fetched_under_it(
    audit: AuditUnderTest,
) -> None:
    export_stream = await audit.exporting.export(ASKING, Filter(record_ids=(RECORD,)))
    (event,) = audit.access_log.events()
    assert (event.action, event.what.result_count) == ("export", 17)
    assert audit.keys.fetches == []
    await anext(export_stream.batches)
    assert {name for _, name in audit.keys.fetches} == {export_stream.access_event}
    assert len(audit.keys.fetches) == 1
    await indexes(export_stream)
    assert len(audit.keys.fetches) == 3


async def test_an_export_that_broke_off_is_taken_up_where_it_was(audit: AuditUnderTest) -> None:
    first = await audit.exporting.export(ASKING, Filter())
    got = [each.row.index for each in await anext(first.batches)]
    await first.batches.aclose()
    await audit.log(*(Producer().access(RECORD) for _ in range(5)))
    again = await audit.exporting.export(ASKING, Filter(), after=got[-1], size=first.size)
    assert again.entries == 50 - len(got)
    assert got + await indexes(again) == list(range(50))
    assert (await audit.exporting.export(ASKING, Filter(), size=0)).size == 0
    with pytest.raises(RefusedError) as refused:
        await audit.exporting.export(ASKING, Filter(), size=1_000)
    assert (status_of(refused.value), refused.value.field) == (422, "size")


async def test_a_reader_who_hangs_up_leaves_no_work(audit: AuditUnderTest) -> None:
    export_stream = await audit.exporting.export(ASKING, Filter())
    await anext(export_stream.batches)
    fetched = len(audit.keys.fetches)
    await export_stream.batches.aclose()
    assert [batch async for batch in export_stream.batches] == []
    assert len(audit.keys.fetches) == fetched


async def test_without_the_event_nothing_is_exported(audit: AuditUnderTest) -> None:
    audit.access_log.down = True
    with pytest.raises(AuditUnavailableError):
        await audit.exporting.export(ASKING, Filter())
    assert audit.keys.fetches == []


async def test_who_saw_a_person_says_who_when_and_why(audit: AuditUnderTest) -> None:
    audit.people.records["maria"] = [RECORD, THIRD]
    found = await audit.exporting.who_saw(ASKING, {"name": "maria"}, "Bearer t", Filter())
    assert list(found.record_ids) == [RECORD, THIRD]
    assert {group.key[0] for group in found.actors} == {f"agent-{n}" for n in range(4)}
    assert sum(group.count for group in found.actors) + found.export_stream.withheld == 33
    assert found.export_stream.entries == 33
    assert await indexes(found.export_stream) == [n for n in range(50) if n % 3 != 1]
    assert audit.people.asked == [({"name": "maria"}, "Letter 12", "Bearer t")]
    assert "maria" not in "".join(each.message.body.decode() for each in audit.access_log.entries)


async def test_a_persons_answer_can_be_narrowed_to_one_record(audit: AuditUnderTest) -> None:
    audit.people.records["maria"] = [RECORD, THIRD]
    person = {"name": "maria"}
    found = await audit.exporting.who_saw(ASKING, person, "t", Filter(record_ids=(THIRD,)))
    assert list(found.record_ids) == [THIRD]
    assert await indexes(found.export_stream) == [n for n in range(50) if n % 3 == 2]
    # Somebody else's record is none of hers.
    other = await audit.exporting.who_saw(ASKING, person, "t", Filter(record_ids=(OTHER,)))
    assert (list(other.record_ids), other.export_stream.entries) == ([], 0)
    _, page = await audit.reading.person(ASKING, person, "t", Filter(record_ids=(OTHER,)), limit=9)
    assert list(page.entries) == []


async def test_whom_nobody_knows_nobody_saw(audit: AuditUnderTest) -> None:
    found = await audit.exporting.who_saw(ASKING, {"name": "nobody"}, "t", Filter())
    assert (list(found.record_ids), found.export_stream.entries) == ([], 0)
    assert await indexes(found.export_stream) == []
    about: Sequence[str] = await audit.exporting.records_of(
        ASKING, {"name": "nobody"}, "t", Filter()
    )
    data = await whole(await audit.reading.bundle(ASKING, Filter(), about=about))
    assert json.loads(data)["receipts"] == []


async def test_who_saw_a_person_as_a_bundle_verifies_offline(audit: AuditUnderTest) -> None:
    audit.people.records["maria"] = [OTHER]
    about = await audit.exporting.records_of(ASKING, {"name": "maria"}, "t", Filter())
    data = await whole(await audit.reading.bundle(ASKING, Filter(), about=about))
    report = verify_bundle(data, TRUST, producers())
    assert report.ok, report.text
    receipts = json.loads(data)["receipts"]
    assert [each["index"] for each in receipts] == [n for n in range(50) if n % 3 == 1]
    assert [each["index"] for each in receipts if each["event"] is None] == [19, 49]
