"""Every access is recorded before it happens: this makes the durable, signed record.

All events of a process have its producer as their key, so they are in one partition in the order of
their numbers. Accesses at the same time share one round trip, and a crash ends the numbers without
leaving a gap. A void event fills the number of an event that could not be sent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from pydantic import ValidationError

from direct311.runtime.access.cases import AccessCase
from direct311.runtime.access.refusals import RATE, RefusalLimits, Refusals, Refused, Write
from direct311.runtime.access.rules import Caller, Decision
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.records import Entry
from direct311.runtime.messaging.signing import Signer
from direct311.runtime.telemetry import Metrics, current_trace_id
from direct311.runtime.text import cleaned
from direct311.schemas import Event, encode, signed_bytes
from direct311.schemas import events as ev
from direct311.schemas.codec import LONGEST_LOGGED
from direct311.schemas.model import Model
from direct311.schemas.secrecy import shows_law_enforcement

MOST_RECORDS = 100
"""The most records in one event. An access to more records is written as several events; nothing is
left out."""

_TOO_LONG = frozenset({"string_too_long", "too_long"})
"""The kinds of pydantic errors for a text or list that is too long for an event."""


class DurablePublisher(Protocol):
    async def publish_one(self, entry: Entry, seconds: float) -> None:
        """Returns once all in-sync replicas have the message."""
        ...


class AuditUnavailableError(RefusedError):
    """The access could not be recorded, so it does not happen."""

    def __init__(self) -> None:
        super().__init__(
            "audit_unavailable",
            "The access could not be written to the audit log, so nothing is released. Try again.",
            retry_after=5,
        )


class TooLongError(RefusedError):
    """The event is too long for the log, so the access it would report does not happen."""

    def __init__(self) -> None:
        super().__init__(
            "too_long", "This cannot be written to the audit log: ask for less at a time."
        )


@dataclass(frozen=True, slots=True)
class Access:
    """What somebody wants to do with personal information, and why.

    `fields` are names of sealed fields; `reference` is a work, case or letter reference;
    `operation` names the API operation. `purpose` is `None` for events that need no purpose:
    sign-ins, void numbers, rules that come into force. `case`: the disclosure case under which it
    happens. `occurred_at`: set if the event reports something earlier. `count`: how many accesses,
    if the event reports several.
    """

    caller: Caller
    action: ev.AccessAction
    purpose: str | None
    operation: str
    fields: tuple[str, ...] = ()
    record_ids: tuple[str, ...] = ()
    reference: str | None = None
    justification: str | None = None
    lifecycle: str | None = None
    version_seen: int | None = None
    query_fields: tuple[str, ...] = ()
    query_hmac: str | None = None
    result_count: int | None = None
    recipient: str | None = None
    case: AccessCase | None = None
    notice_version: str | None = None
    redactions: tuple[str, ...] = ()
    occurred_at: datetime | None = None
    count: int | None = None

    @property
    def is_secret(self) -> bool:
        """Whether nothing but its own event may show the access: it shows law enforcement, or its
        case is exempt from inspection (section 119.071(2)(c), F.S.)."""
        exempt = self.case is not None and self.case.exempt_until is not None
        return exempt or shows_law_enforcement(self.purpose, self.caller.roles)


class Ledger:
    """Publishes `pii.accessed`, signed and numbered, and waits until the broker has stored it
    durably."""

    TIMEOUT_SECONDS = 1.5
    FILLED_AT_ONCE = 500

    def __init__(
        self,
        *,
        service: str,
        instance: str,
        version: str,
        publisher: DurablePublisher,
        signer: Signer,
        clock: Clock,
        ids: Ids,
        metrics: Metrics,
        mask: Callable[[str], str],
        mask_reference: Callable[[str], str] | None = None,
        limits: RefusalLimits | None = None,
    ) -> None:
        self._refusals = Refusals(clock, limits or RefusalLimits())
        self._mask = mask
        self._mask_reference = mask_reference or mask
        self.service = service
        self._instance = instance
        self._version = version
        self._publisher = publisher
        self._signer = signer
        self._clock = clock
        self._ids = ids
        self._metrics = metrics
        self.producer = f"{service}/{ids.new()}"
        self._sequence = 0
        self._unwritten: list[int] = []

    async def write(
        self,
        access: Access,
        decision: Decision,
        outcome: ev.AccessOutcome,
        *,
        reason: str | None = None,
        cause: str | None = None,
    ) -> str:
        """The event's id, once it is durable.

        :raises AuditUnavailableError: the event could not be written within 1.5 seconds.
        :raises TooLongError: the event is too long for the log.
        """
        sequence = self._sequence + 1
        if len(access.record_ids) > MOST_RECORDS:
            raise ValueError(f"record_ids: at most {MOST_RECORDS} in one event")
        try:
            data = self._event(access, decision, outcome, sequence, reason, cause)
        except ValidationError as error:
            kinds = {each["type"] for each in error.errors(include_input=False)}
            if not kinds <= _TOO_LONG:
                raise
            raise TooLongError from None
        entry = self._entry(data)
        message = entry.message
        if len(signed_bytes(message.headers, message.body)) > LONGEST_LOGGED:
            raise TooLongError
        # The number is taken only now, so that an invalid event uses no number.
        self._sequence = sequence
        try:
            await self._publisher.publish_one(entry, self.TIMEOUT_SECONDS)
        except BaseException as error:
            self._unwritten.append(sequence)
            if not isinstance(error, Exception):
                raise
            self._metrics.accesses.labels(_counted_purpose(access), "unwritten").inc()
            raise AuditUnavailableError from None
        self._metrics.accesses.labels(_counted_purpose(access), outcome).inc(access.count or 1)
        return entry.id

    async def refuse(self, access: Access, decision: Decision) -> int | None:
        """Returns once the refusal is in the log, or counted there as a repeat. If too many came
        before it, returns the number of seconds until there is room again; the answer is then 429.

        The event for the repeats says how many there were and cites the first one; only the first
        has the caller's words. An event for refusals over the limit names their records, except
        those of secret accesses.

        :raises AuditUnavailableError: the first refusal could not be written.
        """

        async def own(
            count: int | None, first: str | None, since: datetime | None, records: Sequence[str]
        ) -> str:
            told = access
            if count is not None:
                told = replace(
                    access,
                    reference=None,
                    justification=None,
                    query_hmac=None,
                    result_count=None,
                    occurred_at=since,
                    count=count,
                )
            return await self.write(told, decision, "denied", cause=first)

        def further(caller: Caller) -> Write:
            async def write(
                count: int | None, first: str | None, since: datetime | None, records: Sequence[str]
            ) -> str:
                many = Access(
                    caller,
                    action=access.action,
                    purpose=None,
                    operation=FURTHER,
                    record_ids=tuple(records),
                    occurred_at=since,
                    count=count,
                )
                return await self.write(many, _TOO_MANY, "denied", cause=first)

            return write

        refused = Refused(
            access.caller,
            access.action,
            access.operation,
            access.purpose,
            decision.rule_id,
            access.record_ids,
            access.fields + access.query_fields,
            access.case,
            secret=access.is_secret,
        )
        return await self._refusals.note(refused, own, further)

    async def flush(self, *, ending: bool = False) -> None:
        """Write how often refusals were repeated in past minutes and, if `ending`, in the current
        one.

        :raises AuditUnavailableError: not now; nothing is forgotten.
        """
        await self._refusals.flush(ending=ending)

    async def fill(self) -> None:
        """Send void events for the numbers of failed events, a few at a time so that other work in
        the loop does not wait. A failed event may still arrive. If so, the log shows both; the
        access did not happen, because nobody was waiting for the event any longer.

        :raises Exception: the broker does not accept them yet; try again.
        """
        for sequence in self._unwritten[: self.FILLED_AT_ONCE]:
            void = Access(
                Caller(f"svc:{self.service}", ("service",), authentication="service"),
                action="void",
                purpose=None,
                operation="fill the number of an event that was not written",
            )
            data = self._event(void, _VOID, "error", sequence, "nothing was released", None)
            await self._publisher.publish_one(self._entry(data), self.TIMEOUT_SECONDS)
            self._unwritten.remove(sequence)

    def _event(
        self,
        access: Access,
        decision: Decision,
        outcome: ev.AccessOutcome,
        sequence: int,
        reason: str | None,
        cause: str | None,
    ) -> ev.PiiAccessed:
        caller, at, why = access.caller, self._clock.now(), access.justification
        return ev.PiiAccessed(
            action=access.action,
            outcome=outcome,
            time=ev.AccessTime(
                occurred_at=access.occurred_at or at,
                observed_at=at,
                producer=self.producer,
                sequence=sequence,
            ),
            agent=agent_of(caller, break_glass="open_review" in decision.obligations),
            where=ev.AccessWhere(
                service=self.service,
                instance=self._instance,
                service_version=self._version,
                operation=access.operation,
                client_address=caller.address,
            ),
            why=ev.AccessWhy(
                purpose=access.purpose,
                reference=(
                    self._mask_reference(cleaned(access.reference)) if access.reference else None
                ),
                case_id=access.case.case_id if access.case else None,
                legal_basis=decision.legal_basis,
                justification=self._mask(cleaned(why, lines=True)) if why else None,
                notice_version=access.notice_version,
            ),
            what=ev.AccessWhat(
                record_ids=access.record_ids,
                fields=access.fields,
                sensitivity=decision.sensitivity,
                lifecycle=access.lifecycle,
                version_seen=access.version_seen,
                query_fields=access.query_fields,
                query_hmac=access.query_hmac,
                result_count=access.result_count,
                redactions=access.redactions,
            ),
            decision=ev.AccessDecision(
                policy_hash=decision.policy_hash,
                rule=decision.rule_id,
                reason=reason or (None if decision.allowed else decision.needed),
                obligations=tuple(decision.obligations),
            ),
            recipient=access.recipient,
            count=access.count,
            correlation=ev.AccessCorrelation(trace_id=current_trace_id(), cause=cause),
            retention=ev.AccessRetention(
                related_record=access.record_ids[0] if len(access.record_ids) == 1 else None,
                exempt_until=access.case.exempt_until if access.case else None,
            ),
        )

    def _entry(self, data: ev.PiiAccessed) -> Entry:
        event_id = self._ids.new()
        subject = data.retention.related_record or self._instance
        at = data.time.observed_at or data.time.occurred_at
        event: Event[Model] = Event(event_id, f"/direct311/{self.service}", subject, at, data)
        signed = self._signer.sign(encode(event))
        return Entry(event_id, replace(signed, key=self.producer.encode()))


def agent_of(caller: Caller, *, break_glass: bool = False) -> ev.AccessAgent:
    """The caller, as events of the log name them."""
    return ev.AccessAgent(
        id=caller.sub,
        roles=tuple(caller.roles),
        department=caller.department,
        on_behalf_of=caller.via,
        authentication=caller.authentication,
        session=caller.token_id,
        issuer=caller.issuer,
        jti=caller.token_id if caller.issuer else None,
        break_glass=break_glass,
    )


def _counted_purpose(access: Access) -> str:
    """The purpose as metrics show it. They must not show that law enforcement asked, so a secret
    access counts as one without a purpose, as sign-ins do."""
    return "none" if access.is_secret else access.purpose or "none"


FURTHER = "further refusals"
"""The operation in an event for refusals over the limit."""

_TOO_MANY = Decision(
    allowed=False,
    rule_id=RATE,
    needed="Fewer refusals in a minute.",
    fields=(),
    obligations=(),
    policy_hash="",
    legal_basis=None,
)
_VOID = Decision(
    allowed=True,
    rule_id="void",
    needed="",
    fields=(),
    obligations=(),
    policy_hash="",
    legal_basis=None,
)
