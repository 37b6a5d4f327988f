"""Copying: taking the log or many records away needs a right and a reason, and shows."""

import pytest

from tests.protection.traces import refusal, trace
from tests.support.county import County
from tests.support.submissions import submission

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P21")]


async def test_nobody_but_an_auditor_takes_the_log_away(county: County) -> None:
    record_id = await county.accepted(submission(730))
    body = {"filter": {"record": record_id}, "reference": "COPY-1"}
    answer = await county.ask("POST", "audit", "/v1/bundles", "agent", "copier-1", body)
    assert answer.status_code == 403
    assert record_id not in answer.text
    await refusal(county, "copier-1", "refused:role")


async def test_an_export_without_a_reference_does_not_happen(county: County) -> None:
    record_id = await county.accepted(submission(731))
    body = {"filter": {"record": record_id}}
    answer = await county.ask("POST", "audit", "/v1/bundles", "auditor", "copier-2", body)
    assert (answer.status_code, answer.json()["field"]) == (422, "reference")
    await refusal(county, "copier-2", "refused:reference")


async def test_an_export_that_is_allowed_says_who_took_what_and_why(county: County) -> None:
    record_id = await county.accepted(submission(732))
    assert (await county.read_contact(record_id, "agent", "ana")).status_code == 200
    await trace(county, f"record={record_id}", lambda each: each["actor"] == "ana")
    body = {"filter": {"record": record_id}, "reference": "COPY-3"}
    answer = await county.ask("POST", "audit", "/v1/bundles", "auditor", "copier-3", body)
    assert answer.status_code == 200
    entry = await trace(county, "actor=copier-3", lambda each: each["action"] == "export")
    assert entry["signed_event"]["body"]["why"]["reference"] == "COPY-3"
    assert entry["signed_event"]["body"]["what"]["result_count"] >= 1
