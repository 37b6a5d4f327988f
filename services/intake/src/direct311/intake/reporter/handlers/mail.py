"""Messages to reporters, sent at least once.

A message to be sent is kept in the document that it is about, with the time of the next try. Before
each try that time is moved forward: if the process is killed or the relay does not answer, the
message stays where it was for later. For each try the address is opened from the vault and then
forgotten; that is an access like any other.
"""

import hmac
from datetime import datetime, timedelta
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256

import structlog

from direct311.intake.caller import SELF
from direct311.intake.catalogue.domain.policy import PrivacyPolicies
from direct311.intake.county import day_of
from direct311.intake.language import Language, spoken
from direct311.intake.reporter.domain.messages import Messages, MessageText
from direct311.intake.reporter.ports import (
    CodeOutbox,
    Mailer,
    MailOutbox,
    UndeliverableError,
    WaitingCode,
)
from direct311.intake.request import PendingMail, ServiceRequest
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import RecordFacts
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.messaging.state import Change
from direct311.runtime.vault.vault import Vault, VaultError

_log = structlog.get_logger(__name__)

AT_ONCE = 20
LONGEST_PAUSE = timedelta(hours=1)
GIVEN_UP_AFTER = timedelta(days=5)
"""The pauses that mail servers use (RFC 5321, section 4.5.4.1)."""
DIGITS = 8


def code_of(key: bytes, request: ServiceRequest, nonce: str) -> str:
    """The code made from a nonce. Anyone with the key can compute it; it is not stored. It is valid
    only for the address on the request; after the address changes, it no longer works."""
    address = sorted(request.indexes.get("email", ()))
    said = "\x00".join(("code", request.record_id, nonce, *address))
    digest = hmac.digest(key, said.encode(), sha256)
    return f"{int.from_bytes(digest[:8], 'big') % 10**DIGITS:0{DIGITS}}"


def next_try(at: datetime, tries: int, first: timedelta) -> datetime:
    """When to try again after so many tries: each pause is twice the one before."""
    return at + min(first * (1 << min(tries, 12)), LONGEST_PAUSE)


class Mail:
    """Sends messages that wait."""

    def __init__(
        self,
        *,
        mailer: Mailer,
        codes: CodeOutbox,
        requests: MailOutbox,
        processor: EventProcessor[ServiceRequest],
        vault: Vault,
        messages: Messages,
        policies: PrivacyPolicies,
        sender: str,
        link: str,
        key: bytes,
        clock: Clock,
        ids: Ids,
        first_pause: timedelta,
    ) -> None:
        """`link`: the address of a request's page, with `{id}`. `first_pause`: before the second
        try."""
        self._mailer = mailer
        self._codes = codes
        self._requests = requests
        self._processor = processor
        self._vault = vault
        self._messages = messages
        self._policies = policies
        self._sender = sender
        self._link = link
        self._key = key
        self._clock = clock
        self._ids = ids
        self._first_pause = first_pause

    async def step(self) -> None:
        """Try everything that is due, each message separately."""
        for code in await self._codes.due(self._clock.now(), AT_ONCE):
            await self._code(code)
        for record_id in await self._requests.with_mail(self._clock.now(), AT_ONCE):
            await self._status(record_id)

    async def _code(self, code: WaitingCode) -> None:
        now = self._clock.now()
        if code.good_until <= now:
            await self._codes.sent(code)
            return
        if not await self._codes.trying(code, next_try(now, code.tries, self._first_pause)):
            return
        request = await self._processor.read(code.record_id)
        language = spoken(code.language)
        minutes = max(1, int((code.good_until - now).total_seconds() / 60))
        text = self._messages.of_code(language, code_of(self._key, request, code.nonce), minutes)
        if await self._send(request, text, language, f"code-{code.nonce}"):
            await self._codes.sent(code)

    async def _status(self, record_id: str) -> None:
        now = self._clock.now()
        mine: list[PendingMail] = []

        async def trying(state: ServiceRequest) -> Change[ServiceRequest] | None:
            mine.clear()
            if state.mail is None or state.mail_after is None or state.mail_after > now:
                return None
            if state.lifecycle != "active":
                return None
            if state.notifications is None or now - state.mail.since > GIVEN_UP_AFTER:
                return Change(state.mail_settled())
            mine.append(state.mail)
            again = next_try(now, state.mail.tries, self._first_pause)
            return Change(state.mail_owed(state.mail.tried(), after=again))

        state = await self._processor.change(record_id, self._ids.new(), trying)
        if not mine or state.notifications is None:
            return
        (mail,) = mine
        language = state.notifications.language
        text = self._messages.of_status(language, self._link.format(id=record_id))
        if not await self._send(state, text, language, mail.mail_id):
            return

        async def sent(state: ServiceRequest) -> Change[ServiceRequest] | None:
            told = state.mail
            if told is None or told.mail_id != mail.mail_id:
                return None
            if told.latest is None or told.latest == mail.latest:
                return Change(state.mail_settled())
            # It came while the message was being sent, and the reporter may have read that already.
            again = PendingMail(mail_id=told.latest, since=told.since)
            return Change(state.mail_owed(again, after=self._clock.now()))

        await self._processor.change(record_id, self._ids.new(), sent)

    async def _send(
        self, request: ServiceRequest, text: MessageText, language: Language, mail_id: str
    ) -> bool:
        """Whether it was sent, or can never be sent."""
        if request.lifecycle != "active" or "email" not in request.sealed:
            return True
        try:
            address = Address(addr_spec=await self._address(request))
        except (VaultError, ValueError, MessageError):
            # The key is gone, or no relay could accept it.
            return True
        except RefusedError as error:
            _log.warning("mail.later", error=type(error).__name__)
            return False
        try:
            await self._mailer.send(self._message(address, text, language, mail_id))
        except UndeliverableError:
            _log.warning("mail.undeliverable")
        except TransientError as error:
            _log.warning("mail.later", error=type(error).__name__)
            return False
        return True

    async def _address(self, request: ServiceRequest) -> str:
        access = Access(
            SELF,
            action="view",
            purpose="respond",
            operation="send a message to the reporter",
            fields=("email",),
            record_ids=(request.record_id,),
            lifecycle=request.status,
            version_seen=request.version,
            result_count=1,
            notice_version=request.policy.version if request.policy else None,
        )
        facts = RecordFacts(request.record_id, request.assigned_department)
        opened = await self._vault.open(access, facts, {"email": request.sealed["email"]})
        return opened["email"].decode()

    def _message(
        self, address: Address, text: MessageText, language: Language, mail_id: str
    ) -> EmailMessage:
        now = self._clock.now()
        policy = self._policies.in_force(day_of(now))
        notice = policy.email_notice.texts[language] if policy else ""
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = address
        message["Subject"] = text.subject
        message["Date"] = format_datetime(now)
        # The same for each try, so that a message that arrives twice can be recognized.
        message["Message-ID"] = f"<{mail_id}@{self._sender.rpartition('@')[2].strip('>')}>"
        message["Auto-Submitted"] = "auto-generated"
        message["Content-Language"] = language
        message.set_content(f"{text.body}\n-- \n{notice}\n")
        return message
