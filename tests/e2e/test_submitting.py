"""What the gateway takes, once, and what it refuses: the field is named, the value never."""

import json
import time

import pytest

from tests.support.county import County, Document, until, xml
from tests.support.submissions import (
    ENFORCEMENT,
    KENDALL,
    NOWHERE,
    OUT_AT_SEA,
    photo,
    submission,
)

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]


@pytest.fixture(scope="module", autouse=True)
def began() -> int:
    """When this module's tests began, in milliseconds. Others forge events on the same stack."""
    return int(time.time() * 1000)


INSPECTOR = "inspector:regulatory"


# ---------------------------------------------------------------- once


async def test_the_same_key_is_the_same_request_and_another_content_is_refused(
    county: County,
) -> None:
    fields = submission(100)
    header = {"Idempotency-Key": "e2e-100"}
    first = await county.accepted(fields, headers=header)
    assert await county.accepted(fields, headers=header) == first
    assert await county.accepted(dict(reversed(fields.items())), headers=header) == first
    other = await county.submit({**fields, "description": "Another."}, headers=header)
    assert other.status_code == 409
    assert "Another" not in other.text
    # The same key of another client, or as a field, is read as that client's.
    assert await county.accepted(fields, client="legacy", headers=header) != first
    assert await county.accepted({**fields, "client_request_id": "e2e-100"}) == first
    job = await county.routed(first)
    assert job["revision"] == 1


async def test_a_repeat_with_a_photo_leaves_one_photo(county: County) -> None:
    files = [("a.jpg", photo("x", (25, 40, 1), (80, 20, 1)), "image/jpeg")]
    fields = submission(101, client_request_id="e2e-101")
    ids = {await county.accepted(fields, files) for _ in range(3)}
    assert len(ids) == 1
    (record_id,) = ids

    async def stored() -> list[Document]:
        answer = await county.ask("GET", "media", f"/internal/media/{record_id}", "agent")
        found: list[Document] = answer.json()["media"] if answer.status_code == 200 else []
        return found

    assert len(await until(stored, "the photo is stored")) == 1


async def test_a_client_that_retries_without_a_key_gets_the_same_request(county: County) -> None:
    fields = submission(102)
    first = await county.accepted(fields, client="legacy")
    assert await county.accepted(fields, client="legacy") == first
    assert await county.accepted({**fields, "phone": "305-555-0190"}, client="legacy") != first
    app = await county.accepted(fields)
    again = await county.accepted(fields)
    assert len({first, app, again}) == 3

    async def said() -> list[Document]:
        return [
            json.loads(message.value or b"{}")
            for message in await county.messages("request.created")
            if message.key == again.encode()
        ]

    (event,) = await until(said, "the request is announced")
    assert event["likely_repeat_of"] in (first, app)


# ---------------------------------------------------------------- what needs a name


async def test_a_complaint_without_name_and_address_waits_until_an_inspector_lifts_it(
    county: County,
) -> None:
    answer = await county.submit(submission(110, ENFORCEMENT, reported=False))
    assert answer.status_code == 200
    assert "name" in answer.json()[0]["service_notice"]
    record_id = answer.json()[0]["service_request_id"]

    async def held() -> bool:
        job = await county.job(record_id)
        shown = await county.request(record_id)
        located = shown["lat"] is not None
        return located and job.get("status") == "identity_required"

    await until(held, "the complaint is held")
    shown = await county.request(record_id)
    assert (shown["status"], shown["agency_responsible"]) == ("open", None)
    assert shown["extended_attributes"]["status"] == "identity_required"
    assert (await county.job(record_id))["routed"] is None

    order = {"basis": "imminent_threat_to_public", "reason": "wires hang over the fence"}
    path = f"/v1/requests/{record_id}/release"
    for role in ("agent", "custodian", "admin", "department:regulatory", "inspector:parks"):
        refused = await county.ask("POST", "intake", path, role, "olga", order)
        assert refused.status_code == 403, role
    bare = {"basis": "because", "reason": "x"}
    malformed = await county.ask("POST", "intake", path, INSPECTOR, "ivan", bare)
    assert malformed.status_code == 422
    await county.post("intake", path, order, INSPECTOR, "ivan")
    job = await county.routed(record_id)
    assert job["department"] == "regulatory"
    # The job is written before its copy for the department is published.
    await until(lambda: county.received("regulatory", record_id), "the department has it")

    async def logged() -> bool:
        page = await county.get(
            "audit", f"/v1/entries?record={record_id}&actor=ivan&reference=L-1", "auditor", "ines"
        )
        return any(entry["action"] == "correct" for entry in page["entries"])

    await until(logged, "the release is in the log")


async def test_a_complaint_with_name_and_address_goes_to_enforcement(county: County) -> None:
    fields = submission(111, ENFORCEMENT) | {"attribute[REPORTER_ADDRESS]": "1 NW 1 ST, 33128"}
    record_id = await county.accepted(fields)
    assert (await county.routed(record_id))["department"] == "regulatory"
    shown = json.dumps(await county.request(record_id)) + json.dumps(await county.job(record_id))
    assert "1 NW 1 ST" not in shown
    answer = await county.read_contact(record_id, "agent", "ana", fields=["reporter_address"])
    assert answer.json()["fields"] == {"reporter_address": "1 NW 1 ST, 33128"}


# ---------------------------------------------------------------- what is wrong

REFUSED = {
    "no type": ({"service_code": ""}, 400, ["service_code"]),
    "unknown type": ({"service_code": "FLYING-SAUCER"}, 404, ["service_code"]),
    "no place": ({"lat": "", "long": ""}, 400, ["lat"]),
    "half a place": ({"long": ""}, 400, ["long"]),
    "words for degrees": ({"lat": "twenty-five"}, 400, ["lat"]),
    "no number": ({"lat": "nan"}, 400, ["lat"]),
    "beyond the pole": ({"lat": "91"}, 400, ["lat"]),
    "endless address": ({"address_string": "x" * 301}, 400, ["address_string"]),
    "novel": ({"description": "x" * 4001}, 400, ["description"]),
    "bytes": ({"description": "a\x00b"}, 400, ["description"]),
    "no e-mail": ({"email": "not an address"}, 400, ["email"]),
    "unknown question": ({"attribute[COLOUR]": "blue"}, 400, ["attribute"]),
    "no such choice": ({"attribute[SIZE]": "gigantic"}, 400, ["attribute[SIZE]"]),
    "words for a number": ({"attribute[DOG_COUNT]": "many"}, 400, ["attribute[DOG_COUNT]"]),
    "a link that is none": ({"media_url": "javascript:alert(1)"}, 400, ["media_url"]),
    "a notice that is none": (
        {"email_notice_version": "no-such-notice"},
        400,
        ["email_notice_version"],
    ),
    "a county that is none": ({"jurisdiction_id": "broward"}, 404, ["jurisdiction_id"]),
    "two at once": ({"lat": "91", "email": "no"}, 400, ["lat", "email"]),
}


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
async def test_what_is_wrong_is_refused_by_the_name_of_its_field(
    county: County, case: tuple[dict[str, str], int, list[str]], form: str
) -> None:
    change, status, fields = case
    answer = await county.submit({**submission(120), **change}, form=form)
    assert answer.status_code == status
    if form == "json":
        said = [(each["code"], each["description"]) for each in answer.json()]
    else:
        root = xml(answer)
        assert root.tag == "errors"
        said = [
            (int(each.findtext("code") or 0), each.findtext("description") or "") for each in root
        ]
    for field in fields:
        assert any(field in description for _, description in said), said
    for value in change.values():
        if len(value) > 2 and value not in fields:
            assert value not in answer.text


TRIAGED = {
    "outside the county": OUT_AT_SEA,
    "no address": NOWHERE,
    "a name for an address": {"address_string": "WITTENBERG, ADALBERT"},
    "the middle of the Atlantic": {"lat": "0", "long": "0"},
    "latitude and longitude changed about": {"lat": KENDALL["long"], "long": KENDALL["lat"]},
}


@pytest.mark.parametrize("place", TRIAGED.values(), ids=TRIAGED)
async def test_a_place_that_cannot_be_found_goes_to_triage(
    county: County, place: dict[str, str]
) -> None:
    record_id = await county.accepted(submission(130, "ROAD-POTHOLE", place))
    job = await county.routed(record_id)
    assert job["department"] == "triage_311"
    assert job["routed"]["reason"]


async def test_no_dirty_row_stops_a_consumer(county: County, began: int) -> None:
    record_id = await county.accepted(submission(140))
    await county.routed(record_id)
    letters = await county.messages(*(f"deadletters.{name}" for name in county.stack.services))
    own = [letter for letter in letters if letter.timestamp >= began]
    assert [dict(letter.headers)["dl_kind"] for letter in own] == []
