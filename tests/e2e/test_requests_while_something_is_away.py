"""Requests for records while the desk or the log is away, and more than an address may send.

These tests harm their stack, so they take the disposable one, and none of them the shared one.
"""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from deploy.local.stack import Stack
from tests.e2e.test_case_correspondence import ANSWER, QUESTION, Custodian, asked
from tests.e2e.test_records_requests import CONTACT, ask, state
from tests.support.copies import Copy
from tests.support.county import County, entering, until

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]


@pytest.fixture
async def harmed(disposable: Stack) -> AsyncIterator[County]:
    """A request without bounds stops all destruction, so it is withdrawn afterwards."""
    async with entering(disposable) as county:
        yield county
        listed = await county.get("retention", "/v1/cases?limit=500", "custodian", "carla")
        for case in listed["cases"]:
            if case["state"] != "closed":
                path = f"/v1/cases/{case['case_id']}/close"
                await county.post("retention", path, {"outcome": "withdrawn"}, "custodian", "carla")


async def test_while_the_log_is_away_nothing_is_written_or_read(
    harmed: County, disposable: Stack
) -> None:
    requester = await asked(harmed)
    custodian = Custodian(harmed, requester.case_id)
    await custodian.done("POST", "/messages", {"text": QUESTION, "asks": True})
    disposable.stop("kafka")
    try:
        answers = await asyncio.gather(
            requester.ask("GET", "messages"),
            requester.ask("POST", "messages", {"text": ANSWER}),
            custodian.ask("GET", "/messages"),
            custodian.ask("GET", "/scope"),
        )
        assert [each.status_code for each in answers] == [503, 503, 503, 404]
        assert not any("Thistle" in each.text for each in answers)
    finally:
        disposable.start("kafka")
        disposable.wait_ready("kafka")

    async def answered() -> bool:
        return (await requester.ask("POST", "messages", {"text": ANSWER})).status_code == 201

    await until(answered, "the log can be written again")
    read = await custodian.done("GET", "/messages")
    assert [each["text"] for each in read["messages"]][:2] == [QUESTION, ANSWER]
    await custodian.done("POST", "/close", {"outcome": "withdrawn"})


async def test_while_the_desk_is_away_nothing_is_kept_and_afterwards_all_goes_on(
    harmed: County, disposable: Stack
) -> None:
    sent = (await ask(harmed)).json()
    disposable.stop("retention")
    try:
        answer = await ask(harmed, {"request": "Canary-While-Away", "contact": CONTACT})
        assert answer.status_code == 503
        assert answer.json()["type"].endswith(":case_desk_unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert "anary" not in answer.text
        assert (await state(harmed, sent["token"])).status_code == 503
        with harmed.database() as database:
            intake = database["intake"]
            for name in intake.list_collection_names():
                assert "Canary-While-Away" not in repr(list(intake[name].find()))
    finally:
        disposable.start("retention")
        disposable.wait_ready("retention")
    assert (await state(harmed, sent["token"])).json()["case_id"] == sent["case_id"]
    assert (await ask(harmed)).status_code == 201


FEW = 3


async def test_an_address_sends_few_an_hour_over_all_copies(
    harmed: County, disposable: Stack
) -> None:
    few = {"INTAKE_RECORDS_REQUESTS_PER_HOUR": str(FEW)}
    if (left := 3600 - time.time() % 3600) < 60:
        # The counts begin anew with the hour.
        await asyncio.sleep(left)
    with (
        Copy(disposable, "intake", environ=few).running() as first,
        Copy(disposable, "intake", environ=few).running() as second,
    ):
        for copy in (first, second):
            await asyncio.to_thread(copy.wait_ready)
        codes = [(await ask(harmed, at=first.url)).status_code for _ in range(FEW + 1)]
        assert codes[0] == 201
        assert codes[-1] == 429
        refused = await ask(harmed, {"request": "Canary-Too-Often"}, at=first.url)
        assert refused.status_code == 429
        assert 0 < int(refused.headers["Retry-After"]) <= 3600
        assert "anary" not in refused.text

        # The second copy learns of them when it exchanges its own counts.
        taken: list[int] = []

        async def second_refuses() -> bool:
            if taken and len(taken) < FEW:
                # One exchange of counts lies between two calls.
                await asyncio.sleep(2)
            taken.append((await ask(harmed, at=second.url)).status_code)
            return taken[-1] == 429

        await until(second_refuses, "the second copy knows what the first has counted")
        assert taken.count(201) < FEW
