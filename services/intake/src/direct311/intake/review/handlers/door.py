"""Under which grant somebody works on a record, and the accesses that come from it."""

import contextlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from direct311.intake.refusals import NO_SUCH_REQUEST
from direct311.intake.request import ServiceRequest
from direct311.intake.review.domain.places import FieldTexts
from direct311.intake.review.domain.reviews import PUBLIC, ShownText
from direct311.intake.review.ports import StoredRequests
from direct311.runtime.access.disclosures import Disclosures, under_case
from direct311.runtime.access.grants import PERSON_INDEX, CaseGrant
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.clock import Clock
from direct311.runtime.vault.vault import DataKey, Vault
from direct311.schemas.claims import holder_of
from direct311.schemas.events import AccessAction

_APART = {
    "version", "seen", "lifecycle", "holds", "order_id", "sealed", "indexes", "index_versions",
    "index_readings", "home_unread_at", "registry_version", "mail", "mail_after", "notifications",
    "idempotency", "fingerprint", "retry_opens", "marks", "marked_at",
    "breach_notices",
}  # fmt: skip
"""What changes in a request without changing anything that a review shows or depends on. A new
field counts as a change until it is named here."""


@dataclass(frozen=True, slots=True)
class Granted:
    """What a case lets somebody do with a record. `fields`: the sealed fields of intake that the
    grant names; empty if no grant in force names the person and the record. `grants`: all of the
    case, as they were checked just now. `prepared_by`, `prepared_at`: who decided what the grant
    opens, and when; nobody if no grant in force names them."""

    caller: Caller
    case_id: str
    kind: str
    request: ServiceRequest
    fields: tuple[str, ...]
    grants: tuple[CaseGrant, ...] = ()
    prepared_by: str = ""
    prepared_at: datetime | None = None


class Door:
    """Looks up grants, and opens what they name. Every opening goes through the vault."""

    def __init__(
        self,
        requests: StoredRequests,
        vault: Vault,
        disclosures: Disclosures,
        clock: Clock,
        content_key: bytes,
    ) -> None:
        self._requests = requests
        self._vault = vault
        self._disclosures = disclosures
        self._clock = clock
        self._content_key = content_key

    async def granted(self, caller: Caller, case_id: str, record_id: str) -> Granted:
        """What the case lets the caller do with the record; of several grants, the one with the
        most fields. The decision is the vault's: without a grant the fields are empty, and the
        first access is refused.

        :raises RefusedError: there is no such request.
        """
        request = await self._requests.get(record_id)
        if request is None:
            raise NO_SUCH_REQUEST
        grants = await self._disclosures.grants(case_id)
        now, best = self._clock.now(), Granted(caller, case_id, PUBLIC, request, (), grants)
        for grant in grants:
            if caller.sub not in grant.workers:
                continue
            fields = tuple(
                sorted(
                    field
                    for field in grant.fields
                    if holder_of(field) == "intake" and field != PERSON_INDEX
                )
            )
            in_force = grant.is_in_force_for(caller.sub, now) and record_id in grant.record_ids
            if in_force and len(fields) >= len(best.fields):
                best = replace(
                    best,
                    kind=grant.kind,
                    fields=fields,
                    prepared_by=grant.prepared_by,
                    prepared_at=grant.prepared_at,
                )
            elif not best.fields:
                # The refusal then says what the grant lacks.
                best = replace(best, kind=grant.kind)
        return best

    async def opened(
        self,
        granted: Granted,
        action: AccessAction,
        operation: str,
        *,
        redactions: tuple[str, ...] = (),
        recipient: str | None = None,
    ) -> Sequence[FieldTexts]:
        """The texts of the fields that the grant names and the record has, in the order of their
        names. `redactions`, `recipient`: what the entry says of a disclosure.

        :raises RefusedError: a rule refuses, or it cannot be written to the log.
        """
        async with self.opening(
            granted, action, operation, redactions=redactions, recipient=recipient
        ) as (_, texts):
            return texts

    @contextlib.asynccontextmanager
    async def opening(
        self,
        granted: Granted,
        action: AccessAction,
        operation: str,
        *,
        redactions: tuple[str, ...] = (),
        recipient: str | None = None,
    ) -> AsyncIterator[tuple[DataKey, Sequence[FieldTexts]]]:
        """The same, and the record's key, by the same access."""
        access, facts = await self._access(granted, action, operation)
        access = replace(access, redactions=redactions, recipient=recipient)
        sealed = granted.request.sealed
        async with self._vault.opening(access, facts, sealed) as (key, opened):
            yield key, [FieldTexts.of(field, opened[field].decode()) for field in sorted(opened)]

    async def authorise(
        self,
        granted: Granted,
        action: AccessAction,
        operation: str,
        *,
        redactions: tuple[str, ...] = (),
    ) -> None:
        """Write down that somebody works on the record, and open nothing.

        :raises RefusedError: a rule refuses, or it cannot be written to the log.
        """
        access, facts = await self._access(granted, action, operation)
        access = replace(access, redactions=redactions)
        await self._vault.authorise(access, facts)

    async def allows(self, granted: Granted, action: AccessAction, operation: str) -> bool:
        """Whether the rules allow it, by the grants as they were checked when they were looked up.
        Nothing is opened or written down; see `Vault.allows`."""
        facts = replace(self._facts(granted), grants=granted.grants)
        return self._vault.allows(self._asked(granted, action, operation), facts)

    async def _access(
        self, granted: Granted, action: AccessAction, operation: str
    ) -> tuple[Access, RecordFacts]:
        """The access and its facts, with the grants checked once more. A grant that came since they
        were looked up counts from the next call on: the access asks for none of its fields, and
        would be allowed to open nothing."""
        access = self._asked(granted, action, operation)
        if not granted.prepared_by:
            return access, replace(self._facts(granted), grants=granted.grants)
        facts = await self._disclosures.facts_for(access, self._facts(granted))
        return under_case(access, facts), facts

    def _facts(self, granted: Granted) -> RecordFacts:
        request = granted.request
        return RecordFacts(request.record_id, request.assigned_department)

    def _asked(self, granted: Granted, action: AccessAction, operation: str) -> Access:
        request = granted.request
        return Access(
            granted.caller,
            action=action,
            purpose=granted.kind,
            operation=operation,
            fields=granted.fields,
            record_ids=(request.record_id,),
            reference=granted.case_id,
            lifecycle=request.status,
            version_seen=request.version,
            notice_version=request.policy.version if request.policy else None,
            result_count=len(request.sealed.keys() & set(granted.fields)),
        )

    def content_of(self, request: ServiceRequest) -> str:
        """A keyed hash of everything that a review shows or depends on."""
        said = request.model_dump(mode="json", exclude=_APART)
        sealed = {field: sha256(value).hexdigest() for field, value in request.sealed.items()}
        return self._keyed(request.record_id, json.dumps([said, sealed], sort_keys=True))

    def shown(self, record_id: str, fields: Sequence[FieldTexts]) -> Mapping[str, ShownText]:
        """What a review keeps of the texts: lengths and keyed hashes."""
        return {
            entry.place: ShownText(
                length=len(entry.text),
                content=self._keyed(record_id, json.dumps([entry.place, entry.text])),
            )
            for field in fields
            for entry in field.entries
        }

    def _keyed(self, record_id: str, text: str) -> str:
        value = f"{record_id}\x00{text}".encode()
        return hmac.digest(self._content_key, value, sha256).hex()
