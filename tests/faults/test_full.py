"""Full or away: the gateway says 503 with when to come again, and what it took it keeps."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from deploy.local.stack import Stack
from tests.support.county import County, entering, until
from tests.support.full import later, requests_stored
from tests.support.submissions import photo, submission

pytestmark = [pytest.mark.wire, pytest.mark.anyio, pytest.mark.timeout(900)]

PHOTO = [("a.jpg", photo("x", (25, 40, 1), (80, 20, 1)), "image/jpeg")]
INCOMING = "direct311-incoming"


@pytest.fixture(scope="module")
async def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def own(disposable: Stack) -> AsyncIterator[County]:
    async with entering(disposable) as county:
        yield county


@pytest.mark.parametrize("form", ["json", "xml"])
async def test_a_bucket_that_takes_nothing_stops_files_alone(own: County, form: str) -> None:
    before = await requests_stored(own)
    store = own.store()
    policy = store.get_bucket_policy(INCOMING)
    store.delete_bucket_policy(INCOMING)
    try:
        later(await own.submit(submission(700), PHOTO, form=form), form, submission(700))
        assert (await own.submit(submission(701), form=form)).status_code == 200
        assert await requests_stored(own) == before + 1
    finally:
        store.set_bucket_policy(INCOMING, policy)
    await own.accepted(submission(702), PHOTO)


@pytest.mark.parametrize("form", ["json", "xml"])
async def test_a_store_that_is_away_stops_files_alone(own: County, form: str) -> None:
    own.stack.stop("store")
    try:
        later(await own.submit(submission(703), PHOTO, form=form), form, submission(703))
        kept = await own.accepted(submission(704))
    finally:
        own.stack.start("store")
        own.stack.wait_ready("store")
    assert (await own.request(kept))["service_request_id"] == kept

    async def taken() -> bool:
        return (await own.submit(submission(705), PHOTO)).status_code == 200

    await until(taken, "files are taken again")


async def test_a_broker_that_is_away_stops_nothing_that_comes_in(own: County) -> None:
    own.stack.stop("kafka")
    try:
        kept = [await own.accepted(submission(710 + number)) for number in range(3)]
    finally:
        own.stack.start("kafka")
        own.stack.wait_ready("kafka")
    for record_id in kept:
        assert (await own.routed(record_id))["department"]


async def test_a_database_that_is_away_takes_nothing_and_loses_nothing(own: County) -> None:
    kept = await own.accepted(submission(720))
    header = {"Idempotency-Key": "full"}
    own.stack.stop("database")
    try:
        async with asyncio.TaskGroup() as group:
            refused = {
                form: group.create_task(
                    own.submit(submission(721), form=form, headers=header, seconds=60)
                )
                for form in ("json", "xml")
            }
        for form, answer in refused.items():
            later(answer.result(), form, submission(721))
    finally:
        own.stack.start("database")
        own.stack.wait_ready("database")

    async def taken() -> Any:
        answer = await own.submit(submission(721), headers=header, seconds=60)
        return answer.json()[0]["service_request_id"] if answer.status_code == 200 else None

    first = await until(taken, "requests are taken again")
    assert await own.accepted(submission(721), headers=header) == first
    assert (await own.request(kept))["service_request_id"] == kept
