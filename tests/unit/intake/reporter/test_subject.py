"""A resident's own view by the signed link of their request: what is held, and its correction."""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from httpx import Response
from starlette.testclient import TestClient

from direct311.intake.indexes.adapters.keyed import KeyedIndexes
from direct311.intake.lifecycle.handlers import Follow
from direct311.intake.protection.handlers.address_index import AddressIndex
from direct311.intake.reporter.api.subject import link_router, subject_router
from direct311.intake.reporter.handlers.codes import SentCodes
from direct311.intake.reporter.handlers.mail import code_of
from direct311.intake.reporter.handlers.subject import Subject
from direct311.intake.request import (
    CORRECTIONS_REMEMBERED,
    READINGS,
    SENDERS,
    Located,
    ServiceRequest,
)
from direct311.runtime.access.ledger import Ledger
from direct311.runtime.access.rules import load_access_policy
from direct311.runtime.clock import TimeOrderedIds
from direct311.runtime.http.api import caller_of, install
from direct311.runtime.http.health import Readiness
from direct311.runtime.messaging.records import Emitter, EventProcessor, Write
from direct311.runtime.messaging.signing import Signer
from direct311.runtime.telemetry import Metrics
from direct311.runtime.vault.keys import FileKeyProvider
from direct311.runtime.vault.vault import Vault
from direct311.schemas import decode
from direct311.schemas import events as ev
from tests.support.access_log import InMemoryAccessLog
from tests.support.addresses import InOneLine
from tests.support.keys import InMemoryKeys
from tests.support.links import FakeAuthenticator, bearer, signed_links
from tests.support.memory import IdleRelay, InMemoryRecords
from tests.support.reporters import FakeCodes
from tests.support.runtime import NOW, SetClock

FIELDS = ("phone", "email", "name", "address", "cell", "content", "search")
KEYS = {name: os.urandom(32) for name in FIELDS}
PERSON = {
    "first_name": "Zora",
    "last_name": "Neale",
    "phone": "305-555-0142",
    "email": "zora@example.org",
    "description": "A dog barks at 3 a.m.",
}
AGENT = bearer("agent:olga")
NEW_PHONE = {"phone": "(786) 555-0143"}
NOTICES = ("668.6076-1", "668.6076-2")
EMAIL = {"email": "z@example.org", "email_notice_version": NOTICES[1]}


class Registry:
    """The protection registry, as a set of hashes."""

    def __init__(self) -> None:
        self.version = 1
        self.hashes: set[str] = set()

    def matches(self, hashes: Iterable[str]) -> bool:
        return not self.hashes.isdisjoint(hashes)


class Crowded(InMemoryRecords[ServiceRequest]):
    """Records that somebody else changes just before the next write."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: dict[str, object] = {}

    async def commit(self, writes: Sequence[Write[ServiceRequest]]) -> set[str]:
        if self.meanwhile and writes:
            record_id = writes[0].state.record_id
            before = self.documents[record_id].state
            change = {**self.meanwhile, "version": before.version + 1}
            self.meanwhile = {}
            await super().commit([Write(before.version, before.model_copy(update=change), (), NOW)])
        return await super().commit(writes)


class World:
    def __init__(self, indexes: KeyedIndexes | None = None) -> None:
        self.clock = SetClock()
        self.log = InMemoryAccessLog()
        self.keys = InMemoryKeys()
        self.records = Crowded()
        self.registry = Registry()
        self.indexes = indexes or KeyedIndexes(1, KEYS, self.clock)
        self.addresses = InOneLine()
        self.follow = Follow(self.registry, self.indexes.place, self.clock)
        links, self.signer = signed_links(self.clock)
        signer = Signer("intake-test", Ed25519PrivateKey.generate())
        ledger = Ledger(
            service="intake",
            instance="intake-test",
            version="0",
            publisher=self.log,
            signer=signer,
            clock=self.clock,
            ids=TimeOrderedIds(),
            metrics=Metrics(),
            mask=lambda text: text,
        )
        provider = FileKeyProvider("kek-1", {"kek-1": bytes(32)})
        self.vault = Vault(self.keys, provider, ledger, load_access_policy(), self.clock)
        processor = EventProcessor(
            self.records,
            lambda record_id: ServiceRequest(record_id=record_id),
            {},
            Emitter("intake", self.clock, signer),
            IdleRelay(),
            self.clock,
        )
        self.codes = FakeCodes()
        subject = Subject(
            processor=processor,
            vault=self.vault,
            indexes=self.indexes,
            home=AddressIndex(self.addresses, self.indexes),
            protections=self.registry,
            protect=self.follow.protect,
            links=self.signer,
            sent=SentCodes(self.codes, self.clock, self.indexes.content_key),
            clock=self.clock,
            ids=TimeOrderedIds(),
            content_key=self.indexes.content_key,
            notices=NOTICES,
        )
        authenticator = FakeAuthenticator(links)
        app = FastAPI()
        install(app, Readiness(), Metrics(), ledger)
        app.include_router(link_router(subject, caller_of(authenticator)))
        app.include_router(subject_router(subject, caller_of(authenticator, residents=True)))
        self.http = TestClient(app, raise_server_exceptions=False)

    async def request(
        self, record_id: str = "r-1", plain: Mapping[str, str] = PERSON, **fields: object
    ) -> ServiceRequest:
        key, data_key = await self.vault.new_key(record_id)
        await self.keys.insert([key])
        state = ServiceRequest(
            record_id=record_id,
            version=1,
            service_code="ANI-TETHERED-DOG",
            received_at=NOW,
            updated_at=NOW,
            sealed={field: data_key.seal(field, text.encode()) for field, text in plain.items()},
            indexes={**self.indexes.of(plain), "place": ("1:place",)},
            index_versions=self.indexes.versions,
            index_readings=READINGS,
            place=ev.Place(latitude=25.7, longitude=-80.3),
            located=Located(outcome="resolved", latitude=25.7, longitude=-80.3),
            place_checked=True,
            listed=True,
            uploads=(ev.UploadRef(upload_id="u-1", size=7, sha256="00", content_type="image/png"),),
            policy=ev.PolicyAgreement(version="2025-01", agreed="accepted"),
            registry_version=1,
        ).model_copy(update=fields)
        await self.records.commit([Write(0, state, (), NOW)])
        return state

    def state(self, record_id: str = "r-1") -> ServiceRequest:
        return self.records.documents[record_id].state

    def code(self, record_id: str = "r-1") -> str:
        """A code that was sent to the address of the request."""
        self.codes.nonces[record_id] = os.urandom(16).hex()
        nonce = self.codes.nonces[record_id]
        return code_of(self.indexes.content_key, self.state(record_id), nonce)

    def link(self, record_id: str = "r-1") -> dict[str, str]:
        return bearer(self.signer.issue(record_id).token)

    def held(self, record_id: str = "r-1", headers: Mapping[str, str] | None = None) -> Response:
        headers = self.link(record_id) if headers is None else headers
        answer: Response = self.http.get(f"/v1/requests/{record_id}/subject", headers=headers)
        return answer

    def correct(
        self,
        values: Mapping[str, object],
        key: str | None = None,
        record_id: str = "r-1",
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        headers = dict(self.link(record_id) if headers is None else headers)
        headers |= {"Idempotency-Key": key} if key else {}
        path = f"/v1/requests/{record_id}/corrections"
        answer: Response = self.http.post(path, headers=headers, json=values)
        return answer

    def give_link(
        self, headers: Mapping[str, str], record_id: str = "r-1", **order: Any
    ) -> Response:
        body = order or {"justification": "told me the date and both photos by telephone"}
        path = f"/v1/requests/{record_id}/link"
        answer: Response = self.http.post(path, headers=headers, json=body)
        return answer

    def said(self, record_id: str = "r-1") -> list[ev.RequestUpdated]:
        found = []
        for entry in self.records.documents[record_id].outbox:
            data = decode(entry.message.headers, entry.message.body).data
            assert isinstance(data, ev.RequestUpdated)
            found.append(data)
        return found


@pytest.fixture
def world() -> World:
    return World()


pytestmark = pytest.mark.anyio


# ---------------------------------------------------------------- what is held


@pytest.mark.policy("P13")
async def test_the_holder_of_the_link_sees_what_is_held(world: World) -> None:
    await world.request()
    answer = world.held()
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    shown = answer.json()
    assert shown["fields"] == PERSON
    assert shown["policy"]["version"] == "2025-01"
    assert shown["files"] == [{"file_id": "u-1", "content_type": "image/png", "size": 7}]
    (event,) = world.log.events()
    assert (event.action, event.why.purpose, event.outcome) == ("view", "subject_access", "success")
    assert (event.agent.id, event.agent.authentication) == ("link:r-1", "signed_link")
    assert event.what.fields == tuple(sorted(PERSON))
    assert event.where.client_address is None
    assert [fetch.record_id for fetch in world.keys.fetches] == ["r-1"]


async def test_two_links_of_a_request_open_it_and_are_told_apart(world: World) -> None:
    await world.request()
    assert [world.held().status_code, world.held().status_code] == [200, 200]
    sessions = [event.agent.session for event in world.log.events()]
    assert len(set(sessions)) == 2
    assert None not in sessions


@pytest.mark.parametrize("token", ["agent:olga", "auditor:ada", "admin:root", "custodian:carla"])
async def test_no_staff_token_opens_what_the_link_opens(world: World, token: str) -> None:
    await world.request()
    refused = world.held(headers=bearer(token))
    assert refused.status_code == 403
    assert world.correct(NEW_PHONE, headers=bearer(token)).status_code == 403
    assert [event.outcome for event in world.log.events()] == ["denied", "denied"]
    assert world.keys.fetches == []


async def test_what_must_be_opened_to_correct_and_does_not_open_is_told(world: World) -> None:
    before = await world.request(sealed={"last_name": bytes(40)})
    answer = world.correct({"first_name": "Zoe"})
    assert (answer.status_code, answer.json()["title"]) == (410, "not readable")
    assert world.state() == before
    assert [event.outcome for event in world.log.events()] == ["success", "error"]


async def test_the_link_of_another_request_is_refused_whether_there_is_one_or_not(
    world: World,
) -> None:
    await world.request()
    await world.request("r-2")
    await world.request("r-3", lifecycle="destroying")
    link = world.link("r-1")
    answers = []
    for record_id in ("r-2", "r-3", "r-none"):
        answers += [world.held(record_id, link), world.correct(NEW_PHONE, None, record_id, link)]
    assert {answer.status_code for answer in answers} == {403}
    assert len({answer.text for answer in answers}) == 1
    assert {event.decision.rule for event in world.log.events()} == {"refused:signed_link"}
    assert world.keys.fetches == []
    assert world.state("r-2").corrections == ()


async def test_a_link_that_is_over_or_no_link_is_unauthenticated(world: World) -> None:
    await world.request()
    link = world.link()
    assert world.held(headers={}).status_code == 401
    assert world.held(headers=bearer("nonsense")).status_code == 401
    assert world.held(
        headers={"Authorization": link["Authorization"][:-3] + "AAA"}
    ).status_code == (401)
    world.clock.at += timedelta(days=91)
    assert world.held(headers=link).status_code == 401
    assert world.log.events() == []


@pytest.mark.parametrize("lifecycle", ["destroying", "destroyed"])
async def test_what_is_going_or_gone_is_told_to_the_holder_alone(
    world: World, lifecycle: str
) -> None:
    await world.request(lifecycle=lifecycle)
    assert world.held().status_code == 410
    assert world.correct(NEW_PHONE).status_code == 410
    assert world.held("never", world.link("never")).status_code == 404
    assert world.keys.fetches == []


async def test_nothing_is_shown_or_changed_that_cannot_be_written_down(world: World) -> None:
    before = await world.request()
    world.log.down = True
    for answer in (world.held(), world.correct(NEW_PHONE), world.give_link(AGENT)):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert world.state() == before
    assert world.keys.fetches == []


# ---------------------------------------------------------------- correction


async def test_a_corrected_value_takes_the_place_of_the_old_one_everywhere(world: World) -> None:
    before = await world.request()
    answer = world.correct(NEW_PHONE)
    assert answer.status_code == 200
    assert answer.json()["fields"] == ["phone"]
    after = world.state()
    assert after.version == before.version + 1
    assert world.held().json()["fields"] == PERSON | NEW_PHONE
    assert after.indexes["phone"] == world.indexes.of(NEW_PHONE)["phone"]
    assert {k: v for k, v in after.indexes.items() if k != "phone"} == {
        k: v for k, v in before.indexes.items() if k != "phone"
    }
    event = world.log.events()[0]
    assert (event.action, event.why.purpose) == ("correct", "subject_access")
    assert event.what.fields == ("phone",)
    # Nothing that others know has changed, so nobody is told.
    assert world.said() == []
    assert "555-0143" not in after.model_dump_json(exclude={"sealed"})


async def test_the_index_of_a_name_follows_from_both_its_parts(world: World) -> None:
    await world.request()
    assert world.correct({"first_name": "Zoë"}).status_code == 200
    whole = world.indexes.of({"first_name": "zoe", "last_name": "neale"})
    assert world.state().indexes["name"] == whole["name"]
    # What was opened for it is named too.
    assert world.log.events()[0].what.fields == ("first_name", "last_name")


async def test_what_was_not_given_can_be_added_and_only_a_held_address_corrected(
    world: World,
) -> None:
    await world.request()
    await world.request("r-2", {"description": PERSON["description"]})
    assert world.correct(EMAIL, None, "r-2").status_code == 200
    assert set(world.state("r-2").sealed) == {"description", "email"}
    refused = world.correct({"reporter_address": "1 NW 1 ST"})
    assert (refused.status_code, refused.json()["field"]) == (422, "reporter_address")
    assert world.state().corrections == ()
    await world.request("r-3", {"reporter_address": "1 NW 1 ST"})
    assert world.correct({"reporter_address": "2 NW 2 ST"}, None, "r-3").status_code == 200
    assert world.held("r-3").json()["fields"]["reporter_address"] == "2 NW 2 ST"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({}, "phone"),
        ({"phone": None}, "phone"),
        ({"phone": " "}, "phone"),
        ({"phone": "5" * 61}, "phone"),
        ({"email": "Wurzelgruber"}, "email"),
        ({"first_name": "Wurzelgruber\x07"}, "first_name"),
        ({"last_name": "Wurzelgruber" * 9}, "last_name"),
        ({"description": "Wurzelgruber"}, ""),
        ({"account_id": "Wurzelgruber"}, ""),
    ],
)
async def test_a_value_that_cannot_be_one_is_named_and_not_repeated(
    world: World, values: Mapping[str, object], field: str
) -> None:
    before = await world.request()
    refused = world.correct(values)
    assert (refused.status_code, refused.json()["field"]) == (422, field)
    assert "Wurzelgruber" not in refused.text
    assert world.state() == before
    assert world.keys.fetches == []


async def test_a_retry_is_done_once_and_a_key_is_good_for_one_set_of_values(world: World) -> None:
    await world.request()
    first = world.correct(NEW_PHONE, "zora@example.org")
    world.clock.at += timedelta(minutes=1)
    again = world.correct(NEW_PHONE, "zora@example.org")
    assert again.json() == first.json()
    assert (world.state().version, len(world.state().corrections)) == (2, 1)
    assert [event.action for event in world.log.events()] == ["correct"]
    refused = world.correct({"phone": "305-555-0199"}, "zora@example.org")
    assert (refused.status_code, refused.json()["field"]) == (409, "Idempotency-Key")
    assert world.correct({"phone": "305-555-0199"}, "another").status_code == 200
    assert "zora@" not in world.state().model_dump_json(exclude={"sealed"})


async def test_a_request_remembers_so_many_corrections(world: World) -> None:
    await world.request()
    for _ in range(CORRECTIONS_REMEMBERED + 2):
        world.clock.at += timedelta(hours=3)
        assert world.correct(NEW_PHONE).status_code == 200
    assert len(world.held().json()["corrections"]) == CORRECTIONS_REMEMBERED


async def test_a_correction_and_another_change_at_the_same_time_both_stand(world: World) -> None:
    before = await world.request()
    world.records.meanwhile = {"status": "in_progress", "department": "animal_services"}
    assert world.correct(NEW_PHONE).status_code == 200
    after = world.state()
    assert (after.version, after.status) == (before.version + 2, "in_progress")
    assert world.held().json()["fields"]["phone"] == NEW_PHONE["phone"]


async def test_what_was_not_written_down_is_not_opened_when_it_comes_meanwhile(
    world: World,
) -> None:
    last_name = (await world.request()).sealed["last_name"]
    await world.request("r-2", {"first_name": "Zora"})
    world.records.meanwhile = {"sealed": {**world.state("r-2").sealed, "last_name": last_name}}
    answer = world.correct({"first_name": "Zoë"}, None, "r-2")
    assert (answer.status_code, answer.json()["title"]) == (503, "unavailable")
    assert world.state("r-2").corrections == ()


async def test_under_other_index_keys_than_the_requests_all_is_indexed_anew(world: World) -> None:
    before = await world.request()
    newer = {name: os.urandom(32) for name in FIELDS}
    later = World(KeyedIndexes(2, newer, world.clock, {1: KEYS}))
    await later.request(indexes=before.indexes, index_versions=before.index_versions)
    assert later.correct(NEW_PHONE).status_code == 200
    after = later.state()
    fresh = later.indexes.of({**PERSON, **NEW_PHONE})
    assert {kind: after.indexes[kind] for kind in fresh} == fresh
    assert after.index_versions == (2, 1)
    # What was opened for it is named too.
    assert later.log.events()[0].what.fields == ("email", "first_name", "last_name", "phone")
    # An address alone is indexed too.
    await later.request("r-2", {"reporter_address": "1 NW 1 ST"}, index_versions=(1,))
    assert later.correct({"reporter_address": "2 NW 2 ST"}, None, "r-2").status_code == 200
    assert later.state("r-2").index_versions == (2, 1)
    assert later.state("r-2").indexes["home"] == later.indexes.place("2 NW 2 ST", None, None)
    assert later.log.events()[-1].what.fields == ("reporter_address",)


async def test_under_newer_keys_a_correction_leaves_the_senders_of_comments_to_reindex() -> None:
    newer = {name: os.urandom(32) for name in FIELDS}
    later = World(KeyedIndexes(2, newer, SetClock(), {1: KEYS}))
    senders = ("1:somebody",)
    await later.request(indexes={SENDERS: senders}, index_versions=(1,))
    assert later.correct(NEW_PHONE).status_code == 200
    after = later.state()
    assert after.indexes[SENDERS] == senders
    assert set(after.indexes["phone"]) == set(later.indexes.of(NEW_PHONE)["phone"])
    assert after.index_versions == (1,)


async def test_of_two_same_retries_at_once_one_is_done(world: World) -> None:
    await world.request()
    assert world.correct(NEW_PHONE, "k").status_code == 200
    done = world.state()
    await world.request("r-2")
    world.records.meanwhile = {"corrections": done.corrections}
    answer = world.correct(NEW_PHONE, "k", "r-2")
    assert answer.status_code == 200
    assert world.state("r-2").version == 2


async def test_a_request_that_begins_to_be_destroyed_takes_no_correction(world: World) -> None:
    await world.request()
    world.records.meanwhile = {"lifecycle": "destroying"}
    assert world.correct(NEW_PHONE).status_code == 410
    assert world.state().corrections == ()


async def test_a_key_that_is_gone_is_a_410_and_changes_nothing(world: World) -> None:
    before = await world.request()
    await world.keys.destroy("r-1")
    assert world.correct(NEW_PHONE).status_code == 410
    assert world.state() == before


async def test_a_hold_does_not_hinder_a_correction(world: World) -> None:
    await world.request(holds=("h-1",), status="closed")
    assert world.correct(NEW_PHONE).status_code == 200
    assert world.state().holds == ("h-1",)


# ---------------------------------------------------------------- protection


async def test_a_new_value_that_is_protected_hides_the_request_at_once(world: World) -> None:
    await world.request()
    world.registry.hashes = set(world.indexes.of(NEW_PHONE)["phone"])
    world.registry.version = 2
    assert world.correct(NEW_PHONE).status_code == 200
    after = world.state()
    assert (after.protected, after.listed, after.registry_version) == (True, False, 2)
    (said,) = world.said()
    assert (said.changed, said.protected) == (("place_checked",), True)


@pytest.mark.policy("P2")
@pytest.mark.parametrize("notice", [{}, {"email_notice_version": "no-such"}])
async def test_an_e_mail_address_is_taken_with_the_notice_that_was_shown_for_it(
    world: World, notice: Mapping[str, str]
) -> None:
    await world.request()
    before = world.state()
    refused = world.correct({"email": "z@example.org", **notice})
    assert (refused.status_code, refused.json()["field"]) == (422, "email_notice_version")
    assert "z@example.org" not in refused.text
    assert "no-such" not in refused.text
    assert world.state() == before
    assert world.correct(NEW_PHONE).status_code == 200
    assert world.state().policy == before.policy
    assert world.correct(EMAIL | {"email_code": world.code()}).status_code == 200
    policy = world.state().policy
    assert policy is not None
    assert policy.email_notice_version == NOTICES[1]
    assert policy.version == "2025-01"


async def test_a_correction_lifts_no_protection_and_the_registry_does(world: World) -> None:
    old = world.indexes.of(PERSON)["phone"]
    world.registry.hashes = set(old)
    await world.request(protected=True, listed=False)
    assert world.correct(NEW_PHONE).status_code == 200
    after = world.state()
    assert (after.protected, after.listed) == (True, False)
    assert world.said() == []
    # Who searches for the old number does not find it; what is not protected is not kept at all.
    assert after.indexes["earlier"] == old
    assert world.correct(EMAIL | {"email_code": world.code()}).status_code == 200
    assert world.state().indexes["earlier"] == old
    assert not set(old) & set(after.indexes["phone"])
    world.registry.hashes, world.registry.version = set(), 2
    lifted = await world.follow.recheck(after)
    assert lifted is not None
    assert (lifted.state.protected, lifted.state.listed) == (False, True)


async def test_a_newer_registry_than_the_copy_knew_is_looked_at_again(world: World) -> None:
    await world.request()
    assert world.correct(NEW_PHONE).status_code == 200
    world.registry.hashes = set(world.indexes.of(NEW_PHONE)["phone"])
    world.registry.version = 2
    found = await world.follow.recheck(world.state())
    assert found is not None
    assert found.state.protected


# ---------------------------------------------------------------- links by an agent


async def test_an_agent_gives_a_link_and_its_uses_lead_back_to_that(world: World) -> None:
    await world.request()
    answer = world.give_link(AGENT)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    given = answer.json()
    assert given["expires_at"].startswith("2026-05-31")
    assert world.held(headers=bearer(given["token"])).status_code == 200
    disclosed, viewed = world.log.events()
    assert (disclosed.action, disclosed.why.purpose) == ("disclose", "respond")
    assert (disclosed.agent.id, disclosed.what.record_ids) == ("olga", ("r-1",))
    assert disclosed.why.justification is not None
    assert viewed.agent.session == _event_id(world, 0)
    assert given["token"] not in str([entry.message.body for entry in world.log.entries])


def _event_id(world: World, index: int) -> str:
    return world.log.entries[index].id


@pytest.mark.parametrize("token", ["custodian:carla", "department:pit", "auditor:ada", "admin:a"])
async def test_only_an_agent_gives_links(world: World, token: str) -> None:
    await world.request()
    assert world.give_link(bearer(token)).status_code == 403
    assert world.give_link(world.link()).status_code == 403
    assert [event.outcome for event in world.log.events()] == ["denied", "denied"]


async def test_a_link_is_given_with_a_reason_and_of_what_there_is(world: World) -> None:
    await world.request()
    await world.request("r-2", lifecycle="destroying")
    assert world.give_link(AGENT, justification="short").status_code == 422
    assert world.give_link(AGENT, "r-2").status_code == 404
    assert world.give_link(AGENT, "never").status_code == 404
    world.clock.at += timedelta(days=400)
    assert world.give_link(AGENT).status_code == 503


# ---------------------------------------------------------------- name and address

HOME = {"reporter_address": "9 Elm Street"}
COMPLAINT = {"service_code": "CODE-JUNK", "status": "identity_required", "held_because": "x"}


@pytest.mark.policy("P3")
async def test_a_complaint_goes_to_work_once_its_reporter_gave_name_and_address(
    world: World,
) -> None:
    await world.request(plain={"description": "Junk."}, **COMPLAINT)
    assert world.correct({"first_name": "Zora", "last_name": "Neale"}).status_code == 200
    assert world.state().status == "identity_required"
    assert world.said() == []
    assert world.correct(HOME).status_code == 200
    state = world.state()
    assert (state.status, state.held_because) == ("received", None)
    (said,) = world.said()
    assert (said.changed, said.status) == (("status",), "received")
    assert world.held().json()["fields"]["reporter_address"] == HOME["reporter_address"]


async def test_an_address_that_comes_later_is_held_against_the_registry(world: World) -> None:
    await world.request(plain={"description": "Junk."}, **COMPLAINT)
    world.registry.hashes = set(world.indexes.place("9 ELM ST", None, None))
    assert world.correct(HOME).status_code == 200
    state = world.state()
    assert (state.protected, state.listed) == (True, False)
    assert world.correct({"reporter_address": "10 Oak Street"}).status_code == 200
    assert world.state().protected
    assert "Elm" not in state.model_dump_json(exclude={"sealed"})


async def test_an_address_is_taken_while_geo_is_away(world: World) -> None:
    await world.request(plain={"description": "Junk."}, **COMPLAINT)
    world.addresses.away = True
    assert world.correct(HOME).status_code == 200
    state = world.state()
    assert state.indexes["home"] == world.indexes.place("9 Elm Street", None, None)
    # By which it is found, to be read by geo; until then nobody sees where it is.
    assert state.index_versions == ()
    assert (state.protected, state.listed) == (True, False)
    assert state.home_unread_at is not None
    world.addresses.away = False
    assert world.correct(NEW_PHONE).status_code == 200
    state = world.state()
    assert state.indexes["home"] == world.indexes.place("9 ELM ST", None, None)
    assert state.index_versions == world.indexes.versions
    assert (state.protected, state.home_unread_at) == (False, None)


@pytest.mark.policy("P8")
async def test_a_correction_while_geo_is_away_takes_no_protected_home_from_the_registry(
    world: World,
) -> None:
    home = world.indexes.place("9 ELM ST", None, None)
    plain = {**PERSON, **HOME}
    indexes = {**world.indexes.of(plain), "home": home}
    newer = {name: os.urandom(32) for name in FIELDS}
    later = World(KeyedIndexes(2, newer, world.clock, {1: KEYS}))
    later.registry.hashes = set(home)
    await later.request(
        plain=plain, indexes=indexes, index_versions=(1,), protected=True, listed=False
    )
    later.addresses.away = True
    assert later.correct(NEW_PHONE).status_code == 200
    state = later.state()
    assert (state.indexes["home"], state.protected, state.index_versions) == (home, True, ())
    assert state.indexes["phone"] == later.indexes.of({"phone": NEW_PHONE["phone"]})["phone"]
    # Nor does another address, however it is written.
    assert later.correct({"reporter_address": "10 Oak Street"}).status_code == 200
    state = later.state()
    assert (set(state.indexes["earlier"]), state.protected) == (set(home), True)
    assert state.index_versions == ()


async def test_what_all_is_indexed_anew_for_stays_protected_by_what_it_was(world: World) -> None:
    # As where it was indexed by other rules than those of today.
    name = world.indexes.of({"first_name": "Zora", "last_name": "Neale Hurston"})["name"]
    world.registry.hashes = set(name)
    indexes = {**world.indexes.of(PERSON), "name": name}
    await world.request(indexes=indexes, index_versions=(), protected=True, listed=False)
    assert world.correct(NEW_PHONE).status_code == 200
    state = world.state()
    assert state.indexes["name"] == world.indexes.of(PERSON)["name"]
    assert (set(state.indexes["earlier"]), state.protected) == (set(name), True)


@pytest.mark.policy("P5")
@pytest.mark.parametrize("field", ["first_name", "last_name", "reporter_address"])
async def test_a_card_or_security_number_is_not_taken_by_a_correction(
    world: World, field: str
) -> None:
    before = await world.request(plain={**PERSON, **HOME})
    refused = world.correct({field: "Zora, ssn 219-09-9999"})
    assert (refused.status_code, refused.json()["field"]) == (422, field)
    assert "219-09" not in refused.text
    assert world.state() == before
