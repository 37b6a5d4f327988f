"""Disks that are really full: object store, broker and database each on a file system of their own.

The gateway says 503 with when to come again, and what it took it keeps. How each server bears it:
docs/runbooks/servers-down.md.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from pymongo.errors import PyMongoError

from deploy.local.stack import Stack
from tests.support.county import County, Document, entering, until
from tests.support.disks import Disk, small_disk
from tests.support.full import later, requests_stored
from tests.support.stacks import stack_of_its_own
from tests.support.submissions import photo, submission

pytestmark = [pytest.mark.wire, pytest.mark.anyio, pytest.mark.campaign, pytest.mark.timeout(900)]

PHOTO = [("a.jpg", photo("x", (25, 40, 1), (80, 20, 1)), "image/jpeg")]
MEGABYTES = {"store": 64, "kafka": 512, "database": 512}
"""Of each disk. The database writes its journal 100 MB ahead."""
PIECE = 500_000
PIECES = 2000
FORMS = ("json", "xml")
SAID = "Still there."


@pytest.fixture(scope="module")
async def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The disk of each server, and the stack that lies on them."""
    root = tmp_path_factory.mktemp("disks") / "d"
    place = Stack.create(root, ports="free", kind="test", compression=False).place
    with ExitStack() as all_of_it:
        found = {
            name: all_of_it.enter_context(small_disk(place.data / name, size))
            for name, size in MEGABYTES.items()
        }
        yield all_of_it.enter_context(stack_of_its_own(root)), found


@pytest.fixture(scope="module")
async def own(disks: tuple[Stack, dict[str, Disk]]) -> AsyncIterator[County]:
    async with entering(disks[0]) as county:
        yield county


async def _photo(county: County, record_id: str) -> Any:
    return (await county.request(record_id))["media_url"]


async def test_a_full_store_stops_files_alone(
    own: County, disks: tuple[Stack, dict[str, Disk]]
) -> None:
    disk = disks[1]["store"]
    before = await own.accepted(submission(800), PHOTO)
    await until(lambda: _photo(own, before), "the photo is published")
    stored = await requests_stored(own)
    disk.fill()
    try:
        for form in FORMS:
            later(await own.submit(submission(801), PHOTO, form=form), form, submission(801))
        assert await requests_stored(own) == stored
        without = await own.accepted(submission(802))
        copy = await own.http.get(await _photo(own, before))
        assert copy.headers["content-type"] == "image/jpeg"
    finally:
        disk.free()
    assert (await own.routed(without))["department"]

    async def taken() -> str | None:
        answer = await own.submit(submission(803), PHOTO)
        return answer.json()[0]["service_request_id"] if answer.status_code == 200 else None

    after = await until(taken, "files are taken again")
    await until(lambda: _photo(own, after), "its photo is published")


async def test_a_full_broker_stops_nothing_that_comes_in_and_opens_nothing(
    own: County, disks: tuple[Stack, dict[str, Disk]]
) -> None:
    stack, disk = disks[0], disks[1]["kafka"]
    known = await own.accepted(submission(810))
    await own.routed(known)
    disk.fill()
    try:
        kept: list[str] = []

        async def comment(form: str) -> httpx.Response:
            """Something that must be in the access log before it is done."""
            url = f"{own.known.services['intake']}/open311/v2/servicerequestupdates.{form}"
            fields = {
                "jurisdiction_id": "miamidade",
                "api_key": own.known.api_keys["app"],
                "service_request_id": known,
                "update_id": f"full-{form}",
                "status": "OPEN",
                "description": SAID,
            }
            return await own.http.post(url, data=fields)

        # A topic writes ahead of what it has on the disk, so the first may still get in.
        async def refused() -> bool:
            kept.append(await own.accepted(submission(811 + len(kept))))
            answer = await own.read_contact(known, "agent", "olga")
            return answer.status_code == 503

        await until(refused, "nothing is opened that cannot be written down")
        for form in FORMS:
            later(await comment(form), form, {"description": SAID})
            kept.append(await own.accepted(submission(811 + len(kept))))
    finally:
        disk.free()
        stack.restart("kafka")
    for record_id in kept:
        assert (await own.routed(record_id))["department"]

    async def opened() -> bool:
        return (await own.read_contact(known, "agent", "olga")).status_code == 200

    await until(opened, "what is written down is opened")
    for form in FORMS:
        for _ in range(2):
            assert (await comment(form)).status_code == 200
    followed = await own.job(known)
    assert followed["department"]


def _crowd(county: County) -> None:
    """Other data in the database, until it takes no more."""
    with county.database() as database:
        try:
            for number in range(PIECES):
                piece = {"_id": number, "piece": os.urandom(PIECE)}
                database["crowd"]["pieces"].insert_one(piece)
        except PyMongoError:
            return
    raise AssertionError("the disk was never full")


async def test_a_full_database_takes_nothing_and_loses_nothing(
    own: County, disks: tuple[Stack, dict[str, Disk]]
) -> None:
    stack, disk = disks[0], disks[1]["database"]
    stored = await requests_stored(own)
    accepted: dict[int, str] = {}
    refused: dict[int, httpx.Response] = {}
    disk.fill()
    try:
        # The journal was there before the disk was full: it is filled while requests come in.
        crowding = asyncio.create_task(asyncio.to_thread(_crowd, own))
        number = 0
        while len(refused) < 6:
            form = FORMS[number % 2]
            answer = await _keyed(own, number, form)
            if answer.status_code == 200:
                assert not refused, "it took one after it had refused others"
                accepted[number] = answer.text
            else:
                later(answer, form, submission(820 + number))
                refused[number] = answer
            number += 1
        await crowding
        # A load balancer sends nobody here meanwhile.
        ready = await own.http.get(f"{own.known.services['intake']}/health/ready", timeout=60)
        assert ready.status_code == 503, ready.text
    finally:
        disk.free()
        stack.restart("database")
    assert accepted

    async def again(number: int) -> str:
        async def taken() -> str | None:
            answer = await _keyed(own, number, "json")
            return answer.json()[0]["service_request_id"] if answer.status_code == 200 else None

        return await until(taken, "requests are taken again")

    first = {number: await again(number) for number in refused}
    assert {number: await again(number) for number in refused} == first
    for number, said in accepted.items():
        # The same key finds the request that was answered for.
        assert await again(number) in said
    assert await requests_stored(own) == stored + len(accepted) + len(refused)
    for record_id in first.values():
        assert (await own.routed(record_id))["department"]


async def _keyed(county: County, number: int, form: str) -> httpx.Response:
    fields: Document = submission(820 + number)
    headers = {"Idempotency-Key": f"full-disk-{number}"}
    return await county.submit(fields, form=form, headers=headers, seconds=90)
