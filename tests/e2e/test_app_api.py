"""The county's own apps: uploads by tickets, submitting in JSON, following by link and by code."""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.support.app_api import NOTICE, App, mailed, mails, order, text_of
from tests.support.county import County, Document, until
from tests.support.runtime import new_id
from tests.support.submissions import photo, submission

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]

LANGUAGES = ("en", "es", "ht")
CANARY = "Wurzelgruber"


# ---------------------------------------------------------------- uploads and submitting


async def test_files_are_brought_to_the_store_and_belong_to_the_request_that_names_them(
    county: County,
) -> None:
    app = App(county)
    picture = photo("x", (25, 40, 1), (80, 20, 1))
    digest = hashlib.sha256(picture).hexdigest()
    ids = [await app.uploaded(picture, sha256=digest), await app.uploaded(b"notes", "text/plain")]
    key = new_id("key")
    record_id, link = await app.submitted(order(300, file_ids=ids), key)
    again = await app.call("POST", "/v1/requests", order(300, file_ids=ids), key=key)
    assert (again.status_code, again.json()["service_request_id"]) == (200, record_id)
    other = await app.call("POST", "/v1/requests", order(301, file_ids=ids[:1]))
    assert (other.status_code, other.json()["field"]) == (422, "file_ids.0")

    async def examined() -> list[Document] | None:
        files: list[Document] = (await app.followed(record_id, link))["files"]
        return files if all(each["state"] == "stored" for each in files) else None

    files = await until(examined, "both files are stored")
    assert [each["file_id"] for each in files] == ids
    copy = await county.http.get(files[0]["url"])
    assert copy.headers["content-type"] == "image/jpeg"
    assert files[1]["url"] is None


async def test_a_ticket_takes_the_bytes_that_were_announced_once(county: County) -> None:
    app = App(county)
    body = b"seven b"
    answer = await app.call(
        "POST", "/v1/uploads", {"files": [{"content_type": "text/plain", "size": 7}] * 3}
    )
    assert answer.headers["cache-control"] == "no-store"
    tickets = answer.json()["uploads"]
    first, headers = tickets[0], tickets[0]["headers"]
    put = county.http.put
    assert (
        await put(first["url"], content=b"longer than seven", headers=headers)
    ).status_code > 399
    html = {**headers, "Content-Type": "text/html"}
    assert (await put(first["url"], content=body, headers=html)).status_code == 403
    assert (await put(first["url"], content=body, headers=headers)).status_code == 200
    assert (await put(first["url"], content=b"another", headers=headers)).status_code == 412
    assert datetime.fromisoformat(first["expires_at"]) > datetime.now(UTC)
    # What never came, what nobody gave out, and what another client was given.
    third = App(county, "legacy")
    for file_ids, field in (
        ([first["file_id"], tickets[1]["file_id"]], "file_ids.1"),
        (["0195a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b"], "file_ids.0"),
    ):
        refused = await app.call("POST", "/v1/requests", order(302, file_ids=file_ids))
        assert (refused.status_code, refused.json()["field"]) == (422, field)
    stolen = await third.call("POST", "/v1/requests", order(302, file_ids=[first["file_id"]]))
    assert (stolen.status_code, stolen.json()["field"]) == (422, "file_ids.0")
    # None of these refusals has used the ticket up.
    await app.submitted(order(302, file_ids=[first["file_id"]]))


async def test_bytes_that_are_not_those_of_the_digest_are_refused(county: County) -> None:
    app = App(county)
    upload_id = await app.uploaded(b"other bytes", "text/plain", sha256="0" * 64)
    refused = await app.call("POST", "/v1/requests", order(303, file_ids=[upload_id]))
    assert (refused.status_code, refused.json()["field"]) == (422, "file_ids.0")


@pytest.mark.policy("P6")
async def test_what_the_app_runs_on_is_counted_and_belongs_to_no_request(county: County) -> None:
    app = App(county)
    facts = {"device": "Tablet", "operating_system": "iPadOS 17.3", "app_version": "9.87.1"}
    record_id, _ = await app.submitted(
        order(304, app=facts, contact_consent={"by": ["text", "email"]})
    )

    async def counted() -> list[Document] | None:
        found: list[Document] = await county.get("intake", "/v1/app-counts", "admin")
        return [each for each in found if each["value"] in ("9.87.1", "ipados 17.3")] or None

    found = await until(counted, "the facts are counted")
    assert {(each["client_id"], each["field"]) for each in found} >= {("app", "app_version")}
    with county.database() as database:
        document = database["intake"].requests.find_one({"_id": record_id})
        counts = list(database["intake"].app_counts.find({}))
    assert document is not None
    assert "9.87.1" not in repr(document)
    assert document["contact_by"] == ["text", "email"]
    assert record_id not in repr(counts)


async def test_one_answer_names_everything_that_is_wrong(county: County) -> None:
    app = App(county)
    wrong = {
        "service_code": CANARY,
        "lat": 125.5,
        "first_name": f"{CANARY}\x07",
        "email": CANARY,
        "attributes": {"SIZE": [CANARY, "b"], CANARY: {"x": 1}},
        "contact_consent": {"by": ["phone"]},
        "app": {"device": CANARY},
    }
    answer = await app.call("POST", "/v1/requests", wrong)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    fields = [each["field"] for each in answer.json()["errors"]]
    assert set(fields) == {
        "attributes",
        "service_code",
        "lat",
        "long",
        "first_name",
        "email",
        "email_notice_version",
        "contact_consent.by",
        "app.device",
    }
    assert CANARY not in answer.text


BAD: list[tuple[str, str, Any, int, str | None]] = [
    ("POST", "/v1/uploads", {}, 422, "files"),
    ("POST", "/v1/uploads", {"files": []}, 422, "files"),
    ("POST", "/v1/uploads", {"files": [{"content_type": CANARY}]}, 422, "files.0.size"),
    (
        "POST",
        "/v1/uploads",
        {"files": [{"content_type": CANARY, "size": 10**12}]},
        422,
        "files.0.size",
    ),
    (
        "POST",
        "/v1/uploads",
        {"files": [{"content_type": "a/b", "size": 1, "sha256": CANARY}]},
        422,
        "files.0.sha256",
    ),
    (
        "POST",
        "/v1/uploads",
        {"files": [{"content_type": "a/b", "size": 1}] * 21},
        422,
        "files",
    ),
    ("POST", "/v1/requests", [CANARY], 422, ""),
    ("POST", "/v1/requests", {CANARY: CANARY}, 422, "service_code"),
    ("POST", "/v1/requests", order(310, lat=CANARY), 422, "lat"),
    ("POST", "/v1/requests", order(310, attributes=CANARY), 422, "attributes"),
    ("POST", "/v1/requests", order(310, file_ids=[f"{CANARY} "]), 422, "file_ids.0"),
    ("POST", "/v1/requests", order(310, description=CANARY * 500), 422, "description"),
    ("POST", "/v1/requests", order(310, description=f"{CANARY}\ud800"), 422, "description"),
    ("POST", "/v1/requests", order(310, attributes={CANARY: "x"}), 422, "attributes"),
    ("POST", "/v1/requests", order(310, attributes={"SIZE": CANARY}), 422, "attributes.SIZE"),
    ("POST", "/v1/requests", order(310, policy_version="0-unknown"), 422, "policy_version"),
    ("POST", "/v1/requests", order(310, email_notice_version="0"), 422, "email_notice_version"),
    (
        "POST",
        "/v1/requests",
        order(310, email_notice_version=None),
        422,
        "email_notice_version",
    ),
    (
        "POST",
        "/v1/requests",
        order(310, contact_consent={"by": [CANARY]}),
        422,
        "contact_consent.by.0",
    ),
    ("POST", "/v1/requests", order(310, app={"browser": CANARY}), 422, "app.browser"),
    ("POST", "/v1/requests", order(310, app={CANARY: "x"}), 422, "app"),
    ("POST", "/v1/requests", order(310, phone="12"), 422, "phone"),
    ("POST", "/v1/requests", order(310, jurisdiction_id=CANARY), 422, "jurisdiction_id"),
    ("POST", "/v1/requests", order(310, service_code="ANI-PET-ACCOUNT", file_ids=["u"]), 422, None),
    ("GET", "/v1/requests/nearby", None, 422, "service_code"),
    (
        "GET",
        f"/v1/requests/nearby?service_code={CANARY}&lat=25&long=-80",
        None,
        422,
        "service_code",
    ),
    (
        "GET",
        f"/v1/requests/nearby?service_code=ANI-STRAY-DOG&lat={CANARY}&long=-80",
        None,
        422,
        "lat",
    ),
    ("GET", "/v1/requests.atom", None, 422, "bbox"),
    ("GET", f"/v1/requests.atom?bbox={CANARY}", None, 422, "bbox"),
    ("GET", "/v1/requests.geojson?bbox=-80.5,25.5,-80.3,25.6", None, 422, "bbox"),
    (
        "GET",
        "/v1/requests.geojson?bbox=-80.4,25.6,-80.35,25.65&limit=501",
        None,
        422,
        "limit",
    ),
    (
        "GET",
        f"/v1/requests.geojson?bbox=-80.4,25.6,-80.35,25.65&service_code={CANARY}",
        None,
        422,
        "service_code",
    ),
]


async def test_bad_input_is_named_not_repeated_and_not_stored(county: County) -> None:
    app = App(county)

    async def stored() -> tuple[int, int]:
        with county.database() as database:
            intake = database["intake"]
            return intake.requests.count_documents({}), intake.upload_tickets.count_documents({})

    before = await stored()
    for method, path, body, status, field in BAD:
        content = None if body is None else json.dumps(body)
        answer = await county.http.request(
            method,
            f"{app.url}{path}",
            content=content,
            headers={**app.headers, "Content-Type": "application/json"},
        )
        said = answer.json()
        assert answer.status_code == status, (path, body, answer.text)
        assert field in (None, said["field"]), (path, body, answer.text)
        assert CANARY not in answer.text
    assert await stored() == before


async def test_a_front_end_without_a_key_submits_nothing(county: County) -> None:
    nobody = App(county, None)
    for path, body in (
        ("/v1/uploads", {"files": [{"content_type": "a/b", "size": 1}]}),
        ("/v1/requests", order(311)),
        ("/v1/requests/x/codes", {"email": "a@example.org"}),
        ("/v1/requests/x/codes/redeem", {"code": "12345678"}),
    ):
        for headers in ({}, {"X-Api-Key": CANARY}):
            answer = await nobody.call("POST", path, body, headers=headers)
            assert (answer.status_code, answer.json()["field"]) == (401, "X-Api-Key")
            assert CANARY not in answer.text


# ---------------------------------------------------------------- emergency


async def test_danger_to_life_is_answered_at_once_and_shown_to_the_department(
    county: County,
) -> None:
    app = App(county)
    answer = await app.call(
        "POST", "/v1/requests", order(320, description="A dog is trapped, the house is on fire.")
    )
    said = answer.json()
    assert answer.status_code == 201
    assert set(said["emergency"]) == set(LANGUAGES)
    assert all("911" in text for text in said["emergency"].values())
    assert said["notice"].startswith(said["emergency"]["en"])
    job = await county.routed(said["service_request_id"])
    assert job["routed"]["emergency_assistance"] is True
    followed = await app.followed(said["service_request_id"], said["link"]["token"])
    assert followed["emergency_assistance"] is True
    calm = await app.call("POST", "/v1/requests", order(321))
    assert calm.json()["emergency"] is None
    old = await county.submit(submission(322, description="Gen dife nan kay la"))
    assert old.json()[0]["service_notice"].count("911") >= 3


# ---------------------------------------------------------------- following


@pytest.mark.policy("P5")
async def test_a_comment_is_sealed_as_typed_and_passed_on_without_personal_details(
    county: County,
) -> None:
    app = App(county)
    record_id, link = await app.submitted(order(330))
    await county.routed(record_id)
    path = f"/v1/requests/{record_id}/comments"
    body = {"text": "It is back. Call me at 305-555-0188. My card is 4012 8888 8888 1881."}
    taken = await app.call("POST", path, body, link=link, key="c-330")
    assert taken.status_code == 201, taken.text
    assert (await app.call("POST", path, body, link=link, key="c-330")).json() == taken.json()
    other = await app.call("POST", path, {"text": "Other."}, link=link, key="c-330")
    assert other.status_code == 409
    assert taken.json()["masked"] is True
    assert "555-0188" not in taken.text
    followed = await app.followed(record_id, link)
    (said,) = [each for each in followed["history"] if each["kind"] == "reporter"]
    assert said["text"] == taken.json()["text"]

    async def passed_on() -> list[Document] | None:
        found: list[Document] = (await county.job(record_id))["routed"].get("remarks", [])
        return found or None

    assert [each["text"] for each in await until(passed_on, "the department has it")] == [
        said["text"]
    ]
    public = await county.request(record_id)
    assert "It is back" not in json.dumps(public)
    read = await county.read_contact(record_id, "agent", "olga", fields=["comments"])
    (typed,) = json.loads(read.json()["fields"]["comments"])
    assert "305-555-0188" in typed["text"]
    assert "4012" not in typed["text"]


async def test_files_are_added_later_and_once(county: County) -> None:
    app = App(county)
    record_id, link = await app.submitted(order(331))
    upload_id = await app.uploaded(photo("x", (25, 40, 1), (80, 20, 1)))
    path = f"/v1/requests/{record_id}/media"
    for _ in range(2):
        added = await app.call("POST", path, {"file_ids": [upload_id]}, link=link)
        assert added.status_code == 201, added.text
        assert [each["file_id"] for each in added.json()["files"]] == [upload_id]

    async def shown() -> str | None:
        url: str | None = (await county.request(record_id))["media_url"]
        return url

    assert await until(shown, "the picture is published")
    elsewhere, its_link = await app.submitted(order(332))
    used = await app.call(
        "POST", f"/v1/requests/{elsewhere}/media", {"file_ids": [upload_id]}, link=its_link
    )
    assert (used.status_code, used.json()["field"]) == (422, "file_ids.0")


async def test_a_held_complaint_goes_to_work_once_it_has_a_name_and_an_address(
    county: County,
) -> None:
    app = App(county)
    answer = await app.call(
        "POST",
        "/v1/requests",
        {
            "service_code": "CODE-JUNK",
            "lat": 25.666,
            "long": -80.358,
            "description": "Junk on the lot.",
        },
    )
    said = answer.json()
    assert said["status"] == "identity_required"
    record_id, link = said["service_request_id"], said["link"]["token"]
    path = f"/v1/requests/{record_id}/corrections"
    half = await app.call("POST", path, {"first_name": "Zora", "last_name": "Neale"}, link=link)
    assert half.status_code == 200, half.text
    assert (await app.followed(record_id, link))["held_because"] == "name_and_address"
    whole = await app.call("POST", path, {"reporter_address": "111 NW 1 ST, Miami"}, link=link)
    assert whole.status_code == 200, whole.text
    followed = await app.followed(record_id, link)
    assert followed["held_because"] is None
    assert followed["status"] in ("received", "routed")
    assert (await county.routed(record_id))["department"]


async def test_a_request_is_withdrawn_by_its_reporter_while_it_is_open(county: County) -> None:
    app = App(county)
    record_id, link = await app.submitted(order(333))
    await county.routed(record_id)
    path = f"/v1/requests/{record_id}/withdraw"
    ended = await app.call("POST", path, link=link, key="w")
    assert (ended.status_code, ended.json()["status"]) == (200, "withdrawn")
    assert (await app.call("POST", path, link=link, key="w")).json() == ended.json()
    assert (await county.request(record_id))["status"] == "closed"

    async def recalled() -> bool:
        return str((await county.job(record_id))["status"]) == "withdrawn"

    await until(recalled, "the department has nothing to do any more")


async def test_no_link_opens_another_request_and_staff_have_ways_of_their_own(
    county: County,
) -> None:
    app = App(county)
    record_id, _ = await app.submitted(order(334))
    _, link = await app.submitted(order(335))
    calls: list[tuple[str, str, Mapping[str, object] | None]] = [
        ("GET", "follow", None),
        ("POST", "comments", {"text": CANARY}),
        ("POST", "media", {"file_ids": ["0195a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b"]}),
        ("POST", "withdraw", None),
        ("POST", "notifications", {"email_notice_version": NOTICE}),
        ("DELETE", "notifications", None),
    ]
    for method, step, body in calls:
        path = f"/v1/requests/{record_id}/{step}"
        assert (await app.call(method, path, body)).status_code == 401
        refused = await app.call(method, path, body, link=link)
        assert refused.status_code == 403, refused.text
        assert CANARY not in refused.text
        staff = await county.ask(method, "intake", path, "agent", "olga", body)
        assert staff.status_code == 403
    assert (await county.request(record_id))["status"] == "open"


# ---------------------------------------------------------------- codes and messages


def _mailbox() -> str:
    """An address that no other test, and no earlier run, has written to."""
    return f"{new_id('box')}@example.org"


async def test_a_code_opens_the_request_to_whoever_reads_its_mailbox(county: County) -> None:
    app = App(county)
    sent = order(340, email=_mailbox())
    record_id, _ = await app.submitted(sent)
    path = f"/v1/requests/{record_id}/codes"
    wrong = await app.call("POST", path, {"email": "somebody.else@example.org"})
    right = await app.call("POST", path, {"email": str(sent["email"]).upper(), "language": "es"})
    none = await app.call("POST", "/v1/requests/none-such/codes", {"email": sent["email"]})
    assert {each.status_code for each in (wrong, right, none)} == {202}
    assert len({each.text for each in (wrong, right, none)}) == 1
    (message,) = await mailed(county, str(sent["email"]))
    assert mails(county, "somebody.else@example.org") == []
    text = text_of(message)
    assert "registros públicos" in text
    assert str(sent["first_name"]) not in text
    code = re.search(r"\b\d{8}\b", text)
    assert code is not None
    redeem = f"{path}/redeem"
    bad = await app.call("POST", redeem, {"code": "00000000" if code[0] != "00000000" else "1"})
    assert (bad.status_code, bad.json()["field"]) == (403, "code")
    good = await app.call("POST", redeem, {"code": code[0]})
    assert good.status_code == 200, good.text
    assert good.headers["cache-control"] == "no-store"
    assert (await app.followed(record_id, good.json()["token"]))["service_request_id"] == record_id
    assert (await app.call("POST", redeem, {"code": code[0]})).status_code == 403
    with county.database() as database:
        kept = repr(database["intake"].codes.find_one({"_id": record_id}))
    assert code[0] not in kept
    assert "nonce" not in kept


async def test_five_wrong_tries_end_a_code(county: County) -> None:
    app = App(county)
    sent = order(341, email=_mailbox())
    record_id, _ = await app.submitted(sent)
    path = f"/v1/requests/{record_id}/codes"
    await app.call("POST", path, {"email": sent["email"]})
    (message,) = await mailed(county, str(sent["email"]))
    code = re.search(r"\b\d{8}\b", text_of(message))
    assert code is not None
    for _ in range(5):
        refused = await app.call("POST", f"{path}/redeem", {"code": CANARY})
        assert refused.status_code == 403
        assert CANARY not in refused.text
    assert (await app.call("POST", f"{path}/redeem", {"code": code[0]})).status_code == 403
    statuses = [
        (await app.call("POST", path, {"email": "x@example.org"})).status_code for _ in range(10)
    ]
    assert statuses[:9] == [202] * 9
    late = await app.call("POST", path, {"email": sent["email"]})
    assert late.status_code == 429
    assert int(late.headers["retry-after"]) > 0


async def test_a_new_status_is_told_by_e_mail_once_the_mail_server_is_back(
    county: County,
) -> None:
    app = App(county)
    sent = order(342, email=_mailbox())
    address = str(sent["email"])
    record_id, link = await app.submitted(sent)
    await county.routed(record_id)
    path = f"/v1/requests/{record_id}/notifications"
    bad = await app.call("POST", path, {"email_notice_version": "0"}, link=link)
    assert (bad.status_code, bad.json()["field"]) == (422, "email_notice_version")
    wanted = {"email_notice_version": NOTICE, "language": "ht"}
    for _ in range(2):
        asked = await app.call("POST", path, wanted, link=link, key="n")
        assert asked.json() == {"by_email": True, "language": "ht"}, asked.text

    async def known() -> bool:
        return str((await app.followed(record_id, link))["department"]) == "animal_services"

    await until(known, "intake knows the department")
    county.stack.kill9("mail")
    try:
        done = await county.department(
            "animal_services", "answer", record_id, "in_progress", "--note", f"{CANARY} is on it."
        )
        assert done.code == 0, done.errors

        async def tried() -> bool:
            with county.database() as database:
                found = database["intake"].requests.find_one({"_id": record_id})
            return bool(found and found.get("mail") and found["mail"]["tries"] >= 1)

        await until(tried, "the message was tried")
        assert mails(county, address) == []
    finally:
        county.stack.start("mail")
        county.stack.wait_ready("mail")
    (message,) = await mailed(county, address)
    text = text_of(message)
    assert record_id in text
    assert CANARY not in text
    assert "dosye piblik" in text
    assert message["Auto-Submitted"] == "auto-generated"
    silent = await app.call("DELETE", path, link=link)
    assert silent.json() == {"by_email": False, "language": None}


async def test_who_gave_no_address_cannot_be_told(county: County) -> None:
    app = App(county)
    without = {k: v for k, v in order(343).items() if not k.startswith("email")}
    record_id, link = await app.submitted(without)
    path = f"/v1/requests/{record_id}/notifications"
    refused = await app.call("POST", path, {"email_notice_version": NOTICE}, link=link)
    assert (refused.status_code, refused.json()["field"]) == (409, "email")


# ---------------------------------------------------------------- open requests of an area


async def test_open_requests_near_a_place_and_of_an_area_show_what_is_public(
    county: County,
) -> None:
    app = App(county)
    here = {"lat": 25.6671, "long": -80.3591}
    record_id, link = await app.submitted(order(350, **here))
    away, _ = await app.submitted(order(351, lat=25.6691, long=-80.3591))

    async def near() -> list[Document] | None:
        path = "/v1/requests/nearby?service_code=ANI-STRAY-DOG&lat=25.6672&long=-80.3592"
        answer = await county.http.get(app.url + path)
        found = {each["service_request_id"]: each for each in answer.json()["requests"]}
        return [found[record_id]] if record_id in found and away not in found else None

    (found,) = await until(near, "the request is near")
    assert 0 < found["metres"] < 30
    assert found["description"] is None
    area = "bbox=-80.40,25.60,-80.31,25.69&service_code=ANI-STRAY-DOG,CODE-JUNK"
    geojson = await county.http.get(f"{app.url}/v1/requests.geojson?{area}")
    assert geojson.headers["content-type"] == "application/geo+json"
    features = {each["id"]: each for each in geojson.json()["features"]}
    assert features[record_id]["geometry"] == {"type": "Point", "coordinates": [-80.3591, 25.6671]}
    person = order(350)
    for name in ("first_name", "last_name", "email", "phone"):
        assert str(person[name]) not in geojson.text
    atom = await county.http.get(f"{app.url}/v1/requests.atom?{area}")
    assert atom.headers["content-type"].startswith("application/atom+xml")
    names = {"a": "http://www.w3.org/2005/Atom", "g": "http://www.georss.org/georss"}
    feed = ElementTree.fromstring(atom.content)
    for element in ("a:id", "a:title", "a:updated", "a:author/a:name"):
        assert feed.findtext(element, namespaces=names)
    entries = {
        each.findtext("a:id", namespaces=names): each for each in feed.findall("a:entry", names)
    }
    entry = entries[f"urn:uuid:{record_id}"]
    assert entry.findtext("g:point", namespaces=names) == "25.6671 -80.3591"
    for element in ("a:title", "a:updated", "a:published"):
        assert entry.findtext(element, namespaces=names)
    await app.call("POST", f"/v1/requests/{record_id}/withdraw", link=link)

    async def gone() -> bool:
        answer = await county.http.get(f"{app.url}/v1/requests.geojson?{area}")
        return record_id not in answer.text

    await until(gone, "what is closed is shown no more")
