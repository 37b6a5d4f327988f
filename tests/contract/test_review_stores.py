"""The reviews of records, the fake and the real database: each version is stored once, and nothing
is stored after the record's destruction."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from deploy.local.stack import Stack
from direct311.intake.review.adapters import MongoReviews
from direct311.intake.review.domain.reviews import (
    CaseReview,
    ItemDecision,
    Proposed,
    RecordReviews,
    Rendered,
    ShownText,
)
from direct311.runtime.storage.database import Database
from tests.support.reviews import InMemoryReviews
from tests.support.runtime import NOW, database_of_its_own

pytestmark = pytest.mark.anyio

AnyReviews = InMemoryReviews | MongoReviews
HOUR = timedelta(hours=1)


@pytest.fixture
async def database(servers: Stack) -> AsyncIterator[Database]:
    async with database_of_its_own(servers) as database:
        yield database


@pytest.fixture(params=["memory", pytest.param("database", marks=pytest.mark.wire)])
def reviews(request: pytest.FixtureRequest) -> AnyReviews:
    if request.param == "memory":
        return InMemoryReviews()
    database: Database = request.getfixturevalue("database")
    return MongoReviews(database["reviews"])


def review(case_id: str = "case-1") -> CaseReview:
    item = "updates/a.b$c:4-16"
    made = ItemDecision(
        item=item, code="victim", decided_by="carla", decided_at=NOW, version=3, content="c"
    )
    gone_out = Rendered(
        decisions="d", recipient="requester", at=NOW, texts={"updates/a.b$c": "c"}, withheld=(item,)
    )
    return CaseReview(
        case_id=case_id,
        kind="public_records",
        version=3,
        content="c",
        registry_version=7,
        exemptions="e",
        fields=("updates",),
        texts={"updates/a.b$c": ShownText(length=20, content="c")},
        proposals=(Proposed(item=item, code="victim", preset=True),),
        decisions=(made,),
        confirmed=True,
        renderings=(gone_out,),
    )


async def stored(reviews: AnyReviews, record_id: str = "r-1") -> RecordReviews:
    made = RecordReviews(record_id=record_id).with_case(review())
    assert await reviews.store(made)
    return made.written()


async def test_what_is_stored_is_found_again_as_it_was(reviews: AnyReviews) -> None:
    assert await reviews.of("r-1") == RecordReviews(record_id="r-1")
    made = await stored(reviews)
    assert await reviews.of("r-1") == made
    assert made.version == 1


async def test_each_version_is_stored_once(reviews: AnyReviews) -> None:
    made = await stored(reviews)
    assert not await reviews.store(RecordReviews(record_id="r-1").with_case(review("case-2")))
    after = [made.with_case(review(f"case-{number}")) for number in range(2, 8)]
    won = await asyncio.gather(*(reviews.store(each) for each in after))
    assert sum(won) == 1
    found = await reviews.of("r-1")
    assert found.version == 2
    assert found == after[won.index(True)].written()


async def test_first_reviews_at_the_same_time_are_one(reviews: AnyReviews) -> None:
    made = [RecordReviews(record_id="r-1").with_case(review(f"case-{n}")) for n in range(5)]
    assert sum(await asyncio.gather(*(reviews.store(each) for each in made))) == 1
    assert (await reviews.of("r-1")).version == 1


async def test_destroyed_reviews_are_counted_and_never_come_back(reviews: AnyReviews) -> None:
    made = await stored(reviews)
    assert await reviews.forget("r-1", NOW) == 1
    # As after a kill, when the destruction is done again.
    assert await reviews.forget("r-1", NOW + HOUR) == 1
    assert await reviews.of("r-1") == RecordReviews(record_id="r-1")
    for late in (made, RecordReviews(record_id="r-1").with_case(review())):
        assert not await reviews.store(late)
    assert await reviews.forget("r-2", NOW) == 0
    assert not await reviews.store(RecordReviews(record_id="r-2").with_case(review()))


async def test_notes_of_destructions_go_and_reviews_stay(reviews: AnyReviews) -> None:
    await stored(reviews, "r-0")
    await stored(reviews, "r-1")
    await reviews.forget("r-1", NOW)
    await reviews.forget("r-2", NOW + HOUR)
    assert await reviews.records("", 10) == ["r-0"]
    await reviews.drop_notes(NOW + timedelta(minutes=1))
    assert await reviews.forget("r-1", NOW) == 0
    assert not await reviews.store(RecordReviews(record_id="r-2").with_case(review()))
    assert (await reviews.of("r-0")).version == 1


async def test_records_are_listed_in_pages(reviews: AnyReviews) -> None:
    for number in range(5):
        await stored(reviews, f"r-{number}")
    assert await reviews.records("", 3) == ["r-0", "r-1", "r-2"]
    assert await reviews.records("r-2", 3) == ["r-3", "r-4"]
