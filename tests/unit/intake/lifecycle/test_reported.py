"""A step of a department's work becomes a status that residents and Open311 know."""

from typing import Any

import pytest

from direct311.schemas import events as ev
from tests.support.runtime import NOW
from tests.unit.intake.lifecycle.test_ordered import REQUEST, Intake

pytestmark = pytest.mark.anyio


def reported(version: int, status: ev.RequestStatus, **said: Any) -> ev.WorkUpdatedV2:
    fields = {"step": "acknowledged", "occurred_at": NOW, "accepted_at": NOW}
    return ev.WorkUpdatedV2.model_validate(
        {
            "record_id": REQUEST,
            "version": version,
            "update_id": str(version),
            "department": "public_works",
            "status": status,
            **fields,
            **said,
        }
    )


@pytest.mark.parametrize(
    "status", ["routed", "in_progress", "on_hold", "referred", "duplicate", "fixed", "closed"]
)
async def test_another_status_is_the_requests_and_a_line_of_its_history(
    status: ev.RequestStatus,
) -> None:
    intake = Intake()
    await intake.take_in()
    before = intake.request()
    assert await intake.hears(reported(9, status)) == []
    after = intake.request()
    assert after.status == status
    changed = status != before.status
    assert len(after.notes) == len(before.notes) + changed
    assert (after.closed_at is not None) == (status in ("duplicate", "fixed", "closed"))


async def test_a_public_note_is_a_line_and_an_internal_one_is_none() -> None:
    intake = Intake()
    await intake.take_in()
    before = intake.request()
    note = reported(9, before.status, step="note", note="We come on Monday.")
    inside = reported(10, before.status, step="note", note_for="internal")
    assert await intake.hears(note, inside) == []
    after = intake.request()
    assert [each.text for each in after.notes[len(before.notes) :]] == ["We come on Monday."]
    assert after.closed_at == before.closed_at


async def test_a_note_after_the_end_does_not_end_it_again() -> None:
    intake = Intake()
    await intake.take_in()
    assert await intake.hears(reported(9, "fixed", step="resolved")) == []
    ended = intake.request().closed_at
    late = reported(10, "fixed", step="note", note="Thank you.", accepted_at="2027-01-01T00:00:00Z")
    assert await intake.hears(late) == []
    assert (intake.request().status, intake.request().closed_at) == ("fixed", ended)


async def test_versions_one_and_two_keep_one_order() -> None:
    intake = Intake()
    await intake.take_in()
    old = ev.WorkUpdated(
        record_id=REQUEST,
        version=9,
        update_id="9",
        department="public_works",
        status="in_progress",
        occurred_at=NOW,
        accepted_at=NOW,
    )
    assert await intake.hears(reported(10, "fixed", step="resolved"), old) == []
    assert intake.request().status == "fixed"
