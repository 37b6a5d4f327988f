"""What is added to a request through a client: who hears of it, and that nobody is known by it."""

import json

import httpx
import pytest

from tests.support.app_api import NOTICE, App, mailed, mails, order, text_of
from tests.support.county import County, Document, until
from tests.support.runtime import new_id
from tests.support.submissions import submission

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]

WORDS = "It is back. Call me at 305-555-0186."
SHOWN = "It is back. Call me at [telephone]."
SENDER = {"first_name": "Ludovica", "last_name": "Querbeet", "phone": "(754) 555-0187"}
PROTECTION = {"reference": "PR-43", "citation": "section 119.071(4)(d)2.a., F.S."}


async def _add(county: County, record_id: str, update_id: str, **fields: str) -> httpx.Response:
    url = f"{county.known.services['intake']}/open311/v2/servicerequestupdates.json"
    form = {
        "jurisdiction_id": "miamidade",
        "api_key": county.known.api_keys["app"],
        "service_request_id": record_id,
        "update_id": update_id,
        "status": "OPEN",
        "description": WORDS,
        **fields,
    }
    return await county.http.post(url, data=form)


async def _added(county: County, record_id: str, update_id: str, **fields: str) -> str:
    answer = await _add(county, record_id, update_id, **fields)
    assert answer.status_code == 200, answer.text
    return str(answer.json()[0]["update_id"])


@pytest.mark.policy("P5")
async def test_the_department_gets_it_once_redacted_and_as_somebody_elses(county: County) -> None:
    record_id = await county.accepted(submission(430))
    await county.routed(record_id)
    first = await _added(county, record_id, "c-430", **SENDER)
    assert await _added(county, record_id, "c-430", **SENDER) == first
    assert (await _add(county, record_id, "c-430", description="Other.")).status_code == 409

    async def passed_on() -> list[Document] | None:
        found: list[Document] = (await county.job(record_id))["routed"].get("remarks", [])
        return found or None

    (remark,) = await until(passed_on, "the department has it")
    assert (remark["text"], remark["by"]) == (SHOWN, "client")

    await county.caught_up()
    revisions = await county.received("animal_services", record_id)
    said = [each["remarks"] for each in revisions if each["remarks"]]
    assert said == [[remark]]
    words = json.dumps(revisions)
    for secret in (*SENDER.values(), "555-0186"):
        assert secret not in words


async def test_a_reporter_who_asked_is_told_of_it_by_one_message(county: County) -> None:
    app = App(county)
    sent = order(431, email=f"{new_id('box')}@example.org")
    address = str(sent["email"])
    record_id, link = await app.submitted(sent)
    await county.routed(record_id)

    async def known() -> bool:
        return str((await app.followed(record_id, link))["department"]) == "animal_services"

    await until(known, "intake knows the department")
    path = f"/v1/requests/{record_id}/notifications"
    wanted = {"email_notice_version": NOTICE, "language": "en"}
    assert (await app.call("POST", path, wanted, link=link)).status_code == 200
    for _ in range(2):
        await _added(county, record_id, "c-432", **SENDER)
    (message,) = await mailed(county, address)
    assert "somebody has added to it" in text_of(message)
    for secret in (*SENDER.values(), "It is back"):
        assert secret not in str(message)

    async def sent_and_done() -> bool:
        with county.database() as database:
            found = database["intake"].requests.find_one({"_id": record_id})
        return found is not None and found.get("mail") is None

    await until(sent_and_done, "the message is done with")
    assert len(mails(county, address)) == 1


async def test_a_sender_leaves_nothing_to_be_found_or_hidden_by(
    county: County, registry: list[str]
) -> None:
    record_id = await county.accepted(submission(433))
    await county.routed(record_id)
    identifier = {"phone": "754-555-0187"}
    answer = await county.post(
        "intake", "/v1/protections", PROTECTION | identifier, "custodian", "carla"
    )
    registry.append(answer["protection_id"])
    await _added(county, record_id, "c-433", **SENDER)
    assert (await county.request(record_id))["lat"] is not None
    question = {"purpose": "respond", "phone": "754-555-0187"}
    answer = await county.post("intake", "/internal/persons/resolve", question, "agent", "olga")
    assert record_id not in answer["record_ids"]
