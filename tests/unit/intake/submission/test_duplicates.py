"""Of two requests about one place, neither tells the public of the other where that is withheld."""

from collections.abc import AsyncIterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from direct311.intake.open311.adapters.requests import MongoPublicRequests
from direct311.intake.open311.domain import RequestQuery
from direct311.intake.request import ServiceRequest
from tests.support.runtime import NOW, SetClock

pytestmark = pytest.mark.anyio


class Cursor:
    def __init__(self, found: Sequence[Mapping[str, Any]]) -> None:
        self._found = found

    async def to_list(self, _: None) -> Sequence[Mapping[str, Any]]:
        return self._found

    async def __aiter__(self) -> AsyncIterator[Mapping[str, Any]]:
        for each in self._found:
            yield each


class Collection:
    """Equality of fields and `$in` of ids, which is all that is asked here."""

    name = "requests"

    def __init__(self, *documents: Mapping[str, Any]) -> None:
        self.documents = documents
        self.asked = 0

    async def find_one(self, wanted: Mapping[str, Any], _: object) -> Mapping[str, Any] | None:
        return next((each for each in self.documents if each["_id"] == wanted["_id"]), None)

    def find(self, wanted: Mapping[str, Any], _: object) -> Cursor:
        self.asked += 1
        rest = {name: value for name, value in wanted.items() if name not in ("_id", "delivery")}
        ids = wanted["_id"]["$in"]
        return Cursor(
            [each for each in self.documents if each["_id"] in ids and rest.items() <= each.items()]
        )


def document(record_id: str, **fields: object) -> dict[str, Any]:
    return {"_id": record_id, "lifecycle": "active", "version": 1, "listed": True, **fields}


def stored(found: Mapping[str, Any]) -> SimpleNamespace:
    fields = {name: value for name, value in found.items() if name != "_id"}
    return SimpleNamespace(state=ServiceRequest(record_id=found["_id"], **fields))


COLLECTION = (
    document("open"),
    document("protected", listed=False, protected=True),
    document("gone", lifecycle="destroyed"),
    document("of-open", duplicate_of="open"),
    document("of-protected", duplicate_of="protected"),
    document("of-gone", duplicate_of="gone"),
    document("of-nothing", duplicate_of="never"),
)
NAMED = {"open": None, "of-open": "open", "of-protected": None, "of-gone": None, "of-nothing": None}


@pytest.mark.policy("P8")
async def test_a_request_names_only_one_that_lists_show() -> None:
    records: Any = SimpleNamespace(collection=Collection(*COLLECTION), stored=stored)
    requests = MongoPublicRequests(records, SetClock())
    page = await requests.listed(RequestQuery(start=NOW, end=NOW, ids=tuple(NAMED)))
    assert {each.record_id: each.duplicate_of for each in page} == NAMED
    for record_id, named in NAMED.items():
        found = await requests.public(record_id)
        assert found is not None
        assert found.duplicate_of == named


async def test_a_page_without_duplicates_costs_no_question_more() -> None:
    collection = Collection(*COLLECTION)
    records: Any = SimpleNamespace(collection=collection, stored=stored)
    requests = MongoPublicRequests(records, SetClock())
    await requests.listed(RequestQuery(start=NOW, end=NOW, ids=("open",)))
    assert collection.asked == 1
