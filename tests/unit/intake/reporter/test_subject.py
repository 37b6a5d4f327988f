"""A resident's own view by the signed link of their request: what is held, and its correction."""

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from httpx import Response

from direct311.intake.indexes.adapters.keyed import KeyedIndexes
from direct311.intake.lifecycle.handlers import Follow
from direct311.intake.protection.handlers.address_index import AddressIndex
from direct311.intake.reporter.api.subject import link_router, subject_router
from direct311.intake.reporter.handlers.codes import SentCodes
from direct311.intake.reporter.handlers.mail import code_of
from direct311.intake.reporter.handlers.subject import Subject
from direct311.intake.request import (
    CORRECTIONS_REMEMBERED,
    SENDERS,
    UPDATE_CONTACTS,
    UPDATES,
    WORK_NOTES,
    Located,
    ServiceRequest,
)
from direct311.runtime.http.api import caller_of
from direct311.runtime.messaging.records import Write
from direct311.schemas import events as ev
from tests.support.intake import PERSON, IntakeUnderTest, index_keys
from tests.support.intake_stores import InMemoryCodes
from tests.support.links import bearer
from tests.support.memory import InMemoryRecords
from tests.support.runtime import NOW, SetClock

KEYS = index_keys()
AGENT = bearer("agent:olga")
NEW_PHONE = {"phone": "(786) 555-0143"}
NOTICES = ("668.6076-1", "668.6076-2")
EMAIL = {"email": "z@example.org", "email_notice_version": NOTICES[1]}


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


class SubjectIntake(IntakeUnderTest):
    def __init__(self, indexes: KeyedIndexes | None = None) -> None:
        self.crowded = Crowded()
        super().__init__(records=self.crowded, indexes=indexes)
        if indexes is None:
            self.indexes = KeyedIndexes(1, KEYS, self.clock)
        self.follow = Follow(self.registry, self.indexes.place, self.clock)
        self.codes = InMemoryCodes()
        subject = Subject(
            processor=self.processor,
            vault=self.vault,
            indexes=self.indexes,
            home=AddressIndex(self.addresses, self.indexes),
            protections=self.registry,
            protect=self.follow.protect,
            links=self.link_signer,
            sent=SentCodes(self.codes, self.clock, self.indexes.content_key),
            clock=self.clock,
            ids=self.ids,
            content_key=self.indexes.content_key,
            notices=NOTICES,
        )
        residents = caller_of(self.authenticator, residents=True)
        self.http = self.serve(
            link_router(subject, caller_of(self.authenticator)), subject_router(subject, residents)
        )

    async def request(
        self, record_id: str = "r-1", plain: Mapping[str, str] = PERSON, **fields: object
    ) -> ServiceRequest:
        upload = ev.UploadRef(upload_id="u-1", size=7, sha256="00", content_type="image/png")
        stands: dict[str, object] = {
            "service_code": "ANI-TETHERED-DOG",
            "indexes": {**self.indexes.of(plain), "place": ("1:place",)},
            "place": ev.Place(latitude=25.7, longitude=-80.3),
            "located": Located(outcome="resolved", latitude=25.7, longitude=-80.3),
            "uploads": (upload,),
            "policy": ev.PolicyAgreement(version="2025-01", agreed="accepted"),
            "registry_version": 1,
        }
        return await super().request(record_id, plain, **stands | fields)

    def code(self, record_id: str = "r-1") -> str:
        """A code that was sent to the address of the request."""
        self.codes.nonces[record_id] = os.urandom(16).hex()
        nonce = self.codes.nonces[record_id]
        return code_of(self.indexes.content_key, self.state(record_id), nonce)

    def link(self, record_id: str = "r-1") -> dict[str, str]:
        return bearer(self.link_signer.issue(record_id).token)

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


@pytest.fixture
def intake() -> SubjectIntake:
    return SubjectIntake()


pytestmark = pytest.mark.anyio


# ---------------------------------------------------------------- what is held


@pytest.mark.policy("P13")
async def test_the_holder_of_the_link_sees_what_is_held(intake: SubjectIntake) -> None:
    await intake.request()
    answer = intake.held()
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    shown = answer.json()
    assert shown["fields"] == PERSON
    assert shown["policy"]["version"] == "2025-01"
    assert shown["files"] == [{"file_id": "u-1", "content_type": "image/png", "size": 7}]
    (event,) = intake.access_log.events()
    assert (event.action, event.why.purpose, event.outcome) == ("view", "subject_access", "success")
    assert (event.agent.id, event.agent.authentication) == ("link:r-1", "signed_link")
    assert event.what.fields == tuple(sorted(PERSON))
    assert event.where.client_address is None


async def test_what_departments_and_others_wrote_is_not_the_reporters(
    intake: SubjectIntake,
) -> None:
    others = {UPDATES: "{}", UPDATE_CONTACTS: "{}", WORK_NOTES: "{}"}
    await intake.request(plain={**PERSON, **others})
    answer = intake.held()
    assert answer.status_code == 200
    assert answer.json()["fields"] == PERSON
    (event,) = intake.access_log.events()
    assert event.what.fields == tuple(sorted(PERSON))
    assert [fetch.record_id for fetch in intake.keys.fetches] == ["r-1"]


async def test_two_links_of_a_request_open_it_and_are_told_apart(intake: SubjectIntake) -> None:
    await intake.request()
    assert [intake.held().status_code, intake.held().status_code] == [200, 200]
    sessions = [event.agent.session for event in intake.access_log.events()]
    assert len(set(sessions)) == 2
    assert None not in sessions


@pytest.mark.parametrize("token", ["agent:olga", "auditor:ada", "admin:root", "custodian:carla"])
async def test_no_staff_token_opens_what_the_link_opens(intake: SubjectIntake, token: str) -> None:
    await intake.request()
    refused = intake.held(headers=bearer(token))
    assert refused.status_code == 403
    assert intake.correct(NEW_PHONE, headers=bearer(token)).status_code == 403
    assert [event.outcome for event in intake.access_log.events()] == ["denied", "denied"]
    assert intake.keys.fetches == []


async def test_what_must_be_opened_to_correct_and_does_not_open_is_told(
    intake: SubjectIntake,
) -> None:
    before = await intake.request(sealed={"last_name": bytes(40)})
    answer = intake.correct({"first_name": "Zoe"})
    assert (answer.status_code, answer.json()["title"]) == (410, "not readable")
    assert intake.state() == before
    assert [event.outcome for event in intake.access_log.events()] == ["success", "error"]


async def test_the_link_of_another_request_is_refused_whether_there_is_one_or_not(
    intake: SubjectIntake,
) -> None:
    await intake.request()
    await intake.request("r-2")
    await intake.request("r-3", lifecycle="destroying")
    link = intake.link("r-1")
    answers = []
    for record_id in ("r-2", "r-3", "r-none"):
        answers += [intake.held(record_id, link), intake.correct(NEW_PHONE, None, record_id, link)]
    assert {answer.status_code for answer in answers} == {403}
    assert len({answer.text for answer in answers}) == 1
    assert {event.decision.rule for event in intake.access_log.events()} == {"refused:signed_link"}
    assert intake.keys.fetches == []
    assert intake.state("r-2").corrections == ()


async def test_a_link_that_is_over_or_no_link_is_unauthenticated(intake: SubjectIntake) -> None:
    await intake.request()
    link = intake.link()
    assert intake.held(headers={}).status_code == 401
    assert intake.held(headers=bearer("nonsense")).status_code == 401
    assert intake.held(
        headers={"Authorization": link["Authorization"][:-3] + "AAA"}
    ).status_code == (401)
    intake.clock.at += timedelta(days=91)
    assert intake.held(headers=link).status_code == 401
    assert intake.access_log.events() == []


@pytest.mark.parametrize("lifecycle", ["destroying", "destroyed"])
async def test_what_is_going_or_gone_is_told_to_the_holder_alone(
    intake: SubjectIntake, lifecycle: str
) -> None:
    await intake.request(lifecycle=lifecycle)
    assert intake.held().status_code == 410
    assert intake.correct(NEW_PHONE).status_code == 410
    assert intake.held("never", intake.link("never")).status_code == 404
    assert intake.keys.fetches == []


async def test_nothing_is_shown_or_changed_that_cannot_be_written_down(
    intake: SubjectIntake,
) -> None:
    before = await intake.request()
    intake.access_log.down = True
    for answer in (intake.held(), intake.correct(NEW_PHONE), intake.give_link(AGENT)):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert intake.state() == before
    assert intake.keys.fetches == []


# ---------------------------------------------------------------- correction


async def test_a_corrected_value_takes_the_place_of_the_old_one_everywhere(
    intake: SubjectIntake,
) -> None:
    before = await intake.request()
    answer = intake.correct(NEW_PHONE)
    assert answer.status_code == 200
    assert answer.json()["fields"] == ["phone"]
    after = intake.state()
    assert after.version == before.version + 1
    assert intake.held().json()["fields"] == PERSON | NEW_PHONE
    assert after.indexes["phone"] == intake.indexes.of(NEW_PHONE)["phone"]
    assert {k: v for k, v in after.indexes.items() if k != "phone"} == {
        k: v for k, v in before.indexes.items() if k != "phone"
    }
    event = intake.access_log.events()[0]
    assert (event.action, event.why.purpose) == ("correct", "subject_access")
    assert event.what.fields == ("phone",)
    # Nothing that others know has changed, so nobody is told.
    assert intake.said() == []
    assert "555-0143" not in after.model_dump_json(exclude={"sealed"})


async def test_the_index_of_a_name_follows_from_both_its_parts(intake: SubjectIntake) -> None:
    await intake.request()
    assert intake.correct({"first_name": "Zoë"}).status_code == 200
    whole = intake.indexes.of({"first_name": "zoe", "last_name": "neale"})
    assert intake.state().indexes["name"] == whole["name"]
    # What was opened for it is named too.
    assert intake.access_log.events()[0].what.fields == ("first_name", "last_name")


async def test_what_was_not_given_can_be_added_and_only_a_held_address_corrected(
    intake: SubjectIntake,
) -> None:
    await intake.request()
    await intake.request("r-2", {"description": PERSON["description"]})
    assert intake.correct(EMAIL, None, "r-2").status_code == 200
    assert set(intake.state("r-2").sealed) == {"description", "email"}
    refused = intake.correct({"reporter_address": "1 NW 1 ST"})
    assert (refused.status_code, refused.json()["field"]) == (422, "reporter_address")
    assert intake.state().corrections == ()
    await intake.request("r-3", {"reporter_address": "1 NW 1 ST"})
    assert intake.correct({"reporter_address": "2 NW 2 ST"}, None, "r-3").status_code == 200
    assert intake.held("r-3").json()["fields"]["reporter_address"] == "2 NW 2 ST"


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
    intake: SubjectIntake, values: Mapping[str, object], field: str
) -> None:
    before = await intake.request()
    refused = intake.correct(values)
    assert (refused.status_code, refused.json()["field"]) == (422, field)
    assert "Wurzelgruber" not in refused.text
    assert intake.state() == before
    assert intake.keys.fetches == []


async def test_a_retry_is_done_once_and_a_key_is_good_for_one_set_of_values(
    intake: SubjectIntake,
) -> None:
    await intake.request()
    first = intake.correct(NEW_PHONE, "zora@example.org")
    intake.clock.at += timedelta(minutes=1)
    again = intake.correct(NEW_PHONE, "zora@example.org")
    assert again.json() == first.json()
    assert (intake.state().version, len(intake.state().corrections)) == (2, 1)
    assert [event.action for event in intake.access_log.events()] == ["correct"]
    refused = intake.correct({"phone": "305-555-0199"}, "zora@example.org")
    assert (refused.status_code, refused.json()["field"]) == (409, "Idempotency-Key")
    assert intake.correct({"phone": "305-555-0199"}, "another").status_code == 200
    assert "zora@" not in intake.state().model_dump_json(exclude={"sealed"})


async def test_a_request_remembers_so_many_corrections(intake: SubjectIntake) -> None:
    await intake.request()
    for _ in range(CORRECTIONS_REMEMBERED + 2):
        intake.clock.at += timedelta(hours=3)
        assert intake.correct(NEW_PHONE).status_code == 200
    assert len(intake.held().json()["corrections"]) == CORRECTIONS_REMEMBERED


async def test_a_correction_and_another_change_at_the_same_time_both_stand(
    intake: SubjectIntake,
) -> None:
    before = await intake.request()
    intake.crowded.meanwhile = {"status": "in_progress", "department": "animal_services"}
    assert intake.correct(NEW_PHONE).status_code == 200
    after = intake.state()
    assert (after.version, after.status) == (before.version + 2, "in_progress")
    assert intake.held().json()["fields"]["phone"] == NEW_PHONE["phone"]


async def test_what_was_not_written_down_is_not_opened_when_it_comes_meanwhile(
    intake: SubjectIntake,
) -> None:
    last_name = (await intake.request()).sealed["last_name"]
    await intake.request("r-2", {"first_name": "Zora"})
    intake.crowded.meanwhile = {"sealed": {**intake.state("r-2").sealed, "last_name": last_name}}
    answer = intake.correct({"first_name": "Zoë"}, None, "r-2")
    assert (answer.status_code, answer.json()["title"]) == (503, "unavailable")
    assert intake.state("r-2").corrections == ()


async def test_under_other_index_keys_than_the_requests_all_is_indexed_anew(
    intake: SubjectIntake,
) -> None:
    before = await intake.request()
    newer = index_keys()
    later = SubjectIntake(KeyedIndexes(2, newer, intake.clock, {1: KEYS}))
    await later.request(indexes=before.indexes, index_versions=before.index_versions)
    assert later.correct(NEW_PHONE).status_code == 200
    after = later.state()
    fresh = later.indexes.of({**PERSON, **NEW_PHONE})
    assert {kind: after.indexes[kind] for kind in fresh} == fresh
    assert after.index_versions == (2, 1)
    # What was opened for it is named too.
    assert later.access_log.events()[0].what.fields == ("email", "first_name", "last_name", "phone")
    # An address alone is indexed too.
    await later.request("r-2", {"reporter_address": "1 NW 1 ST"}, index_versions=(1,))
    assert later.correct({"reporter_address": "2 NW 2 ST"}, None, "r-2").status_code == 200
    assert later.state("r-2").index_versions == (2, 1)
    assert later.state("r-2").indexes["home"] == later.indexes.place("2 NW 2 ST", None, None)
    assert later.access_log.events()[-1].what.fields == ("reporter_address",)


async def test_under_newer_keys_a_correction_leaves_the_senders_of_comments_to_reindex() -> None:
    newer = index_keys()
    later = SubjectIntake(KeyedIndexes(2, newer, SetClock(), {1: KEYS}))
    senders = ("1:somebody",)
    await later.request(indexes={SENDERS: senders}, index_versions=(1,))
    assert later.correct(NEW_PHONE).status_code == 200
    after = later.state()
    assert after.indexes[SENDERS] == senders
    assert set(after.indexes["phone"]) == set(later.indexes.of(NEW_PHONE)["phone"])
    assert after.index_versions == (1,)


async def test_of_two_same_retries_at_once_one_is_done(intake: SubjectIntake) -> None:
    await intake.request()
    assert intake.correct(NEW_PHONE, "k").status_code == 200
    done = intake.state()
    await intake.request("r-2")
    intake.crowded.meanwhile = {"corrections": done.corrections}
    answer = intake.correct(NEW_PHONE, "k", "r-2")
    assert answer.status_code == 200
    assert intake.state("r-2").version == 2


async def test_a_request_that_begins_to_be_destroyed_takes_no_correction(
    intake: SubjectIntake,
) -> None:
    await intake.request()
    intake.crowded.meanwhile = {"lifecycle": "destroying"}
    assert intake.correct(NEW_PHONE).status_code == 410
    assert intake.state().corrections == ()


async def test_a_key_that_is_gone_is_a_410_and_changes_nothing(intake: SubjectIntake) -> None:
    before = await intake.request()
    await intake.keys.destroy("r-1")
    assert intake.correct(NEW_PHONE).status_code == 410
    assert intake.state() == before


async def test_a_hold_does_not_hinder_a_correction(intake: SubjectIntake) -> None:
    await intake.request(holds=("h-1",), status="closed")
    assert intake.correct(NEW_PHONE).status_code == 200
    assert intake.state().holds == ("h-1",)


# ---------------------------------------------------------------- protection


async def test_a_new_value_that_is_protected_hides_the_request_at_once(
    intake: SubjectIntake,
) -> None:
    await intake.request()
    intake.registry.hashes = set(intake.indexes.of(NEW_PHONE)["phone"])
    intake.registry.version = 2
    assert intake.correct(NEW_PHONE).status_code == 200
    after = intake.state()
    assert (after.protected, after.listed, after.registry_version) == (True, False, 2)
    (said,) = intake.said()
    assert (said.changed, said.protected) == (("place_checked",), True)


@pytest.mark.policy("P2")
@pytest.mark.parametrize("notice", [{}, {"email_notice_version": "no-such"}])
async def test_an_e_mail_address_is_taken_with_the_notice_that_was_shown_for_it(
    intake: SubjectIntake, notice: Mapping[str, str]
) -> None:
    await intake.request()
    before = intake.state()
    refused = intake.correct({"email": "z@example.org", **notice})
    assert (refused.status_code, refused.json()["field"]) == (422, "email_notice_version")
    assert "z@example.org" not in refused.text
    assert "no-such" not in refused.text
    assert intake.state() == before
    assert intake.correct(NEW_PHONE).status_code == 200
    assert intake.state().policy == before.policy
    assert intake.correct(EMAIL | {"email_code": intake.code()}).status_code == 200
    policy = intake.state().policy
    assert policy is not None
    assert policy.email_notice_version == NOTICES[1]
    assert policy.version == "2025-01"


async def test_a_correction_lifts_no_protection_and_the_registry_does(
    intake: SubjectIntake,
) -> None:
    old = intake.indexes.of(PERSON)["phone"]
    intake.registry.hashes = set(old)
    await intake.request(protected=True, listed=False)
    assert intake.correct(NEW_PHONE).status_code == 200
    after = intake.state()
    assert (after.protected, after.listed) == (True, False)
    assert intake.said() == []
    # Who searches for the old number does not find it; what is not protected is not kept at all.
    assert after.indexes["earlier"] == old
    assert intake.correct(EMAIL | {"email_code": intake.code()}).status_code == 200
    assert intake.state().indexes["earlier"] == old
    assert not set(old) & set(after.indexes["phone"])
    intake.registry.hashes, intake.registry.version = set(), 2
    lifted = await intake.follow.recheck(after)
    assert lifted is not None
    assert (lifted.state.protected, lifted.state.listed) == (False, True)


async def test_a_newer_registry_than_the_copy_knew_is_looked_at_again(
    intake: SubjectIntake,
) -> None:
    await intake.request()
    assert intake.correct(NEW_PHONE).status_code == 200
    intake.registry.hashes = set(intake.indexes.of(NEW_PHONE)["phone"])
    intake.registry.version = 2
    found = await intake.follow.recheck(intake.state())
    assert found is not None
    assert found.state.protected


# ---------------------------------------------------------------- links by an agent


async def test_an_agent_gives_a_link_and_its_uses_lead_back_to_that(intake: SubjectIntake) -> None:
    await intake.request()
    answer = intake.give_link(AGENT)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    given = answer.json()
    assert given["expires_at"].startswith("2026-05-31")
    assert intake.held(headers=bearer(given["token"])).status_code == 200
    disclosed, viewed = intake.access_log.events()
    assert (disclosed.action, disclosed.why.purpose) == ("disclose", "respond")
    assert (disclosed.agent.id, disclosed.what.record_ids) == ("olga", ("r-1",))
    assert disclosed.why.justification is not None
    assert viewed.agent.session == _event_id(intake, 0)
    assert given["token"] not in str([entry.message.body for entry in intake.access_log.entries])


def _event_id(intake: SubjectIntake, index: int) -> str:
    return intake.access_log.entries[index].id


@pytest.mark.parametrize("token", ["custodian:carla", "department:pit", "auditor:ada", "admin:a"])
async def test_only_an_agent_gives_links(intake: SubjectIntake, token: str) -> None:
    await intake.request()
    assert intake.give_link(bearer(token)).status_code == 403
    assert intake.give_link(intake.link()).status_code == 403
    assert [event.outcome for event in intake.access_log.events()] == ["denied", "denied"]


async def test_a_link_is_given_with_a_reason_and_of_what_there_is(intake: SubjectIntake) -> None:
    await intake.request()
    await intake.request("r-2", lifecycle="destroying")
    assert intake.give_link(AGENT, justification="short").status_code == 422
    assert intake.give_link(AGENT, "r-2").status_code == 404
    assert intake.give_link(AGENT, "never").status_code == 404
    intake.clock.at += timedelta(days=400)
    assert intake.give_link(AGENT).status_code == 503


# ---------------------------------------------------------------- name and address

HOME = {"reporter_address": "9 Elm Street"}
COMPLAINT = {"service_code": "CODE-JUNK", "status": "identity_required", "held_because": "x"}


@pytest.mark.policy("P3")
async def test_a_complaint_goes_to_work_once_its_reporter_gave_name_and_address(
    intake: SubjectIntake,
) -> None:
    await intake.request(plain={"description": "Junk."}, **COMPLAINT)
    assert intake.correct({"first_name": "Zora", "last_name": "Neale"}).status_code == 200
    assert intake.state().status == "identity_required"
    assert intake.said() == []
    assert intake.correct(HOME).status_code == 200
    state = intake.state()
    assert (state.status, state.held_because) == ("received", None)
    (said,) = intake.said()
    assert (said.changed, said.status) == (("status",), "received")
    assert intake.held().json()["fields"]["reporter_address"] == HOME["reporter_address"]


async def test_an_address_that_comes_later_is_held_against_the_registry(
    intake: SubjectIntake,
) -> None:
    await intake.request(plain={"description": "Junk."}, **COMPLAINT)
    intake.registry.hashes = set(intake.indexes.place("9 ELM ST", None, None))
    assert intake.correct(HOME).status_code == 200
    state = intake.state()
    assert (state.protected, state.listed) == (True, False)
    assert intake.correct({"reporter_address": "10 Oak Street"}).status_code == 200
    assert intake.state().protected
    assert "Elm" not in state.model_dump_json(exclude={"sealed"})


async def test_an_address_is_taken_while_geo_is_away(intake: SubjectIntake) -> None:
    await intake.request(plain={"description": "Junk."}, **COMPLAINT)
    intake.addresses.away = True
    assert intake.correct(HOME).status_code == 200
    state = intake.state()
    assert state.indexes["home"] == intake.indexes.place("9 Elm Street", None, None)
    # By which it is found, to be read by geo; until then nobody sees where it is.
    assert state.index_versions == ()
    assert (state.protected, state.listed) == (True, False)
    assert state.home_unread_at is not None
    intake.addresses.away = False
    assert intake.correct(NEW_PHONE).status_code == 200
    state = intake.state()
    assert state.indexes["home"] == intake.indexes.place("9 ELM ST", None, None)
    assert state.index_versions == intake.indexes.versions
    assert (state.protected, state.home_unread_at) == (False, None)


@pytest.mark.policy("P8")
async def test_a_correction_while_geo_is_away_takes_no_protected_home_from_the_registry(
    intake: SubjectIntake,
) -> None:
    home = intake.indexes.place("9 ELM ST", None, None)
    plain = {**PERSON, **HOME}
    indexes = {**intake.indexes.of(plain), "home": home}
    newer = index_keys()
    later = SubjectIntake(KeyedIndexes(2, newer, intake.clock, {1: KEYS}))
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


async def test_what_all_is_indexed_anew_for_stays_protected_by_what_it_was(
    intake: SubjectIntake,
) -> None:
    # As where it was indexed by other rules than those of today.
    name = intake.indexes.of({"first_name": "Zora", "last_name": "Neale Hurston"})["name"]
    intake.registry.hashes = set(name)
    indexes = {**intake.indexes.of(PERSON), "name": name}
    await intake.request(indexes=indexes, index_versions=(), protected=True, listed=False)
    assert intake.correct(NEW_PHONE).status_code == 200
    state = intake.state()
    assert state.indexes["name"] == intake.indexes.of(PERSON)["name"]
    assert (set(state.indexes["earlier"]), state.protected) == (set(name), True)


@pytest.mark.policy("P5")
@pytest.mark.parametrize("field", ["first_name", "last_name", "reporter_address"])
async def test_a_card_or_security_number_is_not_taken_by_a_correction(
    intake: SubjectIntake, field: str
) -> None:
    before = await intake.request(plain={**PERSON, **HOME})
    refused = intake.correct({field: "Zora, ssn 219-09-9999"})
    assert (refused.status_code, refused.json()["field"]) == (422, field)
    assert "219-09" not in refused.text
    assert intake.state() == before
