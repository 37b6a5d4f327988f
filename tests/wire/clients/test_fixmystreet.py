"""FixMyStreet's calls, as its Perl client makes them and reads the answers.

From FixMyStreet's published source: `Open311.pm` (what is sent, how XML is read),
`Open311/UpdatesBase.pm`, `GetServiceRequestUpdates.pm` and `PostServiceRequestUpdates.pm` (dates as
strings, what a repeat is), `PopulateServiceList.pm` (services with metadata), and open311-adapter's
`Passthrough.pm`, which stands between the two. XML only.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4
from xml.etree import ElementTree

import httpx
import pytest

from tests.support.county import County, until
from tests.support.submissions import ANIMALS

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

GROUP_TAGS = {
    "services": "service",
    "attributes": "attribute",
    "values": "value",
    "service_requests": "request",
    "errors": "error",
    "service_request_updates": "request_update",
}
RUN = uuid4().hex
"""The same words again within a day are the same request."""
CLIENT = "legacy"
"""A client that is flagged `retries_without_key`, as FixMyStreet's is."""


def simple(element: ElementTree.Element, top: bool = True) -> Any:
    """An element as `XML::Simple` gives it with FixMyStreet's `ForceArray`, `GroupTags`, no
    `KeyAttr` and `SuppressEmpty => undef`: empty is undefined, what repeats is always a list, and a
    group is its list, but for the root."""
    if not len(element):
        return element.text
    found: dict[str, Any] = {}
    for child in element:
        value = simple(child, top=False)
        if child.tag in GROUP_TAGS.values():
            found.setdefault(child.tag, []).append(value)
        elif child.tag in found:
            found[child.tag] = [
                *(found[child.tag] if isinstance(found[child.tag], list) else [found[child.tag]]),
                value,
            ]
        else:
            found[child.tag] = value
    inner = GROUP_TAGS.get(element.tag)
    return found[inner] if not top and inner in found and len(found) == 1 else found


class FixMyStreet:
    """`Open311.pm` in the order of its subroutines."""

    def __init__(self, county: County, client: str = CLIENT) -> None:
        self._http = county.http
        self._endpoint = f"{county.known.services['intake']}/open311/v2/"
        self._api_key = county.known.api_keys[client]
        self.error = ""

    async def get(self, path: str, **params: str) -> Any:
        params["jurisdiction_id"] = "miamidade"
        return self._read(await self._http.get(f"{self._endpoint}{path}?{urlencode(params)}"))

    async def post(self, path: str, params: dict[str, Any]) -> Any:
        params |= {"jurisdiction_id": "miamidade", "api_key": self._api_key}
        body = urlencode(params, doseq=True)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._read(
            await self._http.post(f"{self._endpoint}{path}", content=body, headers=headers)
        )

    def _read(self, answer: httpx.Response) -> Any:
        assert answer.headers["content-type"] == "text/xml; charset=utf-8"
        assert answer.text.startswith("<?xml version=")
        found = simple(ElementTree.fromstring(answer.content))
        if not answer.is_success:
            self.error = "".join(f"{e['code']}: {e['description']}\n" for e in found["error"])
            return None
        return found

    async def send(self, number: int, **changed: Any) -> str | None:
        """`send_service_request`: the id, or that of the token, or nothing."""
        params = {
            "description": (
                f"title: Dog {number} of {RUN}\n\ndetail: It runs.\n\nurl: https://fms.example/{number}\n\n"
                "Submitted via FixMyStreet\n"
            ),
            "service_code": ANIMALS,
            "first_name": "Zora",
            "last_name": "Neale",
            "email": f"zora{number}@example.org",
            "lat": "25.666123",
            "long": "-80.358456",
            "deviceid": "iOS",
            "attribute[SIZE]": "medium",
            **changed,
        }
        found = await self.post("requests.xml", params)
        if found is None:
            return None
        (request,) = found["request"]
        return str(request["service_request_id"] or request.get("token"))

    async def updates(self, start: datetime, end: datetime) -> list[dict[str, Any]]:
        """`get_service_request_updates`, and the checks of `UpdatesBase`: dates as strings."""
        first, last = w3c(start), w3c(end)
        params = {"api_key": self._api_key, "start_date": first, "end_date": last}
        found = (await self.get("servicerequestupdates.xml", **params)) or {}
        for each in (found or {}).get("request_update", []):
            assert first < each["updated_datetime"] < last
            assert each["service_request_id"]
        return list((found or {}).get("request_update", []))

    async def comment(self, record_id: str, comment_id: int, **changed: str) -> str | None:
        """`post_service_request_update`."""
        params = {
            "updated_datetime": w3c(datetime.now(UTC)),
            "service_request_id": record_id,
            "status": "OPEN",
            "description": "Still there. My number is 305-555-0177.",
            "last_name": "-",
            "first_name": "Zora",
            "phone": "305-555-0177",
            "email": "zora@example.org",
            "update_id": str(comment_id),
            **changed,
        }
        found = await self.post("servicerequestupdates.xml", params)
        return str(found["request_update"][0]["update_id"]) if found else None


def w3c(at: datetime) -> str:
    """As `DateTime::Format::W3CDTF` writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def fixmystreet(county: County) -> FixMyStreet:
    return FixMyStreet(county)


async def test_the_list_of_services_and_their_questions_are_read(fixmystreet: FixMyStreet) -> None:
    listed = await fixmystreet.get("services.xml")
    services = {each["service_code"]: each for each in listed["service"]}
    assert services[ANIMALS]["service_name"]
    assert services[ANIMALS]["metadata"] == "true"
    assert services[ANIMALS]["group"]
    definition = await fixmystreet.get(f"services/{ANIMALS}.xml")
    questions = {each["code"]: each for each in definition["attributes"]}
    assert questions["SIZE"]["variable"] == "true"
    assert questions["SIZE"]["required"] == "false"
    assert [value["key"] for value in questions["SIZE"]["values"]] == ["small", "medium", "large"]
    orders = [int(each["order"]) for each in definition["attributes"]]
    assert sorted(orders) == list(range(1, len(orders) + 1))


async def test_a_report_is_sent_once_however_often_it_is_retried(fixmystreet: FixMyStreet) -> None:
    first = await fixmystreet.send(9100)
    assert first
    assert await fixmystreet.send(9100) == first
    assert await fixmystreet.send(9101) != first


async def test_errors_are_read_by_code_and_description(fixmystreet: FixMyStreet) -> None:
    assert await fixmystreet.send(9102, service_code="NO-SUCH", lat="95") is None
    assert "404: service_code" in fixmystreet.error
    assert "400: lat" in fixmystreet.error


async def test_many_photos_are_sent_as_one_name(fixmystreet: FixMyStreet) -> None:
    urls = ["https://fms.example/1.jpg", "https://fms.example/2.jpg"]
    assert await fixmystreet.send(9103, media_url=urls)


async def test_a_place_keeps_its_six_decimals(fixmystreet: FixMyStreet, county: County) -> None:
    record_id = await fixmystreet.send(9104)
    assert record_id

    async def placed() -> dict[str, Any] | None:
        found = await fixmystreet.get("requests.xml", service_request_id=record_id)
        (request,) = found["request"]
        return dict(request) if request["lat"] else None

    request = await until(placed, "its place shows")
    assert (request["lat"], request["long"]) == ("25.666123", "-80.358456")
    assert request["status"] == "open"
    assert request["address"]
    assert request["description"] is None
    found = await county.open311(f"requests/{record_id}.json")
    assert (found.json()[0]["lat"], found.json()[0]["long"]) == (25.666123, -80.358456)


async def test_new_requests_are_found_by_window(fixmystreet: FixMyStreet) -> None:
    start = datetime.now(UTC) - timedelta(hours=1)
    record_id = await fixmystreet.send(9105)

    async def listed() -> dict[str, Any] | None:
        window = {"start_date": w3c(start), "end_date": w3c(datetime.now(UTC) + timedelta(hours=1))}
        found = await fixmystreet.get("requests.xml", **window, page_size="1000")
        return next((e for e in found["request"] if e["service_request_id"] == record_id), None)

    found = await until(listed, "the request is listed")
    # What FixMyStreet cannot put on the map, or into the window by its strings, it leaves out.
    assert found["lat"]
    assert found["long"]
    assert w3c(start) <= found["updated_datetime"]
    assert found["service_name"]


async def test_the_departments_answers_come_as_updates(
    fixmystreet: FixMyStreet, county: County
) -> None:
    begun = datetime.now(UTC) - timedelta(seconds=2)
    record_id = await fixmystreet.send(9106)
    assert record_id
    await county.routed(record_id)
    said = await county.department(
        "animal_services", "answer", record_id, "in_progress", "--note", "A crew is on its way."
    )
    assert said.code == 0, said.errors

    async def told() -> list[dict[str, Any]]:
        end = datetime.now(UTC) + timedelta(seconds=2)
        found = await fixmystreet.updates(begun, end)
        return [each for each in found if each["service_request_id"] == record_id]

    (update,) = await until(told, "the answer is among the updates")
    assert update["status"].lower() == "in_progress"
    assert update["description"] == "A crew is on its way."
    assert update["media_url"] is None
    assert update["extras"] == {"kind": "status", "extended_status": "in_progress"}
    at = datetime.fromisoformat(update["updated_datetime"])
    # Neither window that begins or ends with its second holds it.
    for start, end in ((at, at + timedelta(hours=1)), (at - timedelta(hours=1), at)):
        found = await fixmystreet.updates(start, end)
        assert update["update_id"] not in [each["update_id"] for each in found]
    found = await fixmystreet.updates(at - timedelta(seconds=1), at + timedelta(seconds=1))
    assert update["update_id"] in [each["update_id"] for each in found]


async def test_a_residents_update_is_a_comment_and_comes_back_under_the_id_it_got(
    fixmystreet: FixMyStreet, county: County
) -> None:
    begun = datetime.now(UTC) - timedelta(seconds=2)
    record_id = await fixmystreet.send(9107)
    assert record_id
    await county.routed(record_id)
    update_id = await fixmystreet.comment(record_id, 9107001, status="CLOSED")
    assert update_id
    # The next try after a lost answer: the same, though its time may differ.
    again = await fixmystreet.comment(record_id, 9107001, status="CLOSED")
    assert again == update_id
    assert await fixmystreet.comment(record_id, 9107001, description="Other words.") is None
    assert fixmystreet.error.startswith("409: ")

    async def told() -> list[dict[str, Any]]:
        found = await fixmystreet.updates(begun, datetime.now(UTC) + timedelta(seconds=2))
        return [each for each in found if each["service_request_id"] == record_id]

    (update,) = await until(told, "the comment is among the updates")
    # FixMyStreet knows the update by this id and does not take it for the department's.
    assert update["update_id"] == update_id
    assert (update["status"], update["description"]) == ("OPEN", None)
    assert update["extras"]["client_status"] == "CLOSED"
    shown = await county.request(record_id)
    assert shown["status"] == "open"
    assert [note["type"] for note in shown["notes"]] == ["comment"]
    assert "305-555-0177" not in str(shown)
    sealed = await county.read_contact(record_id, "agent", "ana", fields=["updates"])
    assert "My number is 305-555-0177" in sealed.json()["fields"]["updates"]


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"status": "closed"}, "400: status"),
        ({"service_request_id": "nothing-such"}, "404: service_request_id"),
        ({"update_id": ""}, "400: update_id"),
        ({"description": "x" * 4001}, "400: description"),
    ],
)
async def test_an_update_that_is_wrong_is_refused_by_name(
    fixmystreet: FixMyStreet, changed: dict[str, str], error: str
) -> None:
    record_id = await fixmystreet.send(9108)
    assert record_id
    assert await fixmystreet.comment(record_id, 9108001, **changed) is None
    assert error in fixmystreet.error


async def test_an_empty_window_and_an_unknown_key_are_told(
    fixmystreet: FixMyStreet, county: County
) -> None:
    past = datetime(2020, 1, 1, tzinfo=UTC)
    assert await fixmystreet.updates(past, past + timedelta(days=1)) == []
    fixmystreet._api_key = "no-such-key"
    assert await fixmystreet.comment("x", 1) is None
    assert fixmystreet.error.startswith("403: ")
