"""Repeats and bursts: taken, marked, and shown to staff without a word of who sent them."""

from typing import Any
from uuid import uuid4

import pytest

from tests.support.county import County
from tests.support.submissions import photo, submission

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]


async def _marked(county: County, *record_ids: str, mark: str = "") -> dict[str, Any]:
    path = "/v1/marked?limit=500" + (f"&mark={mark}" if mark else "")
    rows = await county.get("intake", path, "agent")
    return {each["record_id"]: each for each in rows if each["record_id"] in record_ids}


async def test_a_repeat_of_content_is_taken_marked_and_shown_to_staff(county: County) -> None:
    words = f"A repeat {uuid4().hex}"
    fields = {**submission(600), "description": words}
    first = await county.accepted(fields)
    again = await county.accepted(fields)
    assert first != again
    shown = await _marked(county, first, again)
    assert list(shown) == [again]
    assert "repeat_content" in shown[again]["marks"]
    assert shown[again]["likely_repeat_of"] == first
    # It is worked on like any other.
    assert (await county.routed(again))["department"]


async def test_the_same_picture_with_other_words_is_marked(county: County) -> None:
    files = [("a.jpg", photo(uuid4().hex, (25, 40, 1), (80, 20, 1)), "image/jpeg")]
    first = await county.accepted(submission(601), files)
    other = await county.accepted(
        {**submission(602), "description": f"Something else {uuid4().hex}"}, files
    )
    shown = await _marked(county, first, other, mark="repeat_image")
    assert list(shown) == [other]
    assert shown[other]["likely_repeat_of"] == first


async def test_many_from_one_sender_are_marked_and_none_is_refused(county: County) -> None:
    device = uuid4().hex
    fields = {**submission(603, reported=False), "device_id": device}
    ids = [
        await county.accepted({**fields, "description": f"Number {number} {device}"})
        for number in range(8)
    ]
    shown = await _marked(county, *ids, mark="burst")
    assert set(shown) == set(ids[5:])


async def test_marks_tell_nothing_personal_and_agents_alone_see_them(county: County) -> None:
    words = f"Private words {uuid4().hex}"
    fields = {**submission(604), "description": words}
    await county.accepted(fields)
    again = await county.accepted(fields)
    answer = await county.ask("GET", "intake", "/v1/marked?limit=500", "agent")
    assert again in answer.text
    for name in ("phone", "email", "last_name", "lat", "long"):
        assert fields[name] not in answer.text
    assert words not in answer.text
    for role in ("auditor", "admin", "department:parks"):
        refused = await county.ask("GET", "intake", "/v1/marked", role)
        assert refused.status_code == 403
    public = await county.request(again)
    assert "marks" not in str(public)
    wrong = await county.ask("GET", "intake", "/v1/marked?mark=ugly", "agent")
    assert (wrong.status_code, wrong.json()["field"]) == (422, "mark")
