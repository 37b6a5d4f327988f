"""Taking calls: what must be read, who is named where, and what the caller gets."""

import re
from datetime import timedelta
from typing import Any

import pytest
from starlette.requests import Request

from direct311.intake.calls.api import calls_router
from direct311.intake.calls.handlers import CLIENT_ID, TakeCall
from direct311.intake.reporter.adapters.codes import MOST_ASKED
from direct311.intake.request import CallTaken
from direct311.intake.work.api.answers import whole
from direct311.runtime.access.rules import Caller
from direct311.schemas import events as ev
from tests.support.gateway import Gateway
from tests.support.reporters import NOTICE, POLICIES
from tests.support.runtime import NOW

pytestmark = pytest.mark.anyio

AGENT = Caller("olga", ("agent",))
POLICY = max(
    (each for each in POLICIES.policies if each.effective_from <= NOW.date()),
    key=lambda each: each.effective_from,
)
READ = {"policy_version": POLICY.version, "language": "en", "read_by": "agent"}
ENFORCEMENT = "CODE-JUNK"
KEY = "call-1"


class Desk:
    """The gateway, and an agent with a telephone."""

    def __init__(self, *, can_mail: bool = True) -> None:
        self.gateway = Gateway()
        self.intake = intake = self.gateway.intake
        self.caller = AGENT
        take = TakeCall(
            accept=self.gateway.accept,
            agreement=self.gateway.agreement,
            requests=intake.requests,
            codes=intake.one_time,
            can_mail=can_mail,
            vault=intake.vault,
        )

        async def caller_of(_: Request) -> Caller:
            return self.caller

        self.http = intake.serve(calls_router(take, caller_of))

    def take(self, key: str | None = KEY, caller: Caller = AGENT, **members: Any) -> Any:
        """The answer to a call about a stray dog in Kendall."""
        self.caller = caller
        order = {
            "channel": "phone",
            "notices": READ,
            "service_code": "ANI-STRAY-DOG",
            "lat": 25.666,
            "long": -80.358,
            "description": "It bites. Call me at 305-555-0165.",
            "phone": "305-555-0165",
        }
        headers = {"Idempotency-Key": key} if key is not None else {}
        body = {name: value for name, value in {**order, **members}.items() if value is not None}
        return self.http.post("/v1/work/requests", json=body, headers=headers)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_call_is_a_request_like_any_other_and_names_the_agent_to_staff_only(desk: Desk) -> None:
    answer = desk.take(channel="counter", notices=READ | {"read_by": "interpreter"})
    assert answer.status_code == 201, answer.text
    assert (answer.headers["etag"], answer.headers["cache-control"]) == ('"0"', "no-store")
    (state,) = desk.gateway.states()
    told = answer.json()
    assert told["service_request_id"] == told["record_id"] == state.record_id
    assert state.record_id in told["tell"]
    assert told["code_sent"] is False
    assert not re.search("305|bites|olga", answer.text)

    assert (state.channel, state.client_id) == ("counter", CLIENT_ID)
    assert state.call == CallTaken(by="olga", language="en", notices_read_by="interpreter")
    assert state.policy == ev.PolicyAgreement(version=POLICY.version, agreed="accepted")
    assert set(state.sealed) == {"description", "phone"}
    assert "305" not in state.text
    assert whole(state).call == state.call
    (event,) = desk.intake.records.said(state.record_id)
    assert "olga" not in str(event)

    (entry,) = desk.intake.access_log.events()
    assert (entry.action, entry.outcome, entry.agent.id) == ("seal", "success", "olga")
    assert (entry.what.record_ids, set(entry.what.fields)) == (
        (state.record_id,),
        set(state.sealed),
    )
    assert entry.why.notice_version == POLICY.version


def test_nothing_is_taken_before_the_notices_are_read(desk: Desk) -> None:
    unread = desk.take(notices=None)
    assert (unread.status_code, unread.json()["field"]) == (409, "notices")
    assert unread.json()["type"].endswith(":consent")
    assert POLICY.texts["en"].body.rstrip() in unread.json()["detail"]
    old = desk.take(notices=READ | {"policy_version": "2001-1", "language": "es"})
    assert (old.status_code, old.json()["field"]) == (409, "notices.policy_version")
    assert POLICY.texts["es"].body.rstrip() in old.json()["detail"]
    mail = desk.take(email="ada@example.org")
    assert (mail.status_code, mail.json()["field"]) == (422, "notices.email_notice_version")
    nobody = desk.take(notices=READ | {"read_by": "nobody"})
    assert (nobody.status_code, nobody.json()["field"]) == (422, "notices.read_by")
    assert desk.gateway.states() == []
    assert desk.intake.access_log.events() == []


def test_what_is_wrong_names_its_field_and_repeats_nothing(desk: Desk) -> None:
    for members, field in (
        ({"service_code": "NONE"}, "service_code"),
        ({"lat": 95.0}, "lat"),
        ({"phone": "canary"}, "phone"),
        ({"attributes": {"CANARY": "x"}}, "attributes"),
        ({"contact_consent": {"by": ["email"]}}, "contact_consent.by"),
        ({"channel": "canary"}, "channel"),
        ({"canary": "canary"}, ""),
    ):
        answer = desk.take(**members)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["field"] == field
        assert "canary" not in answer.text.lower()
    unkeyed = desk.take(None)
    assert (unkeyed.status_code, unkeyed.json()["field"]) == (422, "Idempotency-Key")
    assert desk.gateway.states() == []


def test_only_agents_take_calls_and_only_if_the_log_can_be_written(desk: Desk) -> None:
    for role in ("inspector", "department", "custodian", "admin"):
        answer = desk.take(caller=Caller("paul", (role,), "parks"), notices=None)
        assert answer.status_code == 403
        assert answer.json()["type"].endswith(":role")
    desk.intake.access_log.down = True
    assert desk.take().status_code == 503
    assert desk.gateway.states() == []
    desk.intake.access_log.down = False
    assert desk.take().status_code == 201
    assert len(desk.gateway.states()) == 1


def test_a_retry_takes_the_call_once_and_another_agents_key_is_another(desk: Desk) -> None:
    first, again = desk.take(), desk.take()
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert len(desk.intake.access_log.events()) == 1
    other = desk.take(description="It barks.")
    assert (other.status_code, other.json()["field"]) == (409, "Idempotency-Key")
    theirs = desk.take(caller=Caller("ivan", ("agent",)))
    assert theirs.status_code == 201
    assert [each.call and each.call.by for each in desk.gateway.states()] == ["olga", "ivan"]
    # The same client's key is no agent's key.
    app = desk.gateway.json({"service_code": "ANI-STRAY-DOG", "lat": 25.6, "long": -80.3}, KEY)
    assert app.status_code == 201


async def test_the_callers_code_goes_to_their_mailbox_and_opens_the_request(desk: Desk) -> None:
    notices = READ | {"email_notice_version": NOTICE, "language": "es"}
    answer = desk.take(email="ada@example.org", notices=notices)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert told["code_sent"] is True
    assert (told["language"], "código" in told["tell"]) == ("es", True)
    await desk.intake.mail.step()
    (message,) = desk.intake.mailer.sent
    assert "ada@example.org" in str(message["To"])
    code = re.search(r"\b\d{8}\b", message.get_content())
    assert code is not None
    assert code[0] not in answer.text
    path = f"/v1/requests/{told['record_id']}"
    headers = {"X-Api-Key": "app"}
    redeemed = desk.gateway.http.post(
        f"{path}/codes/redeem", json={"code": code[0]}, headers=headers
    )
    assert redeemed.status_code == 200, redeemed.text
    followed = desk.gateway.resident("GET", f"{path}/follow", redeemed.json()["token"])
    assert followed.status_code == 200
    assert "olga" not in followed.text
    held = desk.gateway.resident("GET", f"{path}/subject", redeemed.json()["token"])
    assert held.json()["channel"] == "phone"
    assert "olga" not in held.text


def test_a_retry_sends_the_code_that_the_first_call_may_not_have_sent(desk: Desk) -> None:
    notices = READ | {"email_notice_version": NOTICE}
    codes = desk.intake.codes
    answers = [desk.take(email="ada@example.org", notices=notices) for _ in range(MOST_ASKED + 1)]
    assert [each.status_code for each in answers] == [201] + [200] * MOST_ASKED
    assert [each.json()["code_sent"] for each in answers] == [True] * MOST_ASKED + [False]
    assert all(nonce is not None for _, nonce in codes.asked)
    assert len(desk.gateway.states()) == 1
    # A day later a retry opens nothing any more.
    desk.intake.clock.advance(timedelta(days=1, seconds=1))
    codes.asked.clear()
    late = desk.take(email="ada@example.org", notices=notices)
    assert (late.status_code, late.json()["code_sent"]) == (200, False)
    assert codes.asked == []


def test_without_a_mail_server_no_code_is_promised() -> None:
    desk = Desk(can_mail=False)
    notices = READ | {"email_notice_version": NOTICE}
    answer = desk.take(email="ada@example.org", notices=notices)
    assert (answer.status_code, answer.json()["code_sent"]) == (201, False)
    assert desk.intake.codes.asked == []


def test_a_complaint_to_code_enforcement_is_held_as_a_residents_is(desk: Desk) -> None:
    answer = desk.take(service_code=ENFORCEMENT)
    assert answer.status_code == 201, answer.text
    assert answer.json()["status"] == "identity_required"
    assert "125.69" in answer.json()["tell"]


def test_many_calls_of_one_person_are_marked_as_a_burst(desk: Desk) -> None:
    for number in range(6):
        assert desk.take(f"call-{number}", description=f"It bites, {number}.").status_code == 201
    marks = [each.marks for each in desk.gateway.states()]
    assert marks == [()] * 5 + [("burst",)]
