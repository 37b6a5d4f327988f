"""What cannot be written down is not read: with Kafka away, contact data stays sealed.

On the shared stack, whose broker is away for a few seconds and then comes back.
"""

import asyncio
import os
import signal
import time

import pytest

from deploy.local import process
from tests.support.county import County, Document, until
from tests.support.submissions import submission

pytestmark = [pytest.mark.faults, pytest.mark.anyio, pytest.mark.timeout(300)]

LIMIT = 2.0
"""Seconds within which the caller must learn why nothing is released."""
AWAY = 12.0
"""Seconds without the broker: longer than a producer keeps what it could not send (ten)."""


def _fetches(county: County, record_id: str) -> list[Document]:
    with county.database() as database:
        key = database.intake["keys"].find_one({"_id": record_id})
        assert key is not None
        return list(key.get("fetches", []))


async def _refused_in_time(county: County, record_id: str, phone: str) -> None:
    started = time.monotonic()
    answer = await county.read_contact(record_id, "agent", "olga")
    taken = time.monotonic() - started
    assert answer.status_code == 503, answer.text
    assert taken < LIMIT, f"{taken:.2f} s"
    assert answer.headers["retry-after"]
    assert answer.json()["type"].endswith("audit_unavailable")
    assert "nothing is released" in answer.json()["detail"]
    assert phone not in answer.text


@pytest.mark.policy("P20")
@pytest.mark.parametrize("way", ["stopped", "frozen"])
async def test_without_the_broker_contact_reads_answer_503_and_release_nothing(
    county: County, way: str
) -> None:
    stack = county.stack
    fields = submission(400)
    record_id = await county.accepted(fields)
    await county.routed(record_id)
    assert (await county.read_contact(record_id, "agent", "olga")).status_code == 200
    broker = process.find(stack.place.pid / "kafka.json")
    assert broker is not None
    back_at = time.monotonic()
    if way == "stopped":
        back_at += AWAY
        # Whoever reads while it shuts down leaves the producer with something to send.
        stopping = asyncio.create_task(asyncio.to_thread(stack.stop, "kafka"))
        while not stopping.done():
            answer = await county.read_contact(record_id, "agent", "olga")
            assert answer.status_code in (200, 503), answer.text
        await stopping
    else:
        broker.signal(signal.SIGSTOP)
    before = _fetches(county, record_id)
    try:
        for _ in range(3):
            await _refused_in_time(county, record_id, fields["phone"])
        # Several at once wait no longer than one.
        async with asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(_refused_in_time(county, record_id, fields["phone"]))
        assert _fetches(county, record_id) == before
        # Submissions need no broker: they wait in the outbox.
        waiting = await county.accepted(submission(401))
        await asyncio.sleep(max(0.0, back_at - time.monotonic()))
    finally:
        if way == "stopped":
            await asyncio.to_thread(stack.start, "kafka")
            await asyncio.to_thread(stack.wait_ready, "kafka")
        else:
            os.killpg(broker.pid, signal.SIGCONT)

    async def answers() -> bool:
        return (await county.read_contact(record_id, "agent", "olga")).status_code == 200

    await until(answers, "contact data can be read again")
    await county.routed(waiting)

    async def reconciled() -> bool:
        state = await county.get("audit", "/v1/reconciliation", "auditor", "ines")
        with county.database() as database:
            logged = {each["event_id"] for each in database.audit.entries.find({}, {"event_id": 1})}
        fetched = {fetch["event"] for fetch in _fetches(county, record_id)}
        return not state["without_event"] and fetched <= logged

    await until(reconciled, "every fetch has its event in the log")
