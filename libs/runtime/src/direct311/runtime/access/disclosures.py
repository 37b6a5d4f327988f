"""What an owner of sealed data keeps about disclosure cases, and which grants are genuine.

Retention says in signed events what a case may open. An owner checks such an event when it arrives:
who signed it, and that each approval is a fresh sign-in at the identity provider. It keeps the
bytes, and checks all of it again at every use, offline. So nobody who can write to the owner's
database can make a grant, and a grant that cannot be checked opens nothing. Bytes that this process
has checked before need no second computation: each use compares all of them (decision 111).
"""

import contextlib
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Protocol, get_args

import structlog

from direct311.runtime.access.cases import AccessCase
from direct311.runtime.access.fresh_sign_in import (
    SKEW,
    ApprovalError,
    Approvals,
    ProviderKeys,
    SeenKeys,
    nonce_of,
    thumbprint_of,
)
from direct311.runtime.access.grants import CaseGrant
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.reasons import as_reference
from direct311.runtime.access.rules import RecordFacts
from direct311.runtime.clock import Clock
from direct311.runtime.errors import RuntimeFaultError, TransientError
from direct311.runtime.messaging.broker import Received
from direct311.runtime.messaging.signing import KeptEvent, Principals, SignatureError
from direct311.runtime.persons import different_persons, same_person
from direct311.schemas import Event, signed_bytes
from direct311.schemas import events as ev
from direct311.schemas.codec import LONGEST_LOGGED, dump
from direct311.schemas.model import Model, RecordId, replaced
from direct311.schemas.secrecy import NoticeError
from direct311.verifier.event import EventError, decode_json

_log = structlog.get_logger(__name__)

SIGNED_BY = "retention"
DISCLOSING = frozenset(get_args(ev.DisclosureKind))
"""The purposes that need a grant."""
MOST_CHECKED = 256
"""How many events a process remembers as checked."""
MOST_COUNTED = 1_000
"""The most searches of one kind that a grant can allow."""
GRANT = "disclosure-grant"
"""What approvers of a grant approve; see `fresh_sign_in.nonce_of`."""
PACKAGE = "disclosure-package"
"""What approvers of a release approve."""
CLEARANCE = "disclosure-clearance"
"""What somebody approves who clears a leak that is none."""


class GrantError(RuntimeFaultError):
    """A grant is not one. The message says why, and repeats nothing from it."""


class KeptDisclosure(Model):
    """A disclosure event of retention, as it is kept. `provider_keys`: thumbprints of the identity
    provider's keys with which its approvals were checked when it arrived."""

    event_id: RecordId
    case_id: RecordId
    version: int
    name: str
    kept: KeptEvent
    provider_keys: tuple[str, ...] = ()

    def checked_with(self, provider_keys: Iterable[str]) -> "KeptDisclosure":
        """A copy whose approvals were checked with these keys."""
        return replaced(self, provider_keys=tuple(provider_keys))

    @property
    def is_state(self) -> bool:
        """Whether only the newest one of the case is needed."""
        return self.name in ("disclosure.recorded", "disclosure.released")


class KeptDisclosures(Protocol):
    """An owner's collection of disclosure events."""

    async def keep(self, disclosure: KeptDisclosure) -> None:
        """Store an event, once. Of those that only tell the case's state, the newest is kept."""
        ...

    async def of_case(self, case_id: str) -> Sequence[KeptDisclosure]:
        """Everything kept about the case, oldest version first."""
        ...

    async def count_search(self, grant_id: str, kind: str, most: int) -> int | None:
        """Count a search of this kind under the grant; returns its number, from 0, or `None` if
        `most` are counted. No two searches have the same number."""
        ...

    async def discount_search(self, grant_id: str, kind: str, number: int) -> None:
        """Nobody has searched under this number, so it may be given again."""
        ...


def under_case(access: Access, facts: RecordFacts) -> Access:
    """The access as it is written down: with the case that it names, and until when the case is
    exempt from inspection."""
    if not facts.grants:
        return access
    newest = facts.grants[-1]
    return replace(access, case=AccessCase(newest.case_id, newest.exempt_until))


def nonce_of_grant(grant: ev.DisclosureGrant) -> str:
    """What the ID token of everybody who approves this grant has as its `nonce`."""
    return nonce_of(GRANT, json.loads(dump(grant)))


def nonce_of_package(case_id: str, package: str) -> str:
    """What the ID token of everybody who approves the release of this package (SHA-256, hex) for
    this case has as its `nonce`."""
    return nonce_of(PACKAGE, {"case_id": case_id, "package": package})


def nonce_of_clearance(case_id: str, leak: str, reason: str) -> str:
    """What the ID token of somebody who clears this leak (its hash) of a package, for this reason,
    has as its `nonce`."""
    return nonce_of(CLEARANCE, {"case_id": case_id, "leak": leak, "reason": reason})


class Disclosures:
    """An owner's disclosure cases. `approvals`: `None` if no client for approvals is configured;
    then no grant is accepted."""

    def __init__(
        self,
        kept: KeptDisclosures,
        principals: Principals,
        approvals: Approvals | None,
        provider: ProviderKeys,
        seen: SeenKeys,
        clock: Clock,
    ) -> None:
        self._kept = kept
        self._principals = principals
        self._approvals = approvals
        self._provider = provider
        self._seen = seen
        self._clock = clock
        self._checked_before: OrderedDict[bytes, ev.DisclosureEvent] = OrderedDict()

    async def take(self, batch: Sequence[Received]) -> Sequence[tuple[Event[Model], Exception]]:
        """Check and keep a batch of events; returns the ones that count for nothing, with the
        reasons. The consumer has checked who signed them.

        Ends of grants are kept first. If the approvals of an event cannot be checked now, all that
        does not depend on it is kept before the batch is tried again.

        :raises TransientError: the identity provider has not answered since an event came whose
            approvals it must confirm, or the database does not answer.
        """
        failed: list[tuple[Event[Model], Exception]] = []
        waiting: set[str] = set()
        unanswered: TransientError | None = None
        for received in sorted(batch, key=lambda each: not _is_end(each)):
            data = received.event.data
            if not isinstance(data, ev.DisclosureEvent):
                continue
            # Whether a case may say this of its exemption depends on what it said before.
            if data.case_id in waiting and data.exemption.exempt and not _is_end(received):
                continue
            try:
                await self._take(received, data)
            except (GrantError, ApprovalError, SignatureError) as error:
                failed.append((received.event, error))
            except TransientError as error:
                waiting.add(data.case_id)
                unanswered = error
        if unanswered is not None:
            raise unanswered
        return failed

    async def take_ends(
        self, batch: Sequence[Received]
    ) -> Sequence[tuple[Event[Model], Exception]]:
        """Keep the ends of grants that are in the batch, and nothing else. They need no identity
        provider, so with a consumer of its own an end waits behind no grant. What is wrong with
        one, `take` returns."""
        for received in batch:
            data = received.event.data
            if isinstance(data, ev.DisclosureRevoked):
                with contextlib.suppress(GrantError, ApprovalError, SignatureError):
                    await self._take(received, data)
        return []

    async def _take(self, received: Received, data: ev.DisclosureEvent) -> None:
        disclosure = await self._checked(received, data)
        await self._check_exemption(data)
        await self._kept.keep(disclosure)

    async def grants(self, case_id: str) -> tuple[CaseGrant, ...]:
        """The genuine grants of the case, each checked now, oldest first.

        What cannot be checked is left out. If that is the end of a grant, all of the case's grants
        count as revoked, since nobody can say which one ended.
        """
        found: list[ev.DisclosureEvent] = []
        all_revoked = False
        for kept in await self._kept.of_case(case_id):
            try:
                found.append(self._checked_again(kept))
            except (GrantError, ApprovalError, SignatureError) as error:
                all_revoked |= kept.name == "disclosure.revoked"
                _log.error("disclosure.not_genuine", event_id=kept.event_id, why=str(error))
        if not found:
            return ()
        exemption = _exemption(found)
        revoked = {data.grant_id for data in found if isinstance(data, ev.DisclosureRevoked)}
        return tuple(
            _grant(data, exemption, revoked=all_revoked or data.grant.grant_id in revoked)
            for data in found
            if isinstance(data, ev.DisclosureApproved)
        )

    async def facts_for(self, access: Access, facts: RecordFacts) -> RecordFacts:
        """The facts, with the grants of the case that the access names, if its purpose needs one.

        A search must be counted (`searching`); here, no grant allows one.
        """
        if access.purpose not in DISCLOSING or not access.reference:
            return facts
        grants = await self.grants(as_reference(access.reference))
        searched = MOST_COUNTED if facts.search is not None else facts.searched
        return replace(facts, grants=grants, searched=searched)

    @contextlib.asynccontextmanager
    async def searching(self, access: Access, kind: str) -> AsyncIterator[RecordFacts]:
        """The facts of a search of this kind, with the grants of the case that the access names, if
        its purpose needs one. Inside the block the search is authorized, and nothing else.

        The search is counted before that on the newest grant that still allows the caller one, and
        the facts then have only this grant. If the block fails, nobody has searched, and the count
        is taken back; after a kill inside the block it stands.
        """
        facts = await self.facts_for(access, RecordFacts(search=kind))
        counted: tuple[str, int] | None = None
        now = self._clock.now()
        for grant in reversed(facts.grants):
            allowed = grant.searches.get(kind, 0)
            if not allowed or not grant.is_in_force_for(access.caller.sub, now):
                continue
            number = await self._kept.count_search(grant.grant_id, kind, allowed)
            if number is not None:
                counted = grant.grant_id, number
                facts = replace(facts, grants=(grant,), searched=number)
                break
        try:
            yield facts
        except BaseException:
            if counted is not None:
                await self._kept.discount_search(counted[0], kind, counted[1])
            raise

    async def _checked(self, received: Received, data: ev.DisclosureEvent) -> KeptDisclosure:
        event = received.event
        kept = KeptEvent.of(received.headers, received.body, self._clock.now())
        disclosure = KeptDisclosure(
            event_id=event.id,
            case_id=data.case_id,
            version=data.version,
            name=event.name,
            kept=kept,
        )
        self._principals.check_again(kept)
        if len(signed_bytes(kept.headers, kept.body)) > LONGEST_LOGGED:
            raise GrantError("too long for the log, so it counts for nothing")
        if isinstance(data, ev.DisclosureApproved):
            approvals = self._check_grant(event, data)
            nonce = _nonce_in(kept.body)
        elif isinstance(data, ev.DisclosureReleased):
            approvals = self._check_approvers(data.approvals)
            nonce = nonce_of_package(data.case_id, data.package)
        else:
            return disclosure
        keys = [
            await approvals.check_on_receipt(
                each, nonce, self._provider, self._seen, kept.received_at
            )
            for each in data.approvals
        ]
        return disclosure.checked_with(keys)

    async def _check_exemption(self, data: ev.DisclosureEvent) -> None:
        """Whether the case may say this about its exemption, after what it said before.

        The end of a grant is kept all the same: it must end. What it says about the exemption is
        then left out at each use.

        :raises GrantError: it prolongs a delayed notice without a document.
        """
        if isinstance(data, ev.DisclosureRevoked) or not data.exemption.exempt:
            return
        said = []
        for kept in await self._kept.of_case(data.case_id):
            if kept.version < data.version:
                with contextlib.suppress(GrantError, ApprovalError, SignatureError):
                    said.append(self._checked_again(kept))
        try:
            data.exemption.check_after(_exemption(said))
        except NoticeError as error:
            raise GrantError(str(error)) from None

    def _checked_again(self, disclosure: KeptDisclosure) -> ev.DisclosureEvent:
        """The event, checked now. The outcome depends on nothing but what is kept and on keys that
        a process reads when it starts, so it is the same for the same bytes."""
        bytes_of = _digest(disclosure)
        data = self._checked_before.get(bytes_of)
        if data is None:
            data = self._checked_before[bytes_of] = self._check_again(disclosure)
        self._checked_before.move_to_end(bytes_of)
        while len(self._checked_before) > MOST_CHECKED:
            self._checked_before.popitem(last=False)
        return data

    def _check_again(self, disclosure: KeptDisclosure) -> ev.DisclosureEvent:
        event = self._principals.check_again(disclosure.kept)
        data = event.data
        if not isinstance(data, ev.DisclosureEvent) or event.source != f"/direct311/{SIGNED_BY}":
            raise GrantError("not an event about a case")
        if (event.id, data.case_id, data.version) != (
            disclosure.event_id,
            disclosure.case_id,
            disclosure.version,
        ):
            raise GrantError("kept under another name")
        if isinstance(data, ev.DisclosureApproved):
            approvals = self._check_grant(event, data)
            nonce = _nonce_in(disclosure.kept.body)
            for each in data.approvals:
                approvals.check(each, nonce)
                if thumbprint_of(each.key) not in disclosure.provider_keys:
                    raise GrantError("approved with a key that was not the provider's on arrival")
        return data

    def _check_grant(self, event: Event[Model], data: ev.DisclosureApproved) -> Approvals:
        """What a grant must be, apart from signatures. Returns what checks its approvals."""
        grant = data.grant
        approvals = self._check_approvers(data.approvals)
        if any(same_person(grant.prepared_by, each.approver) for each in data.approvals):
            raise GrantError("approved by the person who prepared it")
        approved = [each.approved_at for each in data.approvals]
        if not grant.prepared_at - SKEW <= min(approved):
            raise GrantError("approved before it was prepared")
        if not max(approved) - SKEW <= event.time <= max(approved) + SKEW:
            raise GrantError("not told when the last person had approved it")
        return approvals

    def _check_approvers(self, given: Sequence[ev.Approval]) -> Approvals:
        """Whether different people approved. Returns what checks their approvals."""
        if self._approvals is None:
            raise GrantError("no client for approvals is configured")
        approvers = [each.approver for each in given]
        if len(different_persons(approvers)) < len(approvers):
            raise GrantError("approved twice by one person")
        return self._approvals


def _digest(disclosure: KeptDisclosure) -> bytes:
    """SHA-256 of everything that is kept."""
    said = disclosure.model_dump(mode="json", exclude={"kept": {"body"}})
    return sha256(
        json.dumps(said, sort_keys=True).encode() + b"\x00" + disclosure.kept.body
    ).digest()


def _is_end(received: Received) -> bool:
    return isinstance(received.event.data, ev.DisclosureRevoked)


def _exemption(said: Sequence[ev.DisclosureEvent]) -> ev.CaseExemption:
    """The case's exemption after all of these events, in the order of their versions."""
    exemption = ev.CaseExemption()
    for data in sorted(said, key=lambda data: data.version):
        exemption = data.exemption.after(exemption)
    return exemption


def _grant(data: ev.DisclosureApproved, exemption: ev.CaseExemption, *, revoked: bool) -> CaseGrant:
    grant = data.grant
    return CaseGrant(
        case_id=data.case_id,
        grant_id=grant.grant_id,
        kind=grant.kind,
        record_ids=frozenset(grant.record_ids),
        file_ids=frozenset(grant.file_ids),
        fields=frozenset(grant.fields),
        searches={each.kind: each.number for each in grant.searches},
        workers=frozenset(grant.workers),
        prepared_by=grant.prepared_by,
        approvers=tuple(each.approver for each in data.approvals),
        valid_until=grant.valid_until,
        revoked=revoked,
        exempt_until=exemption.until if exemption.exempt else None,
        prepared_at=grant.prepared_at,
    )


def _nonce_in(body: bytes) -> str:
    """The nonce for the grant in an event, over all members that it has there, also ones that this
    version does not know.

    :raises GrantError: the body is ambiguous.
    """
    try:
        return nonce_of(GRANT, decode_json(body)["grant"])
    except (EventError, KeyError, TypeError):
        raise GrantError("its body is ambiguous") from None
