"""What the public finds of a request by its number, its token and in lists, by how it was taken."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from deploy.local.stack import Stack
from direct311.intake.catalogue.domain.types import Delivery
from direct311.intake.lifecycle.adapters import MongoRequests
from direct311.intake.open311.adapters.listing import listed_fields
from direct311.intake.open311.adapters.requests import MongoPublicRequests
from direct311.intake.open311.domain import RequestQuery
from direct311.intake.request import Located, ServiceRequest
from direct311.runtime.messaging.records import Write
from direct311.runtime.storage.database import BulkError, MongoRecords
from tests.support.runtime import NOW, SetClock, database_of_its_own

pytestmark = [pytest.mark.wire, pytest.mark.anyio]


@dataclass
class Kept:
    """Requests in a database of their own."""

    records: MongoRecords[ServiceRequest]
    requests: MongoPublicRequests

    async def add(
        self,
        record_id: str,
        delivery: Delivery,
        token: str | None = None,
        *,
        checked: bool = True,
        **fields: object,
    ) -> None:
        request = ServiceRequest(
            record_id=record_id,
            version=1,
            service_code="ONE",
            received_at=NOW,
            updated_at=NOW,
            located=Located(outcome="resolved", latitude=25.7, longitude=-80.3),
            place_checked=checked,
            listed=checked and delivery != "blackbox",
            delivery=delivery,
            token=token,
        ).model_copy(update=fields)
        document = self.records.document(Write(0, request, (), NOW), b"")
        await self.records.collection.insert_many([document], ordered=False)

    async def listed(self, *ids: str) -> set[str]:
        day = timedelta(days=1)
        query = RequestQuery(start=NOW - day, end=NOW + day, ids=ids)
        return {each.record_id for each in await self.requests.listed(query)}


@pytest.fixture
async def kept(servers: Stack) -> AsyncIterator[Kept]:
    async with database_of_its_own(servers) as database:
        records = MongoRecords(database["requests"], ServiceRequest, listed_fields)
        requests = MongoPublicRequests(records, SetClock())
        await records.prepare((*MongoRequests.INDEXES, *requests.INDEXES))
        yield Kept(records, requests)


async def test_a_blackbox_request_is_found_by_staff_alone(kept: Kept) -> None:
    await kept.add("r-seen", "realtime")
    await kept.add("r-unseen", "blackbox")
    assert await kept.listed() == {"r-seen"}
    assert await kept.listed("r-seen", "r-unseen") == {"r-seen"}
    assert await kept.requests.public("r-seen") is not None
    assert await kept.requests.public("r-unseen") is None
    assert await MongoRequests(kept.records).get("r-unseen") is not None


@pytest.mark.policy("P8")
async def test_a_request_names_another_as_its_like_only_where_lists_show_that_one(
    kept: Kept,
) -> None:
    others = {"r-listed": True, "r-protected": False, "r-blackbox": False, "r-gone": False}
    await kept.add("r-listed", "realtime")
    await kept.add("r-protected", "realtime", protected=True, listed=False)
    await kept.add("r-blackbox", "blackbox")
    for other in others:
        await kept.add(f"of-{other}", "realtime", status="duplicate", duplicate_of=other)
    day = timedelta(days=1)
    ids = tuple(f"of-{other}" for other in others)
    for query in (
        RequestQuery(start=NOW - day, end=NOW + day),
        RequestQuery(start=NOW - day, end=NOW + day, ids=ids),
    ):
        page = await kept.requests.listed(query)
        named = {each.record_id: each.duplicate_of for each in page if each.record_id in ids}
        assert named == {f"of-{o}": o if shown else None for o, shown in others.items()}
    for other, shown in others.items():
        found = await kept.requests.public(f"of-{other}")
        assert found is not None
        assert found.duplicate_of == (other if shown else None)


async def test_a_token_finds_its_request_and_a_number_finds_none_by_token(kept: Kept) -> None:
    await kept.add("r-waits", "batch", "t-1", checked=False)
    await kept.add("r-known", "batch", "t-2")
    await kept.add("r-other", "realtime")
    waits, known = await kept.requests.by_token("t-1"), await kept.requests.by_token("t-2")
    assert waits is not None
    assert known is not None
    assert (waits.record_id, waits.number_is_known) == ("r-waits", False)
    assert (known.record_id, known.number_is_known) == ("r-known", True)
    for stranger in ("r-known", "r-other", "t-3", ""):
        assert await kept.requests.by_token(stranger) is None


async def test_two_requests_never_have_one_token_and_most_have_none(kept: Kept) -> None:
    await kept.add("r-1", "realtime")
    await kept.add("r-2", "realtime")
    await kept.add("r-3", "batch", "t-1")
    with pytest.raises(BulkError):
        await kept.add("r-4", "batch", "t-1")
