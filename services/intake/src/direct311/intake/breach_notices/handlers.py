"""Sending notices of a breach.

The address is opened for one message and forgotten; nobody sees it, and it does not leave intake.
Opening it is an access of intake's own for the person who sends, written to the log first, so the
log shows who was told and when.

A message is sent at least once: after a kill between the relay's answer and the note about it, a
repeated call sends it again, with the same Message-ID.
"""

from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

from direct311.intake.breach_notices.domain import BreachNotice, Outcome, ReachedRecord, Told
from direct311.intake.caller import SELF
from direct311.intake.reporter.ports import Mailer, UndeliverableError
from direct311.intake.request import BreachNoticeSent, ServiceRequest
from direct311.runtime.access.breach_letters import (
    LETTER_LANGUAGES,
    BreachDays,
    BreachLetters,
    to_person,
)
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.errors import TransientError
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.messaging.state import Change
from direct311.runtime.vault.vault import Vault, VaultError

OPERATION: Final = "POST /v1/breach-notices"
RECIPIENT: Final = "subject"
"""The class of the recipient."""


class SendBreachNotices:
    """:param mailer: `None` where the county has no mail server; then every notice goes by mail.

    :param local: whether this is a local stack.
    """

    def __init__(
        self,
        *,
        processor: EventProcessor[ServiceRequest],
        vault: Vault,
        letters: BreachLetters,
        mailer: Mailer | None,
        sender: str,
        clock: Clock,
        ids: Ids,
        local: bool,
    ) -> None:
        self._processor = processor
        self._vault = vault
        self._letters = letters
        self._mailer = mailer
        self._sender = sender
        self._clock = clock
        self._ids = ids
        self._local = local

    async def __call__(self, caller: Caller, notice: BreachNotice) -> list[Told]:
        """Send the notice about each record to the address that the record has. May be repeated:
        what was sent is not sent again.

        :raises RefusedError: counsel has not confirmed the words, or an access cannot be written to
            the log; what was sent before stays noted.
        """
        self._letters.check_usable(local=self._local)
        told: list[Told] = []
        for record in notice.records:
            # A relay that does not answer is not asked for each of the others.
            waits = any(each.outcome == "later" for each in told)
            outcome = await self._tell(caller, notice, record, waits=waits)
            told.append(Told(record.record_id, outcome))
        return told

    async def _tell(
        self, caller: Caller, notice: BreachNotice, record: ReachedRecord, *, waits: bool
    ) -> Outcome:
        state = await self._processor.read(record.record_id)
        if state.version == 0 or state.lifecycle != "active":
            return "unknown"
        if _was_told(state, notice.notice_id):
            return "sent_before"
        if self._mailer is None or "email" not in state.sealed:
            return "no_email"
        if waits:
            return "later"
        try:
            address = Address(addr_spec=await self._address(caller, notice, state))
        except VaultError:
            return "unknown"
        except (ValueError, MessageError):
            # No relay could accept it.
            return "undeliverable"
        try:
            await self._mailer.send(self._message(address, notice, record))
        except UndeliverableError:
            return "undeliverable"
        except TransientError:
            return "later"
        await self._note(record.record_id, notice.notice_id)
        return "sent"

    async def _address(self, caller: Caller, notice: BreachNotice, state: ServiceRequest) -> str:
        access = Access(
            SELF.behind(caller.sub),
            action="disclose",
            purpose="respond",
            operation=OPERATION,
            fields=("email",),
            record_ids=(state.record_id,),
            reference=notice.notice_id,
            lifecycle=state.status,
            version_seen=state.version,
            result_count=1,
            recipient=RECIPIENT,
        )
        facts = RecordFacts(state.record_id, state.assigned_department)
        opened = await self._vault.open(access, facts, {"email": state.sealed["email"]})
        return opened["email"].decode()

    async def _note(self, record_id: str, notice_id: str) -> None:
        sent = BreachNoticeSent(notice_id=notice_id, at=self._clock.now())

        async def noted(state: ServiceRequest) -> Change[ServiceRequest] | None:
            if state.lifecycle != "active" or _was_told(state, notice_id):
                return None
            return Change(state.told_of_breach(sent))

        await self._processor.change(record_id, self._ids.new(), noted)

    def _message(
        self, address: Address, notice: BreachNotice, record: ReachedRecord
    ) -> EmailMessage:
        days = BreachDays(notice.began_on, notice.ended_on)
        letters = [
            to_person(self._letters, days, record.record_id, record.fields, language)
            for language in LETTER_LANGUAGES
        ]
        body = "\n\n".join("\n\n".join((title, *paragraphs)) for title, paragraphs in letters)
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = address
        message["Subject"] = letters[0][0]
        message["Date"] = format_datetime(self._clock.now())
        # The same for each try, so that a message that arrives twice can be recognized.
        host = self._sender.rpartition("@")[2].strip(">")
        message["Message-ID"] = f"<breach-{notice.notice_id}-{record.record_id}@{host}>"
        message["Auto-Submitted"] = "auto-generated"
        message["Content-Language"] = ", ".join(LETTER_LANGUAGES)
        message.set_content(f"{body}\n-- \n{self._letters.organization}\n")
        return message


def _was_told(state: ServiceRequest, notice_id: str) -> bool:
    return any(each.notice_id == notice_id for each in state.breach_notices)
