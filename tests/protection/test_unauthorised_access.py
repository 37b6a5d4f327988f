"""Unauthorised access: no role, no assignment, no reason, no entry; each try is in the log."""

import pytest

from tests.protection.traces import refusal
from tests.support.county import County
from tests.support.submissions import submission

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P21")]


@pytest.mark.parametrize(
    ("role", "name", "rule"),
    [
        ("admin", "intruder-admin", "refused:role"),
        ("auditor", "intruder-auditor", "refused:role"),
        ("department:parks", "intruder-parks", "refused:assigned"),
    ],
)
async def test_a_caller_without_the_right_is_refused_and_named(
    county: County, role: str, name: str, rule: str
) -> None:
    fields = submission(710)
    record_id = await county.accepted(fields)
    answer = await county.read_contact(record_id, role, name)
    assert answer.status_code == 403
    assert fields["phone"] not in answer.text
    entry = await refusal(county, name, rule)
    assert entry["record_ids"] == [record_id]


async def test_an_emergency_without_a_reason_is_none(county: County) -> None:
    record_id = await county.accepted(submission(711))
    answer = await county.read_contact(
        record_id,
        "emergency",
        "intruder-noa",
        purpose="emergency_assistance",
        justification="urgent!",
    )
    assert (answer.status_code, answer.json()["field"]) == (422, "justification")
    await refusal(county, "intruder-noa", "refused:justification")
