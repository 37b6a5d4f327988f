"""Loss: what was accepted, and that it was read, survives the death of every process."""

import asyncio

import pytest

from tests.protection.traces import trace
from tests.support.county import County, until
from tests.support.submissions import submission

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P21")]


async def test_what_was_accepted_and_read_survives_kill_9(county: County) -> None:
    fields = submission(700)
    record_id = await county.accepted(fields)
    answer = await county.read_contact(record_id, "agent", "lost-1")
    assert answer.status_code == 200
    for name in ("intake", "audit", "database"):
        await asyncio.to_thread(county.stack.kill9, name)
    for name in ("database", "intake", "audit"):
        await asyncio.to_thread(county.stack.start, name)
        await asyncio.to_thread(county.stack.wait_ready, name, 120)

    async def readable() -> bool:
        again = await county.read_contact(record_id, "agent", "lost-2")
        return again.status_code == 200 and again.json()["fields"]["phone"] == fields["phone"]

    await until(readable, "the request is as it was")
    entry = await trace(county, f"record={record_id}", lambda each: each["actor"] == "lost-1")
    assert entry["outcome"] == "success"
