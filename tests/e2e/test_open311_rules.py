"""The rules of GeoReport v2 for every call, one by one, in both formats."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import httpx
import pytest

from tests.support.county import County, until
from tests.support.submissions import ANIMALS, NOWHERE, submission

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]

FORMS = pytest.mark.parametrize("form", ["json", "xml"])
PATHS = (
    "services",
    f"services/{ANIMALS}",
    "requests",
    "servicerequestupdates",
)
KEYS = {
    "service_request_id",
    "status",
    "status_notes",
    "service_name",
    "service_code",
    "description",
    "agency_responsible",
    "service_notice",
    "requested_datetime",
    "updated_datetime",
    "expected_datetime",
    "address",
    "address_id",
    "zipcode",
    "lat",
    "long",
    "media_url",
}


def errors(answer: httpx.Response, form: str) -> list[tuple[int, str]]:
    """Code and description of all that is wrong."""
    if form == "json":
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        return [(each["code"], each["description"]) for each in answer.json()]
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    assert answer.text.startswith('<?xml version="1.0" encoding="utf-8"?>')
    root = ElementTree.fromstring(answer.content)
    assert (root.tag, {each.tag for each in root}) == ("errors", {"error"})
    return [(int(each.findtext("code") or 0), each.findtext("description") or "") for each in root]


def rows(answer: httpx.Response, form: str) -> list[dict[str, Any]]:
    """The rows of a list, as texts by name."""
    assert answer.status_code == 200, answer.text
    if form == "json":
        return list(answer.json())
    return [
        {child.tag: child.text for child in row} for row in ElementTree.fromstring(answer.content)
    ]


async def post(county: County, path: str, pairs: Sequence[tuple[str, str]]) -> httpx.Response:
    url = f"{county.known.services['intake']}/open311/v2/{path}"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return await county.http.post(url, content=urlencode(pairs), headers=headers)


async def listed(county: County, number: int) -> str:
    record_id = await county.accepted(submission(number))

    async def shown() -> bool:
        return (await county.request(record_id))["lat"] is not None

    await until(shown, "the request is shown")
    return record_id


@FORMS
@pytest.mark.parametrize("path", PATHS)
async def test_jurisdictions_are_ours_under_two_names_or_not_known(
    county: County, path: str, form: str
) -> None:
    for name in ("miamidade", "miamidade.gov", "", " "):
        answer = await county.open311(f"{path}.{form}", jurisdiction_id=name)
        assert answer.status_code == 200, name
    answer = await county.open311(f"{path}.{form}", jurisdiction_id="broward.org")
    assert answer.status_code == 404
    ((code, said),) = errors(answer, form)
    assert (code, "jurisdiction_id" in said, "broward" in said) == (404, True, False)


@FORMS
async def test_an_empty_parameter_counts_as_not_sent(county: County, form: str) -> None:
    names = (
        "service_request_id",
        "service_code",
        "status",
        "start_date",
        "end_date",
        "updated_after",
        "updated_before",
        "bbox",
        "page",
        "page_size",
        "extensions",
    )
    answer = await county.open311(f"requests.{form}", **dict.fromkeys(names, ""))
    assert answer.status_code == 200
    empty = {"start_date": "", "end_date": " ", "api_key": ""}
    answer = await county.open311(f"servicerequestupdates.{form}", **empty)
    assert answer.status_code == 200


@FORMS
async def test_all_that_is_wrong_is_said_at_once(county: County, form: str) -> None:
    wrong = {"status": "halfway", "bbox": "1,2", "page": "seventeen", "start_date": "someday"}
    answer = await county.open311(f"requests.{form}", **wrong)
    assert answer.status_code == 400
    found = errors(answer, form)
    assert len(found) == len(wrong)
    for field, value in wrong.items():
        assert any(said.startswith(field) for _, said in found)
        assert all(value not in said for _, said in found)
    # Of several the answer's status is that of what is not known.
    answer = await county.open311(f"requests.{form}", jurisdiction_id="x", page="x")
    assert answer.status_code == 404
    assert sorted(code for code, _ in errors(answer, form)) == [400, 404]


@FORMS
@pytest.mark.parametrize(
    "path",
    ["services/NO-SUCH", "requests/nothing-such", "requests/0", "tokens/nothing-such"],
)
async def test_what_is_not_known_is_404(county: County, path: str, form: str) -> None:
    answer = await county.open311(f"{path}.{form}")
    assert answer.status_code == 404
    assert [code for code, _ in errors(answer, form)] == [404]


@FORMS
async def test_a_read_with_a_key_and_hundreds_of_parameters_is_answered(
    county: County, form: str
) -> None:
    others = {f"other{number}": "1" for number in range(400)}
    answer = await county.open311(f"services.{form}", api_key="no-such-key", **others)
    assert answer.status_code == 200
    assert rows(answer, form)


@FORMS
@pytest.mark.parametrize("path", ["requests", "servicerequestupdates"])
@pytest.mark.parametrize("key", [None, "", "no-such-key"])
async def test_a_post_needs_a_key_and_a_get_does_not(
    county: County, path: str, key: str | None, form: str
) -> None:
    pairs = [] if key is None else [("api_key", key)]
    answer = await post(county, f"{path}.{form}", pairs)
    assert answer.status_code == 403
    ((code, said),) = errors(answer, form)
    assert code == 403
    assert "no-such-key" not in said
    assert (await county.open311(f"{path}.{form}")).status_code == 200


@FORMS
async def test_an_update_is_taken_once_and_its_key_is_for_one_content(
    county: County, form: str
) -> None:
    record_id = await listed(county, 9300)
    pairs = [
        ("api_key", county.known.api_keys["app"]),
        ("service_request_id", record_id),
        ("update_id", f"u-{form}"),
        ("status", "OPEN"),
        ("updated_datetime", "2026-01-01T00:00:00.5+02:00"),
        ("description", "Still barking."),
        ("email", ""),
    ]
    path = f"servicerequestupdates.{form}"
    first, again = [rows(await post(county, path, pairs), form) for _ in range(2)]
    assert first == again
    assert set(first[0]) == {"update_id", "service_notice", "account_id"}
    assert (first[0]["service_notice"], first[0]["account_id"]) == (None, None)
    other = [(name, "Howling." if name == "description" else value) for name, value in pairs]
    answer = await post(county, path, other)
    assert answer.status_code == 409
    assert [code for code, _ in errors(answer, form)] == [409]
    shown = rows(await county.open311(path), form)
    (update,) = [each for each in shown if each["update_id"] == first[0]["update_id"]]
    assert set(update) == {
        "update_id",
        "service_request_id",
        "status",
        "updated_datetime",
        "description",
        "media_url",
        "extras",
    }
    assert (update["description"], update["media_url"]) == (None, None)
    assert update["updated_datetime"] > "2026-01-01T00:00:00Z"


@FORMS
async def test_a_row_has_every_key_and_its_types(county: County, form: str) -> None:
    record_id = await listed(county, 9301)
    (row,) = rows(await county.open311(f"requests/{record_id}.{form}"), form)
    assert set(row) == KEYS
    assert row["media_url"] is None
    assert row["description"] is None
    assert row["status"] == "open"
    for name in ("requested_datetime", "updated_datetime"):
        at = datetime.strptime(row[name], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        assert abs(datetime.now(UTC) - at) < timedelta(hours=1)
    if form == "json":
        assert (row["lat"], row["long"]) == (25.666, -80.358)
    else:
        assert (row["lat"], row["long"]) == ("25.666000", "-80.358000")


@FORMS
async def test_ids_override_all_filters_and_come_in_the_order_asked(
    county: County, form: str
) -> None:
    ids = [await listed(county, number) for number in (9302, 9303)]
    wanted = ",".join([ids[1], "nothing-such", ids[0], ids[1]])
    filters = {"status": "closed", "start_date": "2001-01-01", "service_code": "NO-SUCH"}
    found = rows(
        await county.open311(f"requests.{form}", service_request_id=wanted, **filters), form
    )
    assert [each["service_request_id"] for each in found] == [ids[1], ids[0]]
    paged = {"service_request_id": wanted, "page": "2", "page_size": "1"}
    found = rows(await county.open311(f"requests.{form}", **paged), form)
    assert [each["service_request_id"] for each in found] == []
    found = rows(await county.open311(f"requests.{form}", **{**paged, "page": "3"}), form)
    assert [each["service_request_id"] for each in found] == [ids[0]]


@FORMS
async def test_past_the_end_there_is_nothing_and_a_window_has_ninety_days(
    county: County, form: str
) -> None:
    answer = await county.open311(f"requests.{form}", page="100000", page_size="1000")
    assert rows(answer, form) == []
    if form == "xml":
        assert answer.text.endswith("<service_requests/>")
    else:
        assert answer.text == "[]"
    for path, first, last in (
        ("requests", "start_date", "end_date"),
        ("requests", "updated_after", "updated_before"),
        ("servicerequestupdates", "start_date", "end_date"),
    ):
        window = {first: "2026-01-01T00:00:00Z", last: "2026-04-01T00:00:00Z"}
        assert (await county.open311(f"{path}.{form}", **window)).status_code == 200
        window[last] = "2026-04-01T00:00:01Z"
        answer = await county.open311(f"{path}.{form}", **window)
        assert answer.status_code == 400
        assert [said.split()[0] for _, said in errors(answer, form)] == [first]


@FORMS
async def test_times_are_read_in_every_form(county: County, form: str) -> None:
    for text in (
        "2026-03-02T07:00:00Z",
        "2026-03-02T02:00:00-05:00",
        "2026-03-02T07:00:00.123Z",
        "2026-03-02T07:00:00",
    ):
        for path in ("requests", "servicerequestupdates"):
            answer = await county.open311(f"{path}.{form}", start_date=text)
            assert answer.status_code == 200, text


@FORMS
async def test_extensions_add_three_things(county: County, form: str) -> None:
    record_id = await listed(county, 9304)
    answer = await county.open311(f"requests/{record_id}.{form}", extensions="true")
    (row,) = rows(answer, form)
    assert set(row) == KEYS | {"attributes", "extended_attributes", "notes"}
    if form == "json":
        assert row["extended_attributes"]["photos"] == []
        assert (row["attributes"], row["notes"]) == ([], [])


async def test_a_request_without_a_point_is_found_by_its_id_and_in_no_list(county: County) -> None:
    record_id = await county.accepted(submission(9305, place=NOWHERE))
    later = await listed(county, 9306)
    await county.caught_up()
    page = (await county.open311("requests.json", page_size="1000")).json()
    assert later in [each["service_request_id"] for each in page]
    assert record_id not in json.dumps(page)
    assert all(each["lat"] and each["long"] and each["address"] for each in page)
    assert (await county.request(record_id))["service_request_id"] == record_id


@FORMS
async def test_what_is_not_served_is_refused_in_the_format_asked_for(
    county: County, form: str
) -> None:
    assert [code for code, _ in errors(await county.open311(f"nothing.{form}"), form)] == [404]
    url = f"{county.known.services['intake']}/open311/v2/requests.{form}"
    answer = await county.http.put(url, content="x")
    assert answer.status_code == 405
    assert [code for code, _ in errors(answer, form)] == [405]


@FORMS
async def test_a_list_may_be_sent_in_several_parts(county: County, form: str) -> None:
    record_id = await listed(county, 9307)
    url = f"{county.known.services['intake']}/open311/v2/requests.{form}"
    parts = {"service_request_id": ["nothing-such", record_id]}
    found = rows(await county.http.get(url, params=parts), form)
    assert [each["service_request_id"] for each in found] == [record_id]
