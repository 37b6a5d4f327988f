"""Modification: who changes what is stored makes it unreadable, and the failure is in the log."""

import pytest

from tests.protection.traces import trace
from tests.support.county import County
from tests.support.submissions import submission

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P21")]


async def test_a_ciphertext_moved_to_another_record_does_not_open(county: County) -> None:
    mine, other = [await county.accepted(submission(number)) for number in (750, 751)]
    # A consumer that has read the request before the change would write it again as it was.
    await county.caught_up()
    with county.database() as database:
        source = database.intake.requests.find_one({"_id": other})
        assert source is not None
        change = {"$set": {"sealed.phone": source["sealed"]["phone"]}}
        assert database.intake.requests.update_one({"_id": mine}, change).modified_count == 1
    answer = await county.read_contact(mine, "agent", "ana")
    assert answer.status_code == 410
    await trace(county, f"record={mine}", lambda each: each["outcome"] == "error")
    # The one that was copied from is as it was.
    assert (await county.read_contact(other, "agent", "ana")).status_code == 200


async def test_one_bit_of_a_ciphertext_is_enough(county: County) -> None:
    record_id = await county.accepted(submission(752))
    with county.database() as database:
        stored = database.intake.requests.find_one({"_id": record_id})
        assert stored is not None
        sealed = bytes(stored["sealed"]["phone"])
        changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
        database.intake.requests.update_one({"_id": record_id}, {"$set": {"sealed.phone": changed}})
    answer = await county.read_contact(record_id, "agent", "ana")
    assert answer.status_code == 410
    await trace(county, f"record={record_id}", lambda each: each["outcome"] == "error")


async def test_an_event_that_is_forged_on_the_broker_changes_nothing(county: County) -> None:
    """The broker's administrator takes a real access event and puts another name into it."""
    record_id = await county.accepted(submission(753))
    assert (await county.read_contact(record_id, "agent", "honest")).status_code == 200
    real = next(
        message
        for message in await county.messages("pii.accessed")
        if b'"honest"' in (message.value or b"") and record_id.encode() in (message.value or b"")
    )
    before = len(await county.messages("deadletters.audit"))
    await county.forge(real, (real.value or b"").replace(b'"honest"', b'"framed"'))
    await county.caught_up()
    assert len(await county.messages("deadletters.audit")) == before + 1
    page = await county.get(
        "audit", f"/v1/entries?record={record_id}&reference=L-1", "auditor", "petra"
    )
    assert "framed" not in str(page)
