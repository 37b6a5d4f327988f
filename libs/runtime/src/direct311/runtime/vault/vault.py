"""The vault: the only place where personal information is ever plaintext.

Envelope encryption. A record has one data key (AES-256), wrapped by the service's key-encryption
key; each field is one ciphertext (AES-256-GCM, 96-bit random nonce, NIST SP 800-38D) whose
associated data binds it to record, field and version. `open` first records the access durably and
only then fetches the key; the fetch writes the event's id on the key.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from direct311.runtime.access.ledger import (
    MOST_RECORDS,
    Access,
    AuditUnavailableError,
    Ledger,
    TooLongError,
)
from direct311.runtime.access.rates import Rates
from direct311.runtime.access.refusals import RATE
from direct311.runtime.access.rules import AccessPolicy, Decision, RecordFacts
from direct311.runtime.clock import Clock
from direct311.runtime.errors import RefusedError, RuntimeFaultError
from direct311.runtime.vault.keys import KeyProvider, KeyProviderError
from direct311.schemas.claims import holder_of

_NONCE = 12
_PARTS_AT_ONCE = 50
"""How many events of one access are sent at the same time."""


class VaultError(RuntimeFaultError):
    """A ciphertext does not open: the key is gone or wrong, or the bytes were changed."""


class DeniedError(RefusedError):
    """The rules do not allow this access; it was written to the log all the same. `field` is the
    reason that is missing, where nothing else is; `retry_after` is there where the caller was
    refused too often."""

    def __init__(self, decision: Decision, *, retry_after: int | None = None) -> None:
        super().__init__(
            decision.rule_id,
            decision.needed,
            field=decision.unsaid,
            retry_after=retry_after,
        )
        self.decision = decision


@dataclass(frozen=True, slots=True)
class RecordKey:
    """A record's wrapped data key, as it is stored."""

    record_id: str
    kek_id: str
    wrapped: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True)
class KeyFetch:
    """One fetch of a key: which record, which access event, and when."""

    record_id: str
    event_id: str
    at: datetime


class KeyStore(Protocol):
    """A service's collection of wrapped data keys."""

    async def insert(self, keys: Sequence[RecordKey]) -> set[str]:
        """Store new keys; returns the record ids that already had one or could not be stored."""
        ...

    async def fetch(self, record_id: str, event_id: str, at: datetime) -> RecordKey | None:
        """The key, if there is one; the same update writes the event's id on it."""
        ...

    async def destroy(self, record_id: str) -> bool:
        """Remove the wrapped key, keep the fetches; returns whether the record ever had a key."""
        ...

    async def fetches_after(self, at: datetime, limit: int) -> Sequence[KeyFetch]:
        """The oldest fetches later than `at`, in order: `limit` of them, plus all that happened in
        the same millisecond as the last. Fewer than `limit` if no more follow."""
        ...


class DataKey:
    """A record's key, in memory for the duration of one call."""

    __slots__ = ("_aead", "_record_id")

    def __init__(self, record_id: str, key: bytes) -> None:
        self._record_id = record_id
        self._aead = AESGCM(key)

    def seal(self, field: str, value: bytes, version: int = 1) -> bytes:
        """Nonce and ciphertext of one field."""
        nonce = os.urandom(_NONCE)
        return nonce + self._aead.encrypt(nonce, value, self._associated(field, version))

    def open(self, field: str, sealed: bytes, version: int = 1) -> bytes:
        """:raises VaultError: not sealed under this key for this field and version."""
        try:
            return self._aead.decrypt(
                sealed[:_NONCE], sealed[_NONCE:], self._associated(field, version)
            )
        except InvalidTag:
            raise VaultError("a sealed field does not open") from None

    def _associated(self, field: str, version: int) -> bytes:
        return f"{self._record_id}\x00{field}\x00{version}".encode()


class Door:
    """Decides about accesses and records the decisions. By itself, for a service that seals
    nothing."""

    def __init__(self, ledger: Ledger, policy: AccessPolicy, clock: Clock) -> None:
        self._ledger = ledger
        self._policy = policy
        self._rates = Rates(policy.rates)
        self._clock = clock

    async def authorise(self, access: Access, facts: RecordFacts) -> tuple[str, Decision]:
        """Decide, and record the decision. Returns the event's id and the decision.

        One event names at most `MOST_RECORDS` records. An access to more has several events, each
        with its own `result_count`, and the returned id is the first one's. A refusal has only one
        event, for the first part, since no record is released.

        :raises DeniedError: not allowed, or too often; the refusal is in the log, or counted there
        as a repeat.
        :raises AuditUnavailableError: the log cannot be written; nothing may happen.
        """
        decision = self._decide(access, facts)
        held = [field for field in access.fields if holder_of(field) == self._ledger.service]
        if decision.allowed and len(held) < len(access.fields):
            decision = self._policy.held_elsewhere(decision)
        wait = None
        if decision.allowed:
            wait = await self._rates.take(access.caller.sub, decision.roles)
            if wait:
                decision = self._policy.too_often(decision, wait)
        if not decision.allowed:
            purpose, fields = self._policy.known(access.purpose or "unknown", held)
            records = access.record_ids[:MOST_RECORDS]
            asked = replace(access, purpose=purpose, fields=fields, record_ids=records)
            crowded = await self._ledger.refuse(asked, decision)
            if crowded and not wait:
                needed = f"Too many refusals; ask again in {crowded} seconds."
                decision, wait = replace(decision, rule_id=RATE, needed=needed), crowded
            raise DeniedError(decision, retry_after=wait)
        granted = replace(access, fields=tuple(decision.fields))
        return await self._written(granted, decision), decision

    def allows(self, access: Access, facts: RecordFacts) -> bool:
        """Whether the rules allow it now. Opens nothing and writes nothing down: for a call that
        must say what else it lacks, but only to somebody who may ask. `authorise` follows."""
        return self._decide(access, facts).allowed

    def _decide(self, access: Access, facts: RecordFacts) -> Decision:
        return self._policy.decide(
            access.caller,
            access.purpose or "unknown",
            access.fields,
            facts,
            reference=access.reference,
            justification=access.justification,
            at=self._clock.now(),
        )

    async def _written(self, granted: Access, decision: Decision) -> str:
        """The id of the first event, once all events are durable."""
        first, *others = _parts(granted)
        event_id = await self._ledger.write(first, decision, "success")
        for at in range(0, len(others), _PARTS_AT_ONCE):
            some = others[at : at + _PARTS_AT_ONCE]
            writing = (self._ledger.write(each, decision, "success") for each in some)
            for told in await asyncio.gather(*writing, return_exceptions=True):
                if isinstance(told, BaseException):
                    raise told
        return event_id


class Vault(Door):
    """One service's vault."""

    def __init__(
        self,
        keys: KeyStore,
        provider: KeyProvider,
        ledger: Ledger,
        policy: AccessPolicy,
        clock: Clock,
    ) -> None:
        super().__init__(ledger, policy, clock)
        self.keys = keys
        self._provider = provider

    async def new_key(self, record_id: str) -> tuple[RecordKey, DataKey]:
        """A key for a record without one. Insert it before anything it seals."""
        plain = os.urandom(32)
        kek_id, wrapped = await self._provider.wrap(plain, record_id)
        key = RecordKey(record_id, kek_id, wrapped, self._clock.now())
        return key, DataKey(record_id, plain)

    async def open(
        self,
        access: Access,
        facts: RecordFacts,
        sealed: Mapping[str, bytes],
        *,
        version: int = 1,
    ) -> Mapping[str, bytes]:
        """The plaintext of the fields that were requested, are allowed and exist.

        `sealed` maps field names to ciphertexts of the one record in `access.record_ids`.

        :raises DeniedError: the rules refuse.
        :raises AuditUnavailableError: the access could not be recorded; nothing was opened. :raises
        VaultError: the key is gone or the bytes do not open; a second event says so.
        """
        async with self.opening(access, facts, sealed, version=version) as (_, opened):
            return opened

    @contextlib.asynccontextmanager
    async def opening(
        self,
        access: Access,
        facts: RecordFacts,
        sealed: Mapping[str, bytes],
        *,
        version: int = 1,
    ) -> AsyncIterator[tuple[DataKey, Mapping[str, bytes]]]:
        """Like `open`, and the record's data key too: for sealing what follows from the fields into
        the record, and for opening what was sealed so. One event is for all of it."""
        event_id, decision = await self.authorise(access, facts)
        key = await self._fetched(access, decision, event_id)
        try:
            yield (
                key,
                {
                    field: key.open(field, sealed[field], version)
                    for field in decision.fields
                    if field in sealed
                },
            )
        except VaultError as error:
            await self._tell(access, decision, event_id, error)
            raise

    async def open_each(
        self,
        access: Access,
        facts: RecordFacts,
        sealed: Mapping[str, Mapping[str, bytes]],
    ) -> Mapping[str, Mapping[str, bytes]]:
        """Like `open`, for the records in `access.record_ids` (at most 100) under one event.

        For a service acting on its own behalf: rates count events, not records. A record whose key
        is gone or whose data does not open is left out; a second event says so.

        :raises DeniedError: the rules refuse.
        :raises AuditUnavailableError: the access could not be written down; nothing was opened.
        """
        event_id, decision = await self.authorise(access, facts)

        async def one(record_id: str) -> Mapping[str, bytes] | None:
            alone, values = replace(access, record_ids=(record_id,)), sealed[record_id]
            try:
                key = await self._fetched(alone, decision, event_id)
            except VaultError:
                return None
            try:
                fields = [field for field in decision.fields if field in values]
                return {field: key.open(field, values[field]) for field in fields}
            except VaultError as error:
                await self._tell(alone, decision, event_id, error)
                return None

        found = await asyncio.gather(*(one(record_id) for record_id in access.record_ids))
        pairs = zip(access.record_ids, found, strict=True)
        return {record_id: values for record_id, values in pairs if values is not None}

    @contextlib.asynccontextmanager
    async def unlock(self, access: Access, facts: RecordFacts) -> AsyncIterator[DataKey]:
        """The record's data key, for sealing into a record that exists or opening large objects.

        Takes the same path and raises the same errors as `open`; a second event reports data that
        does not open with the key inside the block. Open nothing after the block; the key may be
        kept for sealing.
        """
        event_id, decision = await self.authorise(access, facts)
        key = await self._fetched(access, decision, event_id)
        try:
            yield key
        except VaultError as error:
            await self._tell(access, decision, event_id, error)
            raise

    async def _fetched(self, access: Access, decision: Decision, event_id: str) -> DataKey:
        (record_id,) = access.record_ids
        try:
            wrapped = await self.keys.fetch(record_id, event_id, self._clock.now())
            if wrapped is None:
                raise VaultError("the record has no key here")
            plain = await self._provider.unwrap(wrapped.kek_id, wrapped.wrapped, record_id)
        except (VaultError, KeyProviderError) as error:
            await self._tell(access, decision, event_id, error)
            raise VaultError("the record's key is gone or does not open") from None
        except Exception as error:
            await self._tell(access, decision, event_id, error)
            raise
        return DataKey(record_id, plain)

    async def _tell(
        self, access: Access, decision: Decision, event_id: str, error: Exception
    ) -> None:
        """Record that an authorized access failed. If that fails too, the first event shows as
        authorized and not opened, unless the fetch happened."""
        with contextlib.suppress(AuditUnavailableError, TooLongError):
            await self._ledger.write(
                access, decision, "error", reason=type(error).__name__, cause=event_id
            )


def _parts(access: Access) -> list[Access]:
    """The access, split into as many as its records need."""
    records = access.record_ids
    if len(records) <= MOST_RECORDS:
        return [access]
    some = (records[at : at + MOST_RECORDS] for at in range(0, len(records), MOST_RECORDS))
    counted = access.result_count is not None
    return [
        replace(access, record_ids=part, result_count=len(part) if counted else None)
        for part in some
    ]
