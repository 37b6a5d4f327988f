"""One request through all six services, on real servers."""

import json
from typing import Any

import httpx
import pytest

from direct311.verifier.bundle import verify_bundle
from direct311.verifier.checkpoint import Trust
from direct311.verifier.note import VerifierKey
from tests.support.county import County, Document, until, xml
from tests.support.submissions import ANIMALS, KENDALL, MIAMI_BEACH, NOWHERE, photo, submission

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]

WORDS = "Taken by Quirina Abascal-Oduya"
PHOTO = photo(WORDS, (25, 41, 13_731), (80, 22, 57_119))


# ---------------------------------------------------------------- there and back


@pytest.mark.policy("P7", "P8", "P9", "P16")
@pytest.mark.parametrize("form", ["json", "xml"])
async def test_a_request_reaches_its_department_and_the_answer_its_reporter(
    county: County, form: str
) -> None:
    fields = submission(1, description="Brown dog. Call me at 305-555-0101 or q.a@example.com.")
    answer = await county.submit(fields, [("IMG_1.jpg", PHOTO, "image/jpeg")], form=form)
    assert answer.status_code == 200, answer.text
    record_id = _id_in(answer, form)

    job = await county.routed(record_id)
    assert job["department"] == "animal_services"
    assert job["routed"]["place"]["latitude"] == pytest.approx(float(KENDALL["lat"]), abs=1e-4)
    assert job["due_on"]
    assert "305-555-0101" not in job["routed"]["text"]
    assert "q.a@example.com" not in job["routed"]["text"]
    assert "Brown dog" in job["routed"]["text"]

    copies = await _copies_with_media(county, record_id)
    assert [each["revision"] for each in copies] == list(range(1, len(copies) + 1))
    (public,) = copies[-1]["media"]
    await _is_a_clean_picture(county, public["url"])

    said = await county.department("animal_services", "answer", record_id, "in_progress")
    assert said.code == 0, said.errors
    note = "The dog is home. Questions: 305-555-0102."
    said = await county.department(
        "animal_services", "answer", record_id, "fixed", "--note", note, "--reference", "WO-1"
    )
    assert said.code == 0, said.errors
    assert said.lines[0]["status"] == "fixed"

    shown = await until(lambda: _closed(county, record_id), "the answer shows in public")
    assert "The dog is home." in shown["status_notes"]
    assert "305-555-0102" not in json.dumps(shown)
    assert [line["summary"] for line in shown["notes"]] == ["in_progress", "fixed"]
    assert shown["media_url"] == public["url"]
    assert shown["description"] is None

    said = await county.department("animal_services", "answer", record_id, "on_hold")
    assert said.code == 1
    assert said.lines[0]["code"] == "transition"


def _id_in(answer: httpx.Response, form: str) -> str:
    if form == "json":
        return str(answer.json()[0]["service_request_id"])
    root = xml(answer)
    assert root.tag == "service_requests"
    found = root.findtext("request/service_request_id")
    assert found
    return found


async def _copies_with_media(county: County, record_id: str) -> list[Document]:
    async def look() -> list[Document]:
        copies = await county.received("animal_services", record_id)
        return copies if copies and copies[-1]["media"] else []

    return await until(look, "the department has the request with its picture")


async def _is_a_clean_picture(county: County, url: str) -> None:
    picture = await county.http.get(url)
    assert picture.status_code == 200
    assert picture.headers["content-type"].startswith("image/")
    for encoding in ("utf-8", "utf-16-le"):
        assert WORDS.encode(encoding) not in picture.content
    for order in ("big", "little"):
        assert (13_731).to_bytes(4, order) not in picture.content


async def _closed(county: County, record_id: str) -> Document | None:
    shown = await county.request(record_id)
    return shown if shown["status"] == "closed" else None


async def test_an_inner_place_belongs_to_its_city_and_an_unknown_one_to_triage(
    county: County,
) -> None:
    beach = await county.accepted(submission(2, "ROAD-POTHOLE", MIAMI_BEACH))
    lost = await county.accepted(submission(3, "ROAD-POTHOLE", NOWHERE))
    kendall = await county.accepted(submission(4, "ROAD-POTHOLE", KENDALL))
    job = await county.routed(beach)
    assert (job["department"], job["routed"]["place"]["municipality"]) == (
        "city_referral",
        "Miami Beach",
    )
    assert (await county.routed(kendall))["department"] == "public_works"
    assert (await county.routed(lost))["department"] == "triage_311"


@pytest.mark.policy("P20")
async def test_a_department_cannot_read_its_neighbours_topic(county: County) -> None:
    said = await county.department(
        "animal_services", "watch", "--topic", "routed.public_works", "--limit", "1"
    )
    assert said.code == 3
    assert "refuses" in said.errors


async def test_an_answer_in_another_departments_name_changes_nothing(county: County) -> None:
    record_id = await county.accepted(submission(5))
    await county.routed(record_id)
    said = await county.department("public_works", "answer", record_id, "fixed")
    assert said.code == 1
    assert said.lines[0]["code"] == "wrong_department"
    assert (await county.request(record_id))["status"] == "open"


# ---------------------------------------------------------------- who reads what


@pytest.mark.policy("P4", "P5", "P11", "P20", "P21")
async def test_contact_is_for_the_assigned_department_and_every_look_is_in_the_log(
    county: County,
) -> None:
    fields = submission(6)
    record_id = await county.accepted(fields)
    await county.routed(record_id)
    await until(lambda: _assigned(county, record_id), "intake knows the department")

    answer = await county.read_contact(record_id, "department:animal_services", "maria")
    assert answer.status_code == 200, answer.text
    expected = {name: fields[name] for name in ("first_name", "phone")}
    assert answer.json()["fields"] == expected

    refused = await county.read_contact(record_id, "department:public_works", "pedro")
    assert refused.status_code == 403
    assert fields["phone"] not in refused.text

    entries = await _entries(county, record_id, 2)
    by_actor = {entry["actor"]: entry for entry in entries}
    assert by_actor["maria"]["outcome"] == "success"
    assert by_actor["maria"]["purpose"] == "respond"
    assert sorted(by_actor["maria"]["fields"]) == ["first_name", "phone"]
    assert by_actor["pedro"]["outcome"] == "denied"
    reason = by_actor["maria"]["signed_event"]
    assert "call back before the visit" in json.dumps(reason)
    assert fields["phone"] not in json.dumps(entries)
    assert fields["first_name"] not in json.dumps(entries)

    bundle = await county.post(
        "audit",
        "/v1/bundles",
        {"filter": {"record": record_id}, "reference": "LETTER-1"},
        "auditor",
        "ines",
    )
    vkey = await county.ask("GET", "audit", "/log/vkey", "auditor", "ines")
    report = verify_bundle(
        json.dumps(bundle).encode(), Trust((VerifierKey.parse(vkey.text.strip()),))
    )
    assert report.ok, report
    assert len(bundle["receipts"]) >= 2


async def _assigned(county: County, record_id: str) -> bool:
    shown = await county.request(record_id)
    return shown["agency_responsible"] is not None


async def _entries(county: County, record_id: str, at_least: int) -> list[Document]:
    async def look() -> list[Document]:
        page = await county.get(
            "audit", f"/v1/entries?record={record_id}&reference=LETTER-1", "auditor", "ines"
        )
        found = [entry for entry in page["entries"] if entry["actor"] != "ines"]
        return found if len(found) >= at_least else []

    return await until(look, "the looks are in the log")


@pytest.mark.policy("P12")
@pytest.mark.parametrize("purpose", ["marketing", "sale", "exchange", "commercial"])
async def test_no_role_reads_for_a_purpose_that_the_policy_rules_out(
    county: County, purpose: str
) -> None:
    record_id = await county.accepted(submission(7))
    for role in ("agent", "inspector", "custodian", "counsel", "admin", "auditor"):
        answer = await county.read_contact(
            record_id, role, "eva", purpose=purpose, reference="WO-7"
        )
        assert answer.status_code == 403, role
    entries = await _entries(county, record_id, 6)
    assert {(entry["purpose"], entry["outcome"]) for entry in entries} == {("unknown", "denied")}
    assert "refused:purpose-unknown" in json.dumps(entries)


@pytest.mark.parametrize("purpose", ["public_records", "law_enforcement"])
async def test_what_needs_a_disclosure_case_is_refused_while_there_is_none(
    county: County, purpose: str
) -> None:
    record_id = await county.accepted(submission(8))
    for role in ("custodian", "records_officer", "counsel", "liaison"):
        answer = await county.read_contact(
            record_id, role, "eva", purpose=purpose, reference="CASE-1"
        )
        assert answer.status_code == 403, role
        assert "phone" not in answer.json().get("fields", {})


@pytest.mark.policy("P4", "P11")
async def test_an_emergency_breaks_the_glass_and_says_so(county: County) -> None:
    record_id = await county.accepted(submission(9))
    bare = await county.read_contact(
        record_id, "emergency", "noa", purpose="emergency_assistance", justification=None
    )
    assert (bare.status_code, bare.json()["field"]) == (422, "justification")
    answer = await county.read_contact(
        record_id,
        "emergency",
        "noa",
        purpose="emergency_assistance",
        justification="child in the flooded car, the caller knows where",
    )
    assert answer.status_code == 200
    entries = await _entries(county, record_id, 2)
    signed = {entry["outcome"]: entry["signed_event"] for entry in entries}
    assert "break_glass" in json.dumps(signed["success"])


@pytest.mark.policy("P15")
async def test_an_original_is_opened_for_county_business_and_written_down(county: County) -> None:
    record_id = await county.accepted(submission(10), [("a.jpg", PHOTO, "image/jpeg")])

    async def stored() -> Document | None:
        answer = await county.ask("GET", "media", f"/internal/media/{record_id}", "agent")
        return answer.json()["media"][0] if answer.status_code == 200 else None

    item = await until(stored, "the picture is stored")
    path = f"/internal/media/{record_id}/{item['media_id']}/original"
    why = {"purpose": "county_business"}
    refused = await county.ask("POST", "media", path, "custodian", "carla", why)
    assert (refused.status_code, refused.json()["field"]) == (422, "reference")
    why["reference"] = "WO-10"
    opened = await county.ask("POST", "media", path, "custodian", "carla", why)
    assert opened.status_code == 200
    assert opened.content == PHOTO
    entries = await _entries(county, record_id, 2)
    assert {(e["purpose"], e["outcome"]) for e in entries if e["actor"] == "carla"} == {
        ("county_business", "denied"),
        ("county_business", "success"),
    }


@pytest.mark.policy("P17")
async def test_what_became_of_a_file_that_is_no_picture_is_told(county: County) -> None:
    record_id = await county.accepted(
        submission(11), [("a.jpg", b"not a picture at all", "image/jpeg")]
    )

    async def judged() -> Any:
        answer = await county.ask("GET", "media", f"/internal/media/{record_id}", "agent")
        return answer.json()["media"] if answer.status_code == 200 else None

    (item,) = await until(judged, "the file is judged")
    assert item["state"] == "rejected"
    assert item["reason"]
    await county.routed(record_id)
    assert (await county.request(record_id))["media_url"] is None


@pytest.mark.policy("P21")
async def test_an_auditor_finds_who_saw_a_persons_data(county: County) -> None:
    person = {"phone": "786-555-0177", "email": "perpetua.search@example.com"}
    first = await county.accepted(submission(12) | person)
    second = await county.accepted(submission(13, ANIMALS, MIAMI_BEACH) | person)
    assert (await county.read_contact(first, "agent", "olga")).status_code == 200
    await _entries(county, first, 1)
    page = await county.post(
        "audit",
        "/v1/persons/search",
        {"phone": "(786) 555-0177", "reference": "LETTER-2"},
        "auditor",
        "ines",
    )
    assert set(page["record_ids"]) == {first, second}
    assert [entry["actor"] for entry in page["entries"] if entry["action"] == "view"] == ["olga"]
    assert "786-555-0177" not in json.dumps(page)


# ---------------------------------------------------------------- the policy


@pytest.mark.policy("P1", "P23")
async def test_the_policy_in_force_and_its_contact_are_served(county: County) -> None:
    answer = await county.ask("GET", "intake", "/v1/policy?language=es", None)
    policy = answer.json()
    assert answer.status_code == 200
    assert policy["version"]
    assert policy["effective_from"]
    assert policy["language"] == "es"
    assert policy["body"]
    discovery = await county.ask("GET", "intake", "/open311/discovery.json", None)
    for part in ("name", "street", "telephone"):
        assert policy["contact"][part] in discovery.json()["contact"]


@pytest.mark.policy("P2")
async def test_each_request_records_the_policy_that_it_was_taken_under(county: County) -> None:
    version = (await county.ask("GET", "intake", "/v1/policy", None)).json()["version"]
    accepted = await county.accepted(submission(14, policy_version=version))
    by_use = await county.accepted(submission(15))
    for record_id, agreed in ((accepted, "accepted"), (by_use, "by_use")):

        async def said(record_id: str = record_id) -> list[Document]:
            return [
                json.loads(message.value or b"{}")
                for message in await county.messages("request.created")
                if message.key == record_id.encode()
            ]

        created = await until(said, "the request is announced")
        assert [each["policy"]["agreed"] for each in created] == [agreed]
        assert created[0]["policy"]["version"] == version


@pytest.mark.policy("P6", "P11")
async def test_statistics_open_no_vault(county: County) -> None:
    await county.accepted(submission(19))
    before = len(await _openings(county))
    for service in ("intake", "geo", "routing", "retention"):
        counts = await county.counts(service)
        assert counts["total"] == sum(n for state, n in counts.items() if state != "total")
        assert (await county.ask("GET", service, "/metrics", None)).status_code == 200
    assert len(await _openings(county)) == before


async def _openings(county: County) -> list[Document]:
    """Access events that name a field. A sign-in names none."""
    found = [json.loads(each.value or b"{}") for each in await county.messages("pii.accessed")]
    return [each for each in found if each["what"]["fields"]]


@pytest.mark.policy("P3", "P10")
async def test_nothing_joins_visits_and_nothing_but_a_submission_is_collected(
    county: County,
) -> None:
    before = (await county.counts("intake"))["total"]
    person = {"first_name": "Visitor", "email": "visitor@example.com", "phone": "305-555-0199"}
    answers = [
        await county.open311("services.json", **person),
        await county.open311(f"services/{ANIMALS}.json", **person),
        await county.open311("requests.json", **person),
        await county.submit(submission(16, lat="")),
        await county.submit(submission(17, service_code="")),
        await county.submit(submission(18), client=None),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 400, 400, 403]
    for answer in answers:
        assert "set-cookie" not in answer.headers
    # An entity tag is of the content: who comes again with it is told from nobody.
    tags = [
        (await county.open311("services.json", first_name=name)).headers.get("etag")
        for name in ("Visitor", "Another")
    ]
    assert tags == [answers[0].headers.get("etag")] * 2
    assert (await county.counts("intake"))["total"] == before
    found = await county.ask(
        "POST",
        "intake",
        "/internal/persons/resolve",
        "agent",
        "ana",
        {"purpose": "respond", "email": person["email"], "justification": "is anything kept"},
    )
    assert found.json()["record_ids"] == []
