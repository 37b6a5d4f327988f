"""A call becomes a request: the notices were read, the log names the agent, and the caller gets a
code."""

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal

from direct311.intake.catalogue.domain import wording
from direct311.intake.clients.domain.clients import Client
from direct311.intake.language import Language
from direct311.intake.lifecycle.ports import Requests
from direct311.intake.reporter.handlers.codes import OneTimeCodes
from direct311.intake.request import CallTaken, NoticesReader
from direct311.intake.submission.domain.draft import Draft
from direct311.intake.submission.handlers.accept import Accept, Receipt, Sender
from direct311.intake.submission.handlers.agreement import Agreement
from direct311.intake.submission.handlers.check import APP
from direct311.intake.submission.handlers.submit import Desk
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.errors import FieldProblem, MalformedError, RefusedError
from direct311.runtime.vault.vault import Vault

Channel = Literal["phone", "counter"]
PURPOSE = "respond"
OPERATION = "POST /v1/work/requests"
CLIENT_ID = "staff_calls"
"""Whose client a call's request has: no front end, so it has no key and no quota. No client can be
registered under such an id."""


@dataclass(frozen=True, slots=True)
class Call:
    """What the agent took down. `draft` has the versions of the notices. `read_by`: who read them,
    in `language`; `None` if nobody did."""

    channel: Channel
    draft: Draft
    language: Language
    read_by: NoticesReader | None
    idempotency_key: str | None


@dataclass(frozen=True, slots=True)
class Taken:
    """`tell`: what the caller must be told, in their language. `code_sent`: whether a code is sent
    to the caller's e-mail address. `edits`: how often staff have edited the request."""

    receipt: Receipt
    tell: str
    code_sent: bool
    edits: int


class TakeCall:
    """The use case behind `POST /v1/work/requests`."""

    def __init__(
        self,
        *,
        accept: Accept,
        agreement: Agreement,
        requests: Requests,
        codes: OneTimeCodes,
        can_mail: bool,
        vault: Vault,
    ) -> None:
        self._accept = accept
        self._agreement = agreement
        self._requests = requests
        self._codes = codes
        self._can_mail = can_mail
        self._vault = vault

    async def __call__(self, caller: Caller, call: Call) -> Taken:
        """Accept what the agent took down. The log gets an entry before anything is stored.

        A retry has the same key. It writes no second entry and stores nothing, but sends the code
        again: the first call may have ended before it did.

        :raises WrongSubmissionError: it breaks a rule of submissions.
        :raises RefusedError: there is no key, or it was used for other content; the policy in force
            was not read to the caller; a rule of access refuses; or the log cannot be written.
        :raises TransientError: the database does not answer; the caller may try again.
        """
        if call.idempotency_key is None:
            problem = FieldProblem(
                field="idempotency_key",
                detail="Send an Idempotency-Key, so that a retry takes the call only once.",
                code="missing",
            )
            raise MalformedError([problem])
        read_by = self._must_be_read(call)
        # Another agent's key is another key.
        key = sha256(f"{caller.sub}\n{call.idempotency_key}".encode()).hexdigest()
        desk = Desk(
            CallTaken(by=caller.sub, language=call.language, notices_read_by=read_by),
            lambda record_id, fields: self._write_down(caller, call, record_id, fields),
        )
        sender = Sender(
            client=_client(call.channel),
            source="",
            language=call.language,
            idempotency_key=key,
            link_wanted=False,
            desk=desk,
        )
        receipt = await self._accept(call.draft, APP, sender)
        sent = await self._send_code(call, receipt)
        edits = 0
        if receipt.accepted.repeat:
            known = await self._requests.get(receipt.accepted.record_id)
            edits = len(known.edits) if known is not None else 0
        return Taken(receipt, _told(call, receipt, code_sent=sent), sent, edits)

    def _must_be_read(self, call: Call) -> NoticesReader:
        """Who read the policy in force to the caller."""
        policy = self._agreement.in_force()
        if policy is None:
            raise RefusedError(
                "no_policy",
                "No privacy policy is in force, so nothing is collected.",
                retry_after=3600,
            )
        if call.read_by is None or call.draft.policy_version != policy.version:
            text = policy.texts[call.language]
            raise RefusedError(
                "consent",
                wording.CALL_POLICY[call.language]
                .format(version=policy.version, title=text.title, body=text.body)
                .rstrip(),
                field="notices" if call.read_by is None else "notices.policy_version",
            )
        return call.read_by

    async def _write_down(
        self, caller: Caller, call: Call, record_id: str, fields: tuple[str, ...]
    ) -> None:
        access = Access(
            caller,
            action="seal",
            purpose=PURPOSE,
            operation=OPERATION,
            fields=fields,
            record_ids=(record_id,),
            result_count=len(fields),
            notice_version=call.draft.policy_version,
        )
        await self._vault.authorise(access, RecordFacts(record_id))

    async def _send_code(self, call: Call, receipt: Receipt) -> bool:
        accepted, email = receipt.accepted, call.draft.contact.get("email")
        if email is None or not self._can_mail or not accepted.opens or not accepted.public_id:
            # Without its number nobody can use a code.
            return False
        try:
            await self._codes.ask(accepted.record_id, email, call.language)
        except RefusedError as error:
            if error.code != "rate":
                raise
            # The address has been sent as many codes as it may get for now.
            return False
        return True


def _client(channel: Channel) -> Client:
    return Client(
        client_id=CLIENT_ID,
        name="Staff who take calls",
        environment="production",
        channel=channel,
        created_at=datetime(2026, 12, 1, tzinfo=UTC),
    )


def _told(call: Call, receipt: Receipt, *, code_sent: bool) -> str:
    """Danger to life first, then what happens to the request, then how to open it."""
    said = [receipt.notice] if receipt.notice else []
    if number := receipt.accepted.public_id:
        said.append(wording.CALL_NUMBER[call.language].format(number=number))
    if code_sent:
        said.append(wording.CALL_CODE[call.language])
    return " ".join(said)
