"""What serving a reporter needs of the world: codes and mail."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from typing import Protocol

from direct311.runtime.errors import RuntimeFaultError


class Codes(Protocol):
    """One-time codes to reporters, one for each request, and how often one was asked for."""

    async def ask(
        self, record_id: str, at: datetime, nonce: str | None, language: str
    ) -> datetime | None:
        """Count a question. With a nonce the code that it makes takes the place of an earlier one,
        and waits to be sent. The same one write in both cases.

        `None`, or when the next question may come where there were too many.
        """
        ...

    async def attempt(self, record_id: str, at: datetime) -> str | None:
        """Count a try at the present code; its nonce, if it is still good."""
        ...

    async def use(self, record_id: str, nonce: str) -> bool:
        """Use the code up; whether nobody else had."""
        ...

    async def forget(self, record_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class WaitingCode:
    """A code that waits to be sent. `tries`: how often that failed."""

    record_id: str
    nonce: str
    language: str
    mail_after: datetime
    good_until: datetime
    tries: int


class CodeOutbox(Protocol):
    """Codes whose messages wait."""

    async def due(self, at: datetime, limit: int) -> Sequence[WaitingCode]: ...

    async def trying(self, code: WaitingCode, again: datetime) -> bool: ...

    async def sent(self, code: WaitingCode) -> None: ...


class MailOutbox(Protocol):
    """Requests whose messages wait."""

    async def with_mail(self, at: datetime, limit: int) -> Sequence[str]:
        """Ids of requests whose `mail_after` has passed."""
        ...


class Mailer(Protocol):
    """Brings messages to people."""

    async def send(self, message: EmailMessage) -> None:
        """Return once the next server has taken it.

        :raises UndeliverableError: it does not and will not.
        :raises TransientError: it did not; try again later.
        """
        ...


class UndeliverableError(RuntimeFaultError):
    """The next server refused the recipient or the message for good."""
