"""What serving a reporter needs from outside: codes, mail, and the access log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Protocol

from direct311.runtime.errors import RuntimeFaultError


class Codes(Protocol):
    """One-time codes for reporters, one for each request, and how often one was requested."""

    async def ask(
        self, record_id: str, at: datetime, nonce: str | None, language: str
    ) -> datetime | None:
        """Count a request for a code. With a nonce, the code made from it replaces an earlier one
        and waits to be sent. Both cases make the same single write. Returns `None`, or the time of
        the next allowed request if there were too many."""
        ...

    async def attempt(self, record_id: str, at: datetime) -> str | None:
        """Count a try at the present code; returns its nonce if it is still valid."""
        ...

    async def use(self, record_id: str, nonce: str) -> bool:
        """Use the code up; returns whether it was still unused."""
        ...

    async def forget(self, record_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class WaitingCode:
    """A code that waits to be sent. `tries`: how often sending it failed."""

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
        """Return once the next server has accepted it.

        :raises UndeliverableError: the server refuses it for good.
        :raises TransientError: the server did not accept it; try again later.
        """
        ...


class UndeliverableError(RuntimeFaultError):
    """The next server refused the recipient or the message for good."""


@dataclass(frozen=True, slots=True)
class SeenAccess:
    """One access to a request, or `count` refusals that were alike. It says in which roles and
    department somebody acted, never who the person was. `sentence`: the purpose in the words of the
    access rules."""

    at: datetime
    purpose: str
    sentence: str
    roles: tuple[str, ...]
    department: str | None
    action: str
    outcome: str
    fields: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True)
class SeenAccesses:
    """Newest first. `next`: the cursor of the following page, `None` on the last page. `late_by`:
    how long an access may be missing before an alarm is raised."""

    accesses: Sequence[SeenAccess]
    next: str | None
    late_by: timedelta


class AccessLog(Protocol):
    """The log of all accesses, limited to what the subject of a request may know about them."""

    async def seen(self, link: str, *, limit: int, cursor: str | None) -> SeenAccesses:
        """Who has seen the request of a signed link. The log checks the link itself, and records
        the question as an access.

        :raises RefusedError: `signed_link` if the log does not accept the link, `cursor` for
            another query's cursor, `too_often`, and `audit_unavailable` if the log does not answer.
        """
        ...
