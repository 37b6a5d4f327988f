"""A stranger who sends a resident's words again, or guesses a key, gets nothing that opens it.

What a request says can be read in public, seen over a shoulder, or guessed; so can keys that are
made of what others know. Whoever repeats it is told its number, as its sender was, and no more.
"""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from httpx import Response

from direct311.intake.request import UPDATE_CONTACTS
from direct311.intake.uploads.domain import AnnouncedFile
from tests.support.app_api import App, order
from tests.support.county import County
from tests.support.gateway import CLIENTS, Gateway
from tests.support.reporters import NOTICE
from tests.support.runtime import new_id
from tests.support.submissions import submission

pytestmark = pytest.mark.anyio

KEY = "5e9c2f4a-7b31-4d08-9a6e-c1f0b2d38477"
HEX = "9f86d081884c7d659a2feaa0c55ad015"
EMAIL = "zora@example.org"
SAID = {
    "service_code": "ROAD-POTHOLE",
    "address_id": "01-3126-033-0450",
    "description": "A hole in front of the school.",
}
HELD = SAID | {"email": EMAIL, "first_name": "Zora", "email_notice_version": NOTICE}
BATCH = SAID | {"service_code": "ROAD-GUARDRAIL-NEW"}
BLACKBOX = SAID | {"service_code": "ANI-POLICE-ASSIST"}


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


def opener(answer: Response) -> str | None:
    """What an answer holds that opens a request, or leads to it."""
    return _said(answer, "link_token") or _said(answer, "token")


def number(answer: Response) -> str | None:
    return _said(answer, "service_request_id")


def _said(answer: Response, name: str) -> str | None:
    """The first value of this name, wherever it is; nothing where it is empty."""
    assert answer.status_code in (200, 201), answer.text
    if "xml" in answer.headers["content-type"]:
        return ElementTree.fromstring(answer.text).findtext(f".//{name}") or None
    return _within(answer.json(), name)


def _within(said: object, name: str) -> str | None:
    if isinstance(said, dict):
        found = said.get(name)
        if isinstance(found, str):
            return found or None
    parts = said.values() if isinstance(said, dict) else said if isinstance(said, list) else ()
    return next(filter(None, (_within(part, name) for part in parts)), None)


# ---------------------------------------------------------------- known by its content alone

Send = Callable[[Gateway, Mapping[str, str]], Response]
WAYS: Mapping[str, Send] = {
    "in JSON": lambda gateway, said: gateway.json(said, by="legacy"),
    "Open311 in JSON": lambda gateway, said: gateway.form(said, by="legacy"),
    "Open311 in XML": lambda gateway, said: gateway.form(said, by="legacy", form="xml"),
}
CONTENTS = {
    "as it was": SAID,
    "with contact data": HELD,
    "of a batch type": BATCH,
    "of a blackbox type": BLACKBOX,
    "with other spaces": SAID | {"description": "  A hole in  front of\tthe school. "},
    "in another order": dict(reversed(SAID.items())),
    "with another notice": HELD | {"policy_version": "2025-1"},
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("said", CONTENTS.values(), ids=CONTENTS)
async def test_who_repeats_the_content_gets_the_number_at_most(
    gateway: Gateway, said: Mapping[str, str], way: Send
) -> None:
    words = {**said, "description": SAID["description"]}
    first = gateway.json(words, by="legacy")
    gateway.clock.at += timedelta(hours=2)
    again = way(gateway, said)
    assert opener(again) is None
    assert number(again) == number(first)
    assert len(gateway.states()) == 1


@pytest.mark.parametrize("hours", [0, 3, 23, 24])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_at_no_hour_of_the_day_and_over_midnight(
    gateway: Gateway, way: Send, hours: int
) -> None:
    gateway.clock.at = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)
    first = gateway.form(SAID, by="legacy")
    assert opener(first)
    gateway.clock.at += timedelta(hours=hours)
    again = way(gateway, SAID)
    assert (opener(again), number(again)) == (None, number(first))


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_who_comes_at_the_same_moment_gets_none_either(gateway: Gateway, way: Send) -> None:
    first = gateway.json(SAID, by="legacy")
    gateway.submissions.unseen = True
    again = way(gateway, SAID)
    assert (opener(again), number(again)) == (None, number(first))
    assert len(gateway.states()) == 1


GUESSES = {
    "the same contact": HELD,
    "the same and no notice": HELD | {"policy_version": "2025-1"},
    "another address of mail": HELD | {"email": "zelda@example.org"},
    "another name": HELD | {"first_name": "Zelda"},
    "no contact": SAID,
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("guess", GUESSES.values(), ids=GUESSES)
async def test_a_guess_of_who_reported_is_answered_alike_whether_it_is_right(
    gateway: Gateway, guess: Mapping[str, str], way: Send
) -> None:
    first = gateway.json(HELD, by="legacy")
    gateway.come_from("198.51.100.7")
    gateway.clock.at += timedelta(minutes=1)
    answer = way(gateway, guess)
    assert number(answer) not in (None, number(first))
    assert answer.status_code == (201 if way is WAYS["in JSON"] else 200)
    assert opener(answer)
    assert len(gateway.states()) == 2
    # Of their own, they have their retry; and so has the reporter.
    assert number(way(gateway, guess)) == number(answer)
    gateway.come_from("192.0.2.1")
    assert number(way(gateway, HELD)) == number(first)
    assert len(gateway.states()) == 2


# ---------------------------------------------------------------- known by a key

GUESSED = {
    "an e-mail address": EMAIL,
    "a word and an e-mail address": f"311-{EMAIL}",
    "a number": "4711",
    "a counter as long as a random key": "00000000000000000000000000004711",
    "a day and a counter": "2026-03-02-000001",
    "nothing but zeros": "00000000-0000-4000-8000-000000000001",
    "a UUID of a name": str(uuid.uuid5(uuid.NAMESPACE_URL, f"mailto:{EMAIL}")),
    "an older UUID of a name": str(uuid.uuid3(uuid.NAMESPACE_URL, f"mailto:{EMAIL}")),
    "a UUID of a time and a machine": "4a3c8f10-1600-11f1-9c1d-0242ac120002",
    "half of a random key": HEX[:16],
    "words": "the-hole-in-front-of-the-school-on-first-street",
    "a telephone number": "+1-305-555-0142",
}


@pytest.mark.parametrize("key", GUESSED.values(), ids=GUESSED)
async def test_a_key_that_can_be_guessed_opens_nothing_a_second_time(
    gateway: Gateway, key: str
) -> None:
    first = gateway.json(HELD, key)
    again = gateway.json(HELD, key)
    assert again.status_code == 200
    assert again.json()["service_request_id"] == first.json()["service_request_id"]
    assert opener(again) is None


@pytest.mark.parametrize("number_of_client", ["4711", EMAIL, KEY], ids=["number", "e-mail", "uuid"])
@pytest.mark.parametrize("as_header", [True, False], ids=["as a key", "as it was"])
async def test_a_front_ends_own_number_is_no_secret(
    gateway: Gateway, number_of_client: str, as_header: bool
) -> None:
    said = SAID | {"client_request_id": number_of_client}
    first = gateway.form(said)
    again = gateway.form(SAID, number_of_client) if as_header else gateway.form(said)
    assert (opener(again), number(again)) == (None, number(first))


Then = Callable[[Gateway, str, str], Awaitable[object]]


async def _corrects(gateway: Gateway, record_id: str, link: str) -> None:
    path = f"/v1/requests/{record_id}/corrections"
    done = gateway.resident("POST", path, link, {"phone": "305-555-0142"})
    assert done.status_code == 200, done.text


async def _adds_an_address(gateway: Gateway, record_id: str, link: str) -> None:
    path = f"/v1/requests/{record_id}/corrections"
    body = {"email": EMAIL, "email_notice_version": NOTICE}
    assert gateway.resident("POST", path, link, body).status_code == 200


async def _comments(gateway: Gateway, record_id: str, link: str) -> None:
    path = f"/v1/requests/{record_id}/comments"
    body = {"text": "My number is 305-555-0142."}
    assert gateway.resident("POST", path, link, body).status_code == 201


async def _withdraws(gateway: Gateway, record_id: str, link: str) -> None:
    assert gateway.resident("POST", f"/v1/requests/{record_id}/withdraw", link).status_code == 200


async def _adds_a_file(gateway: Gateway, record_id: str, link: str) -> None:
    file = AnnouncedFile(content_type="image/png", size=3)
    ((address, _),) = await gateway.intake.upload(CLIENTS["app"], [file])
    gateway.intake.media.brought[address.upload_id] = (3, "aa")
    path = f"/v1/requests/{record_id}/media"
    done = gateway.resident("POST", path, link, {"file_ids": [address.upload_id]})
    assert done.status_code == 201, done.text


async def _wants_messages(gateway: Gateway, record_id: str, link: str) -> None:
    await _adds_an_address(gateway, record_id, link)
    path = f"/v1/requests/{record_id}/notifications"
    done = gateway.resident("POST", path, link, {"email_notice_version": NOTICE})
    assert done.status_code == 200, done.text


async def _tells_an_agent(gateway: Gateway, record_id: str, link: str) -> None:
    body = {
        "email": EMAIL,
        "email_notice_version": NOTICE,
        "justification": "told me the date and the place by telephone",
    }
    done = gateway.resident("POST", f"/v1/requests/{record_id}/email", "agent:olga", body)
    assert done.status_code == 200, done.text


def _becomes(**fields: object) -> Then:
    async def then(gateway: Gateway, record_id: str, _: str) -> None:
        before = gateway.intake.state(record_id)
        await gateway.intake.put(before.model_copy(update=fields))

    return then


async def _ages(gateway: Gateway, record_id: str, _: str) -> None:
    gateway.clock.at += timedelta(hours=24, seconds=1)


SINCE: Mapping[str, Then] = {
    "contact data were corrected": _corrects,
    "an address was added": _adds_an_address,
    "the reporter has commented": _comments,
    "the reporter has added a file": _adds_a_file,
    "the reporter has withdrawn it": _withdraws,
    "the reporter wants messages": _wants_messages,
    "an agent has corrected it": _tells_an_agent,
    "a commenter's contact data are held": _becomes(sealed={UPDATE_CONTACTS: b"sealed"}),
    "its place is protected": _becomes(protected=True, listed=False),
    "it is being destroyed": _becomes(lifecycle="destroying"),
    "a day has passed": _ages,
}


@pytest.mark.parametrize("then", SINCE.values(), ids=SINCE)
@pytest.mark.parametrize("form", ["json", "open311"])
async def test_a_keyed_repeat_opens_nothing_once_something_was_done(
    gateway: Gateway, then: Then, form: str
) -> None:
    send = gateway.json if form == "json" else gateway.form
    first = send(SAID, KEY)
    link = opener(first)
    record_id = number(first)
    assert link
    assert record_id
    await then(gateway, record_id, link)
    again = send(SAID, KEY)
    assert (opener(again), number(again)) == (None, record_id)
    assert len(gateway.states()) == 1


@pytest.mark.parametrize("by", ["other", "legacy"])
async def test_a_key_of_another_client_is_another_request(gateway: Gateway, by: str) -> None:
    first = gateway.json(SAID, KEY)
    theirs = gateway.json(SAID, KEY, by=by)
    assert theirs.status_code == 201
    assert number(theirs) != number(first)


async def test_a_known_key_with_other_content_opens_nothing(gateway: Gateway) -> None:
    gateway.json(SAID, KEY)
    refused = gateway.json(SAID | {"description": "Another hole."}, KEY)
    assert refused.status_code == 409
    assert "token" not in refused.text


# ---------------------------------------------------------------- what a repeat tells


async def test_a_repeat_tells_nothing_of_what_became_of_the_request(gateway: Gateway) -> None:
    first = gateway.json(BLACKBOX, by="legacy").json()
    (state,) = gateway.states()
    after = state.model_copy(update={"status": "closed_unfounded", "emergency_assistance": True})
    await gateway.intake.put(after)
    again = gateway.json(BLACKBOX, by="legacy").json()
    assert again == first | {"link": None}
    await gateway.intake.put(gateway.states()[0].model_copy(update={"emergency_assistance": False}))
    assert gateway.json(BLACKBOX, by="legacy").json() == again


async def test_a_repeat_does_not_tell_that_the_reporter_has_named_themselves(
    gateway: Gateway,
) -> None:
    said = SAID | {"service_code": "CODE-JUNK"}
    first = gateway.json(said, by="legacy").json()
    assert first["status"] == "identity_required"
    (state,) = gateway.states()
    await gateway.intake.put(state.model_copy(update={"status": "routed", "held_because": None}))
    again = gateway.json(said, by="legacy").json()
    assert (again["status"], again["notice"]) == (first["status"], first["notice"])


async def test_a_repeat_does_not_tell_that_danger_was_added_later(gateway: Gateway) -> None:
    first = gateway.json(SAID, KEY)
    link, record_id = opener(first), number(first)
    path = f"/v1/requests/{record_id}/comments"
    assert link
    gateway.resident("POST", path, link, {"text": "Now the house is on fire!"})
    assert gateway.intake.state(str(record_id)).emergency_assistance
    assert gateway.json(SAID, KEY).json()["emergency"] is None


# ---------------------------------------------------------------- who lost the answer is helped


@pytest.mark.parametrize("key", [KEY, KEY.upper(), HEX, HEX * 2, str(uuid.uuid4())])
@pytest.mark.parametrize("said", [SAID, HELD, BATCH], ids=["plain", "with contact", "batch"])
async def test_a_retry_under_a_random_key_within_a_day_gets_the_same_answer(
    gateway: Gateway, said: Mapping[str, str], key: str
) -> None:
    first = gateway.json(said, key)
    gateway.clock.at += timedelta(hours=24)
    again = gateway.json(said, key)
    assert again.status_code == 200
    assert opener(again)
    assert again.json() | {"link": None} == first.json() | {"link": None}


# ---------------------------------------------------------------- on the running county


@pytest.mark.e2e
async def test_a_stranger_on_the_running_county_gets_no_link(county: County) -> None:
    fields = submission(1501, extensions="true", description=f"Heard at {new_id('h')}.")
    first = await county.submit(fields, client="legacy")
    (accepted,) = first.json()
    assert accepted["extended_attributes"]["link_token"]
    for form in ("json", "xml"):
        again = await county.submit(fields, client="legacy", form=form)
        assert opener(again) is None
        assert number(again) == accepted["service_request_id"]

    app, key = App(county), str(uuid.uuid4())
    said = order(1502)
    record_id, link = await app.submitted(said, key)
    assert opener(await app.call("POST", "/v1/requests", said, key=key))
    path = f"/v1/requests/{record_id}/corrections"
    corrected = await app.call("POST", path, {"phone": "305-555-0142"}, link=link)
    assert corrected.status_code == 200, corrected.text
    again = await app.call("POST", "/v1/requests", said, key=key)
    assert (again.status_code, opener(again)) == (200, None)
