"""What intake may rely on when it hands over a request for records: retention's calls, and the fake
of them."""

from collections.abc import Callable
from dataclasses import dataclass

import httpx
import pytest
from fastapi import FastAPI

from direct311.intake.case_messages.adapters import RetentionMessages
from direct311.intake.case_messages.domain import OwnMessage
from direct311.intake.case_messages.ports import MessageDesk
from direct311.intake.records_requests.adapters.retention import RetentionCases
from direct311.intake.records_requests.domain import RecordsRequest
from direct311.intake.records_requests.ports import CaseDesk, DeskAwayError
from direct311.retention.cases.api import public_router
from direct311.retention.correspondence.api import own_router
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import caller_of, install
from direct311.runtime.http.health import Readiness
from direct311.runtime.peers import HttpClient, Peer
from direct311.runtime.telemetry import Metrics
from tests.support.case_messages import TOKEN, InMemoryMessageDesk
from tests.support.records_requests import InMemoryCaseDesk
from tests.unit.retention.cases.fakes import CaseDeskUnderTest

pytestmark = pytest.mark.anyio

KEY = "0f4e" * 16
WORDS = "Everything about Canary Street.\nSince 2020. 🐶"
CONTACT = {"name": "Canary Contact", "email": "canary@contact.example"}


@dataclass
class Desk:
    calls: CaseDesk
    cases: Callable[[], int]
    away: Callable[[bool], None]


class OwnTokens:
    """The token of a service, as the fake sign-in reads it."""

    def __init__(self, service: str = "svc-intake") -> None:
        self.service = service

    async def get(self) -> str:
        return f"service:{self.service}"

    async def exchanged(self, authorization: str) -> str:
        raise AssertionError("intake passes requests on, on its own behalf")


class Retention(CaseDeskUnderTest):
    """The case desk behind HTTP."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = OwnTokens()
        self.app = FastAPI()
        install(self.app, Readiness(), Metrics(), self.ledger)
        self.app.include_router(public_router(self.submissions, caller_of(self.authenticator)))
        self.app.include_router(own_router(self.corresponding, caller_of(self.authenticator)))

    def client(self) -> RetentionCases:
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        return RetentionCases(
            Peer("http://retention.test", HttpClient(transport=transport), self.tokens)
        )

    def messages(self) -> RetentionMessages:
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        return RetentionMessages(
            Peer("http://retention.test", HttpClient(transport=transport), self.tokens)
        )

    def be_away(self, away: bool) -> None:
        self.tokens.service = "svc-media" if away else "svc-intake"


async def over_http() -> Desk:
    retention = Retention()
    return Desk(retention.client(), lambda: len(list(retention.files.states())), retention.be_away)


async def in_memory() -> Desk:
    desk = InMemoryCaseDesk()

    def away(is_away: bool) -> None:
        desk.away = is_away

    return Desk(desk, lambda: len(desk.requests), away)


@pytest.fixture(params=[in_memory, over_http])
async def desk(request: pytest.FixtureRequest) -> Desk:
    found: Desk = await request.param()
    return found


async def code_of(call: object) -> str:
    with pytest.raises(RefusedError) as refused:
        await call  # type: ignore[misc]
    return refused.value.code


async def test_the_token_of_the_answer_opens_the_state_of_the_case(desk: Desk) -> None:
    opened = await desk.calls.open_case(RecordsRequest(KEY, WORDS, {}))
    found = await desk.calls.status(opened.token)
    assert (found.case_id, found.received_at) == (opened.case_id, opened.received_at)
    assert (found.state, found.last_step, found.age_days) == ("acknowledged", "received", 0)
    assert not opened.repeated


async def test_a_repeat_opens_no_second_case_and_both_tokens_are_good(desk: Desk) -> None:
    request = RecordsRequest(KEY, WORDS, CONTACT)
    first, second = [await desk.calls.open_case(request) for _ in range(2)]
    assert first.case_id == second.case_id
    assert (first.repeated, second.repeated, desk.cases()) == (False, True, 1)
    for token in (first.token, second.token):
        assert (await desk.calls.status(token)).case_id == first.case_id


async def test_the_key_of_another_request_is_refused(desk: Desk) -> None:
    await desk.calls.open_case(RecordsRequest(KEY, WORDS, {}))
    for other in (RecordsRequest(KEY, "Other.", {}), RecordsRequest(KEY, WORDS, CONTACT)):
        assert await code_of(desk.calls.open_case(other)) == "idempotency_key"
    assert desk.cases() == 1


async def test_a_wrong_token_opens_nothing(desk: Desk) -> None:
    await desk.calls.open_case(RecordsRequest(KEY, WORDS, {}))
    for token in ("wrong", "x" * 200, "x" * 201, KEY, "\u00e9"):
        assert await code_of(desk.calls.status(token)) == "unknown_case"


async def test_while_the_desk_is_away_nothing_is_opened(desk: Desk) -> None:
    opened = await desk.calls.open_case(RecordsRequest(KEY, WORDS, {}))
    desk.away(True)
    again = RecordsRequest("ab12" * 16, WORDS, {})
    assert await code_of(desk.calls.open_case(again)) == "case_desk_unavailable"
    assert await code_of(desk.calls.status(opened.token)) == "case_desk_unavailable"
    assert desk.cases() == 1
    desk.away(False)
    assert not (await desk.calls.open_case(again)).repeated


# ---------------------------------------------------------------- messages


@dataclass
class Messages:
    calls: MessageDesk
    token: str
    away: Callable[[bool], None]


async def messages_over_http() -> Messages:
    retention = Retention()
    opened = await retention.client().open_case(RecordsRequest(KEY, WORDS, {}))
    return Messages(retention.messages(), opened.token, retention.be_away)


async def messages_in_memory() -> Messages:
    desk = InMemoryMessageDesk()

    def away(is_away: bool) -> None:
        desk.away = is_away

    return Messages(desk, TOKEN, away)


@pytest.fixture(params=[messages_in_memory, messages_over_http])
async def messages(request: pytest.FixtureRequest) -> Messages:
    found: Messages = await request.param()
    return found


async def test_what_a_requester_writes_is_read_by_the_same_token_and_written_once(
    messages: Messages,
) -> None:
    assert (await messages.calls.read(messages.token)).messages == ()
    first, again = [
        await messages.calls.write(messages.token, OwnMessage(KEY, WORDS)) for _ in range(2)
    ]
    assert (first.repeated, again.repeated) == (False, True)
    assert first.message_id == again.message_id
    read = await messages.calls.read(messages.token)
    assert [(each.sender, each.asks, each.text) for each in read.messages] == [
        ("requester", False, WORDS)
    ]
    other = messages.calls.write(messages.token, OwnMessage(KEY, "Other."))
    assert await code_of(other) == "idempotency_key"


async def test_a_wrong_token_writes_and_reads_nothing(messages: Messages) -> None:
    assert await code_of(messages.calls.read("wrong")) == "unknown_case"
    assert await code_of(messages.calls.write("x" * 200, OwnMessage(KEY, WORDS))) == "unknown_case"
    assert (await messages.calls.read(messages.token)).messages == ()


async def test_while_the_desk_is_away_no_message_is_written(messages: Messages) -> None:
    messages.away(True)
    with pytest.raises(DeskAwayError) as away:
        await messages.calls.write(messages.token, OwnMessage(KEY, WORDS))
    assert not away.value.unsure
    assert await code_of(messages.calls.read(messages.token)) == "case_desk_unavailable"
    messages.away(False)
    assert not (await messages.calls.write(messages.token, OwnMessage(KEY, WORDS))).repeated


# ---------------------------------------------------------------- retention's calls


async def test_the_custodian_reads_what_the_public_sent() -> None:
    retention = Retention()
    opened = await retention.client().open_case(RecordsRequest(KEY, WORDS, CONTACT))
    carla = Caller("carla", ("custodian",), token_id="t-1")
    read = await retention.desk.read_case(carla, opened.case_id)
    assert read.request == WORDS
    assert read.contact is not None
    assert read.contact.model_dump(exclude_none=True) == CONTACT


async def test_an_answer_that_cannot_be_read_is_no_answer_and_is_repeated_by_nothing() -> None:
    retention = Retention()
    retention.app = FastAPI()

    @retention.app.post("/internal/cases")
    @retention.app.post("/internal/cases/status")
    async def other() -> dict[str, str]:
        return {"token": "Canary-Token"}

    for call in (
        retention.client().open_case(RecordsRequest(KEY, WORDS, {})),
        retention.client().status("t"),
    ):
        with pytest.raises(RefusedError) as refused:
            await call
        assert refused.value.code == "case_desk_unavailable"
        assert "Canary" not in f"{refused.value.detail}{refused.value.__context__!r}"


@pytest.mark.parametrize("caller", ["service:svc-media", "custodian:carla", "agent:ana"])
async def test_nobody_but_intake_may_pass_requests_on(caller: str) -> None:
    retention = Retention()
    transport = httpx.ASGITransport(app=retention.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://retention.test") as http:
        for path, body in (
            ("/internal/cases", {"key": KEY, "request": WORDS}),
            ("/internal/cases/status", {"token": "t"}),
            ("/internal/cases/messages", {"token": "t", "key": KEY, "text": WORDS}),
            ("/internal/cases/messages/read", {"token": "t"}),
        ):
            answer = await http.post(path, json=body, headers={"Authorization": f"Bearer {caller}"})
            assert answer.status_code == 403
            assert "Canary" not in answer.text
    assert not list(retention.files.states())
