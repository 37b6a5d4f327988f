"""Correspondence over HTTP: for the desk, and for the requester by way of the gateway."""

import secrets
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from direct311.retention.api import CallerOf, Id, only_intake
from direct311.retention.case_file.messages import LONGEST_MESSAGE, Notice, Sender
from direct311.retention.cases.domain import CaseFile, CaseState
from direct311.retention.correspondence.handlers import (
    Corresponding,
    Draft,
    ReadMessage,
    Written,
)
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS, require
from direct311.runtime.parameters import GivenInstant
from direct311.runtime.text import Lines
from direct311.schemas import Instant, Model

Text = Annotated[str, Field(min_length=1, max_length=LONGEST_MESSAGE), Lines]
Key = Annotated[str, Field(min_length=16, max_length=200)]


class MessageOrder(Model, extra="forbid"):
    """`asks`: a question back, so the case becomes `clarifying`. `from_requester`: you write down
    what the requester said by letter or telephone. `key`: random; with it the same call may be
    repeated."""

    text: Text
    # Strict, as a 1 is no decision.
    asks: Annotated[bool, Field(strict=True)] = False
    from_requester: Annotated[bool, Field(strict=True)] = False
    key: Key | None = None


class NoticeOrder(Model, extra="forbid"):
    """`received_at`: when the written notice came; now, if it is left out."""

    received_at: GivenInstant | None = None


class CorrespondenceView(Model):
    """How far the correspondence of a case is. It shows no text."""

    case_id: str
    state: CaseState
    version: int
    messages: int
    acknowledged_at: Instant | None = None
    notice: Notice | None = None


class WrittenView(Model):
    """`repeated`: it was written before."""

    case_id: str
    state: CaseState
    version: int
    message_id: str
    at: Instant
    repeated: bool


class MessageView(Model):
    """`written_by`: who of the desk wrote it, also where it is what the requester said; absent if
    the requester sent it by the case token."""

    message_id: str
    sender: Sender
    written_by: str | None = None
    at: Instant
    asks: bool
    text: str


class Messages(Model):
    """All messages, oldest first."""

    case_id: str
    state: CaseState
    messages: tuple[MessageView, ...]


class OwnMessageOrder(Model, extra="forbid"):
    """What a requester sends at the gateway. `token`: any text, as what cannot be a token gets the
    answer of a wrong one. `key`: random, chosen by the sender."""

    token: str
    key: Key
    text: Text


class OwnMessagesQuestion(Model, extra="forbid"):
    """Any text: what cannot be a token gets the answer of a wrong one."""

    token: str


class OwnWrittenView(Model):
    """`repeated`: it was written before."""

    case_id: str
    message_id: str
    at: Instant
    repeated: bool


class OwnMessage(Model):
    """A message without the name of anybody of the county."""

    message_id: str
    sender: Literal["county", "requester"]
    at: Instant
    asks: bool
    text: str


class OwnMessages(Model):
    """All messages, oldest first."""

    case_id: str
    messages: tuple[OwnMessage, ...]


def router(corresponding: Corresponding, desks: tuple[str, ...], caller_of: CallerOf) -> APIRouter:
    """For the desk. `desks`: the roles that have one."""
    api = APIRouter(prefix="/v1/cases/{case_id}", tags=["correspondence"], responses=PROBLEMS)
    who = Depends(caller_of)

    @api.post("/acknowledgement", response_model_exclude_none=True)
    async def acknowledge(case_id: Id, caller: Annotated[Caller, who]) -> CorrespondenceView:
        """Note that you told the requester that the request has come. May be repeated."""
        require(caller, *desks)
        return _view(await corresponding.acknowledge(caller, case_id))

    @api.post(
        "/messages",
        status_code=201,
        responses={200: {"model": WrittenView, "description": "It was written before"}},
    )
    async def write(
        case_id: Id, body: MessageOrder, caller: Annotated[Caller, who], response: Response
    ) -> WrittenView:
        """Write to the requester, or ask something. The text is sealed; its requester reads it at
        the gateway by the case token. The access is recorded first."""
        require(caller, *desks)
        sender: Sender = "requester" if body.from_requester else "staff"
        draft = Draft(body.key or secrets.token_hex(32), body.text, sender, body.asks)
        return _written(await corresponding.write(caller, case_id, draft), response)

    @api.get("/messages", response_model_exclude_none=True)
    async def read(case_id: Id, caller: Annotated[Caller, who], response: Response) -> Messages:
        """All messages of a case. The access is recorded before anything is opened."""
        require(caller, *desks)
        response.headers["Cache-Control"] = "no-store"
        file, found = await corresponding.read(caller, case_id)
        return Messages(
            case_id=file.record_id, state=file.state, messages=tuple(map(_message, found))
        )

    @api.post("/suit-notice", response_model_exclude_none=True)
    async def note_notice(
        case_id: Id, body: NoticeOrder, caller: Annotated[Caller, who]
    ) -> CorrespondenceView:
        """Note a written notice that the requester will sue (section 119.12, F.S.). The county's
        business days for an answer begin with it, as a task. May be repeated."""
        require(caller, *desks)
        return _view(await corresponding.note_notice(caller, case_id, body.received_at))

    return api


def own_router(corresponding: Corresponding, caller_of: CallerOf) -> APIRouter:
    """For the requester; only intake may call it, which passes it on."""
    api = APIRouter(prefix="/internal/cases/messages", tags=["internal"], responses=PROBLEMS)
    who = Depends(caller_of)

    @api.post(
        "",
        status_code=201,
        responses={200: {"model": OwnWrittenView, "description": "It was written before"}},
    )
    async def write_own(
        body: OwnMessageOrder, caller: Annotated[Caller, who], response: Response
    ) -> OwnWrittenView:
        """Write to the county in the case that has this token. The text is sealed. It answers a
        question back."""
        only_intake(caller)
        draft = Draft(body.key, body.text, "requester")
        done = _written(await corresponding.write_own(caller, body.token, draft), response)
        return OwnWrittenView(**done.model_dump(exclude={"state", "version"}))

    @api.post("/read")
    async def read_own(
        body: OwnMessagesQuestion, caller: Annotated[Caller, who], response: Response
    ) -> OwnMessages:
        """All messages of the case that has this token. The access is recorded before anything is
        opened. Nobody's name is shown."""
        only_intake(caller)
        response.headers["Cache-Control"] = "no-store"
        file, found = await corresponding.read_own(caller, body.token)
        return OwnMessages(case_id=file.record_id, messages=tuple(map(_own, found)))

    return api


def _view(file: CaseFile) -> CorrespondenceView:
    written = file.correspondence
    return CorrespondenceView(
        case_id=file.record_id,
        state=file.state,
        version=file.version,
        messages=len(written.messages),
        acknowledged_at=written.acknowledged_at,
        notice=written.notice,
    )


def _written(done: Written, response: Response) -> WrittenView:
    if done.repeated:
        response.status_code = 200
    return WrittenView(
        case_id=done.case.record_id,
        state=done.case.state,
        version=done.case.version,
        message_id=done.message.message_id,
        at=done.message.at,
        repeated=done.repeated,
    )


def _message(read: ReadMessage) -> MessageView:
    return MessageView(text=read.text, **read.message.model_dump(exclude={"sealed"}))


def _own(read: ReadMessage) -> OwnMessage:
    message = read.message
    return OwnMessage(
        message_id=message.message_id,
        sender="county" if message.sender == "staff" else "requester",
        at=message.at,
        asks=message.asks,
        text=read.text,
    )
