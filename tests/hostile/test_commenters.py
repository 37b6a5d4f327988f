"""Whoever adds to somebody else's request leaves no contact data, however they are sent.

The county collects them with a submitted request alone.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from xml.etree import ElementTree

import pytest
from httpx import Response

from direct311.intake.reporter.handlers.comment import MOST_AN_HOUR, MOST_OF_A_CLIENT
from direct311.intake.request import SENDERS, UPDATE_CONTACTS
from tests.support.county import County
from tests.support.gateway import Gateway
from tests.support.runtime import new_id
from tests.support.submissions import submission

pytestmark = pytest.mark.anyio

UPDATE = {"service_request_id": "r-1", "update_id": "u-1", "status": "OPEN"}
CALL = "servicerequestupdates"
CANARY = "Querbeet"
WITH_CONTACT: Mapping[str, Mapping[str, str]] = {
    "an e-mail address": {"email": f"{CANARY}@example.org"},
    "a telephone number": {"phone": f"305-555-0142 {CANARY}"},
    "a first name": {"first_name": CANARY},
    "a last name": {"last_name": CANARY},
    "an account": {"account_id": CANARY},
    "a device": {"device_id": CANARY},
    "all that FixMyStreet sends": {
        "first_name": "Ludovica",
        "last_name": CANARY,
        "email": f"{CANARY}@example.org",
        "phone": f"305-555-0142 {CANARY}",
    },
    "what is no address": {"email": CANARY},
    "more than may be": {"last_name": CANARY * 100},
    "control characters": {"first_name": f"{CANARY}\x07"},
    "the reporter's own address": {"email": "zora@example.org", "last_name": CANARY},
}


@pytest.fixture
async def gateway() -> Gateway:
    gateway = Gateway()
    await gateway.intake.request()
    return gateway


def notice(answer: Response) -> str | None:
    assert answer.status_code == 200, answer.text
    if "xml" in answer.headers["content-type"]:
        return ElementTree.fromstring(answer.text).findtext("request_update/service_notice") or None
    (said,) = answer.json()
    return str(said["service_notice"]) if said.get("service_notice") else None


@pytest.mark.policy("P3")
@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("contact", WITH_CONTACT.values(), ids=WITH_CONTACT)
@pytest.mark.parametrize("words", [{}, {"description": "It is back."}], ids=["alone", "with words"])
async def test_contact_data_are_dropped_and_the_answer_says_so(
    gateway: Gateway, contact: Mapping[str, str], words: Mapping[str, str], form: str
) -> None:
    before = gateway.intake.state()
    answer = gateway.form({**UPDATE, **words, **contact}, form=form, call=CALL)
    assert "contact data were not kept" in (notice(answer) or "")
    assert CANARY not in answer.text
    after = gateway.intake.state()
    assert after.sealed.keys() - before.sealed.keys() == ({"updates"} if words else set())
    assert after.indexes == before.indexes
    assert len(after.notes) == 1
    (opened,) = gateway.intake.access_log.events()
    assert opened.what.fields == ("updates",)
    assert CANARY not in after.model_dump_json(exclude={"sealed"})


@pytest.mark.parametrize(("language", "word"), [("es", "contacto"), ("ht", "kontak")])
async def test_it_is_said_in_the_language_that_was_asked_for(
    gateway: Gateway, language: str, word: str
) -> None:
    gateway.http.headers["Accept-Language"] = language
    answer = gateway.form({**UPDATE, "email": "a@example.org"}, call=CALL)
    assert word in (notice(answer) or "")


async def test_who_leaves_nothing_is_told_nothing(gateway: Gateway) -> None:
    answer = gateway.form({**UPDATE, "description": "It is back."}, call=CALL)
    assert answer.json()[0]["service_notice"] is None
    empty = gateway.form({**UPDATE, "update_id": "u-2", "email": " "}, call=CALL)
    assert empty.json()[0]["service_notice"] is None


def _codes(gateway: Gateway, by: str, words: Mapping[str, str], hours: int = 0) -> list[int]:
    """What so many updates of one client are answered with, all at once or one an hour."""
    codes = []
    for number in range(60):
        update = {**UPDATE, "update_id": f"u-{number}", **words}
        update["description"] = f"{words['description']} {number}"
        codes.append(gateway.form(update, by=by, call=CALL).status_code)
        gateway.clock.at += timedelta(hours=hours)
    return codes


@pytest.mark.parametrize(
    "words",
    [{"description": text} for text in ("Mine.", "Gone.", "<b>x</b>", "¿Y?", "Kote?")],
    ids=["one", "other", "tags", "Spanish", "Creole"],
)
async def test_strangers_who_write_through_a_client_leave_room_for_others(
    gateway: Gateway, words: Mapping[str, str]
) -> None:
    assert _codes(gateway, "app", words) == [200] * MOST_AN_HOUR + [429] * (60 - MOST_AN_HOUR)
    other = gateway.form({**UPDATE, "update_id": "v-1", **words}, by="legacy", call=CALL)
    assert other.status_code == 200
    # A retry is no other one.
    again = {**UPDATE, "update_id": "u-0", "description": f"{words['description']} 0"}
    assert gateway.form(again, call=CALL).status_code == 200
    gateway.clock.at += timedelta(hours=1)
    assert gateway.form({**UPDATE, "update_id": "u-99", **words}, call=CALL).status_code == 200


async def test_strangers_with_patience_leave_room_too(gateway: Gateway) -> None:
    codes = _codes(gateway, "app", {"description": "Mine."}, hours=1)
    assert codes == [200] * MOST_OF_A_CLIENT + [400] * (60 - MOST_OF_A_CLIENT)
    other = {**UPDATE, "update_id": "v-1", "description": "It is back."}
    assert gateway.form(other, by="legacy", call=CALL).status_code == 200
    link = gateway.intake.link_signer.issue("r-1").token
    said = gateway.resident("POST", "/v1/requests/r-1/comments", link, {"text": "It is mine."})
    assert said.status_code in (200, 201), said.text


async def test_of_two_that_differ_in_contact_data_alone_one_is_stored(gateway: Gateway) -> None:
    """Not even a hash of them is left by which the two could be told apart."""
    answers = [
        gateway.form({**UPDATE, "description": "It is back.", "email": email}, call=CALL)
        for email in ("a@example.org", "b@example.org")
    ]
    assert answers[0].json() == answers[1].json()
    assert len(gateway.intake.state().notes) == 1


async def test_who_says_to_be_the_reporter_does_not_keep_it_from_the_reporter(
    gateway: Gateway,
) -> None:
    link = gateway.intake.link_signer.issue("r-1").token
    path = "/v1/requests/r-1/notifications"
    body = {"email_notice_version": "668.6076-1"}
    assert gateway.resident("POST", path, link, body).status_code == 200
    gateway.form({**UPDATE, "description": "Gone.", "email": "zora@example.org"}, call=CALL)
    await gateway.intake.mail.step()
    assert [message["To"] for message in gateway.intake.mailer.sent] == ["zora@example.org"]


async def test_what_is_held_of_earlier_commenters_is_left_alone(gateway: Gateway) -> None:
    before = gateway.intake.state()
    held = {**before.sealed, UPDATE_CONTACTS: b"sealed"}
    indexes = {**before.indexes, SENDERS: ("1:somebody",)}
    await gateway.intake.put(before.model_copy(update={"sealed": held, "indexes": indexes}))
    gateway.form({**UPDATE, "description": "Gone.", "email": "a@example.org"}, call=CALL)
    after = gateway.intake.state()
    assert (after.sealed[UPDATE_CONTACTS], after.indexes[SENDERS]) == (b"sealed", ("1:somebody",))


async def test_the_reporters_own_comment_takes_words_alone(gateway: Gateway) -> None:
    link = gateway.intake.link_signer.issue("r-1").token
    for contact in ({"email": "a@example.org"}, {"phone": "305-555-0142"}):
        body = {"text": "It is back.", **contact}
        refused = gateway.resident("POST", "/v1/requests/r-1/comments", link, body)
        assert refused.status_code == 422
    assert gateway.intake.state().notes == ()


# ---------------------------------------------------------------- on the running county


@pytest.mark.e2e
@pytest.mark.parametrize("form", ["json", "xml"])
async def test_the_running_county_keeps_no_commenters_contact_data(
    county: County, form: str
) -> None:
    record_id = await county.accepted(submission(1510))
    canary = new_id("querbeet")
    sent = {
        "jurisdiction_id": "miamidade",
        "api_key": county.known.api_keys["app"],
        "service_request_id": record_id,
        "update_id": new_id("u"),
        "status": "OPEN",
        "description": "It is back.",
        "email": f"{canary}@example.org",
        "last_name": canary,
    }
    url = f"{county.known.services['intake']}/open311/v2/{CALL}.{form}"
    answer = await county.http.post(url, data=sent)
    assert "contact data were not kept" in (notice(answer) or "")
    with county.database() as database:
        found = database["intake"].requests.find_one({"_id": record_id})
    assert found is not None
    assert {UPDATE_CONTACTS, SENDERS}.isdisjoint({*found["sealed"], *found["indexes"]})
    assert canary not in json.dumps(found, default=repr)
