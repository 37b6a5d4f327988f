"""Searches under the grant of a public-records case: a named worker finds a person's requests and
those with certain words, as often as the grant allows, and nothing of the query is kept."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.e2e.test_case_grants import CaseWork, rule
from tests.support.county import County, until
from tests.support.submissions import submission

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P13", "P21")]

WORDS = "Zibeline Quércus"


@pytest.fixture
async def work(county: County) -> CaseWork:
    work = CaseWork(county)
    await work.opened()
    return work


async def search(work: CaseWork, name: str = "", **body: Any) -> httpx.Response:
    path = f"/v1/cases/{work.case_id}/searches"
    return await work.county.ask("POST", "intake", path, "custodian", name or work.worker, body)


async def found(work: CaseWork, **body: Any) -> dict[str, Any]:
    answer = await search(work, **body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def in_effect(work: CaseWork, record_id: str) -> None:
    """Once intake knows the grant, so that no search is spent on waiting."""
    await work.reads(record_id)


async def test_a_worker_finds_a_person_and_words_as_often_as_the_grant_allows(
    county: County, work: CaseWork
) -> None:
    tag = uuid4().hex[:8]
    fields = submission(4_910) | {
        "description": f"The zibeline cat sits in a QUERCUS tree {tag}.",
        "phone": "786-555-0193",
    }
    record_id = await county.accepted(fields)
    other = await county.accepted(submission(4_911) | {"description": f"A cat in a tree {tag}."})

    assert rule(await search(work, words=WORDS)) == "disclosure_case"
    assert rule(await search(work, phone=fields["phone"])) == "disclosure_case"
    grant = await work.prepared(
        record_ids=[record_id],
        fields=["phone", "description", "person_index"],
        searches=[{"kind": "person", "number": 1}, {"kind": "words", "number": 2}],
    )
    await work.approved(grant)
    await in_effect(work, record_id)
    assert rule(await search(work, "vera", words=WORDS)) == "disclosure_case"

    person = await found(work, phone="+1 (786) 555 0193")
    assert record_id in person["record_ids"]
    assert other not in person["record_ids"]
    words = await found(work, words=f"{WORDS} {tag.upper()}")
    assert (words["record_ids"], words["hits"], words["more"]) == ([record_id], 1, False)
    assert words["shape"] == ["words"]
    both = await found(work, words=tag, types=[fields["service_code"]])
    assert sorted(both["record_ids"]) == sorted([record_id, other])

    assert rule(await search(work, phone=fields["phone"])) == "grant_searches"
    assert rule(await search(work, words=tag)) == "grant_searches"

    # What is public of a request needs no grant; the search is an entry all the same.
    public = await search(work, work.custodian, types=[fields["service_code"]])
    assert public.status_code == 200

    async def logged() -> bool:
        path = f"/v1/entries?case={work.case_id}&reference=LETTER-91"
        entries = (await county.get("audit", path, "auditor"))["entries"]
        searches = {each["event_id"] for each in entries if each["action"] == "search"}
        return {person["search_id"], words["search_id"], both["search_id"]} <= searches

    await until(logged, "the log has the searches under the number of the case")


async def test_nothing_of_a_query_or_a_text_is_kept(county: County, work: CaseWork) -> None:
    canary, phone = f"xanadu{uuid4().hex[:8]}", "786-555-0194"
    fields = submission(4_912) | {"description": f"My {canary} is loose.", "phone": phone}
    record_id = await county.accepted(fields)
    grant = await work.prepared(
        record_ids=[record_id],
        fields=["phone", "description", "person_index"],
        searches=[{"kind": "person", "number": 1}, {"kind": "words", "number": 1}],
    )
    await work.approved(grant)
    await in_effect(work, record_id)
    # Without digits, so that it can be no telephone number.
    letters = str.maketrans("0123456789", "ghijklmnop")
    sought = f"sesquipedal{uuid4().hex[:8].translate(letters)}"
    assert (await found(work, words=sought))["record_ids"] == []
    assert (await found(work, email=f"{sought}@example.org"))["record_ids"] == []
    answers = [
        await search(work, words=sought),
        await search(work, email=f"{sought}@example.org"),
        await search(work, words=sought, email=f"{sought}@example.org"),
        await search(work, words=sought, types=["x" * 300]),
        await search(work, phone=sought),
    ]
    assert [each.status_code for each in answers] == [403, 403, 422, 422, 422]
    said = "".join(each.text for each in answers)
    logs = b"".join(
        each.read_bytes() for each in county.stack.place.log.rglob("*") if each.is_file()
    )
    told = b"".join(each.value or b"" for each in await county.messages("pii.accessed"))
    for kept in (said.encode(), logs, told):
        assert sought.encode() not in kept
        assert canary.encode() not in kept
    assert said
    assert logs
    assert told
