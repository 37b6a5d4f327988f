"""The keys of the log's bodies: who can read an entry, and for how long.

An entry is sealed under its record's key, so that it becomes unreadable with that record while
every other entry's proofs still hold. An entry about several records has its own key, and each
record's key wraps a copy of it, so the entry lasts as long as the longest-lived record. Leaves name
keys by random references, so that the log's files do not show which entries belong together in any
other way than by being about the same record.
"""

import asyncio
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from direct311.audit.entry import Facts
from direct311.audit.log.domain import INDEX, PERMANENT, entry_key, key_names, month_key
from direct311.audit.log.ports.keys import BodyKeys, StoredKey
from direct311.runtime.vault.keys import KeyProvider, KeyProviderError
from direct311.verifier.entry import KEY_SIZE, REFERENCE_SIZE

_COPY_LABEL = b"direct311-entry-key-copy-v1\n"
_NONCE = 12


class BodyKey(NamedTuple):
    """A plaintext key: `reference` (16 bytes) as leaves name it, `key` 32 bytes.

    `gone`: for sealing, the event's records whose own key was destroyed before.
    """

    reference: bytes
    key: bytes
    gone: frozenset[str] = frozenset()


class KeyRing:
    """Opens, makes and wraps body keys; keeps none in memory beyond a call."""

    def __init__(self, keys: BodyKeys, provider: KeyProvider) -> None:
        self._keys = keys
        self._provider = provider

    async def check(self, at: datetime) -> None:
        """:raises KeyProviderError: the key-encryption key is not the one used until now."""
        await self._living([PERMANENT], at)

    async def index_key(self, at: datetime) -> bytes:
        """The key (32 bytes) that vouches for the query index. It opens no entry."""
        return (await self._living([INDEX], at))[INDEX].key

    async def for_sealing(self, facts: Sequence[Facts], at: datetime) -> Mapping[str, BodyKey]:
        """The key of each event (event id → key); makes a new one for a record's first event.

        A record whose key was destroyed gets no new one: an entry about only that record uses the
        month's key.
        """
        month = month_key(at)
        names = {name for each in facts for name in key_names(each)} | {month}
        living = await self._living(names, at)
        several = {}
        chosen = {}
        for each in facts:
            own = [name for name in key_names(each) if name in living]
            if len(own) > 1:
                several[each.event_id] = own
            else:
                chosen[each.event_id] = living[own[0] if own else month]
        if several:
            chosen |= await self._of_several(several, living, at)
        return {
            each.event_id: chosen[each.event_id]._replace(
                gone=frozenset(key_names(each)) - living.keys()
            )
            for each in facts
        }

    async def destroyed(self, records: Collection[str]) -> set[str]:
        """The records whose key has been destroyed by now."""
        return await self._keys.destroyed(records) if records else set()

    async def _of_several(
        self, several: Mapping[str, Sequence[str]], living: Mapping[str, BodyKey], at: datetime
    ) -> dict[str, BodyKey]:
        """A key for each of these entries (event id → its records)."""
        names = {entry_key(event_id): event_id for event_id in several}
        stored = dict(await self._keys.named(names))
        missing = sorted(names.keys() - stored.keys())
        if missing:
            await self._keys.insert_new(
                [_new_copied(name, several[names[name]], living, at) for name in missing]
            )
            stored |= await self._keys.named(missing)
        # An earlier attempt may have stored the key when more of its records existed.
        return {event_id: _from_copies(stored[name], living) for name, event_id in names.items()}

    async def for_reading(
        self, references: Collection[bytes], event_id: str, at: datetime
    ) -> Mapping[bytes, BodyKey]:
        """The keys of these references that still exist; each fetch names the access event."""
        stored = await self._keys.fetch_for(references, event_id, at)
        records = {name for key in stored.values() for name in key.copies}
        living = await self._open((await self._keys.named(records)).values()) if records else {}
        whole = await self._open(key for key in stored.values() if key.wrapped)
        found = {key.reference: key for key in whole.values()}
        for key in stored.values():
            if not living.keys().isdisjoint(key.copies):
                found[key.reference] = _from_copies(key, living)
        return found

    async def _living(self, names: Iterable[str], at: datetime) -> dict[str, BodyKey]:
        """The keys with these names, by name; new if there was none, and without destroyed ones."""
        wanted = set(names)
        known = dict(await self._keys.named(wanted))
        missing = sorted(wanted - known.keys())
        if missing:
            new = await asyncio.gather(*(self._new(name, at) for name in missing))
            await self._keys.insert_new(new)
            # Read again: another sequencer may have been first.
            known |= await self._keys.named(missing)
        return await self._open(known.values())

    async def _new(self, name: str, at: datetime) -> StoredKey:
        kek_id, wrapped = await self._provider.wrap(os.urandom(KEY_SIZE), name)
        return StoredKey(name, os.urandom(REFERENCE_SIZE), at, kek_id, wrapped)

    async def _open(self, keys: Iterable[StoredKey]) -> dict[str, BodyKey]:
        kept = [key for key in keys if key.wrapped]
        plain = await asyncio.gather(
            *(self._provider.unwrap(key.kek_id, key.wrapped, key.name) for key in kept)
        )
        return {
            key.name: BodyKey(key.reference, opened)
            for key, opened in zip(kept, plain, strict=True)
        }


def _copy_cipher(record_key: bytes, reference: bytes) -> AESGCM:
    info = _COPY_LABEL + reference
    return AESGCM(HKDF(SHA256(), length=KEY_SIZE, salt=None, info=info).derive(record_key))


def _new_copied(
    name: str, records: Sequence[str], living: Mapping[str, BodyKey], at: datetime
) -> StoredKey:
    reference, key = os.urandom(REFERENCE_SIZE), os.urandom(KEY_SIZE)
    copies = {}
    for record in records:
        nonce = os.urandom(_NONCE)
        cipher = _copy_cipher(living[record].key, reference)
        copies[record] = nonce + cipher.encrypt(nonce, key, reference)
    return StoredKey(name, reference, at, copies=copies)


def _from_copies(stored: StoredKey, living: Mapping[str, BodyKey]) -> BodyKey:
    """The key, unwrapped with an existing record key. There must be one."""
    record = next(name for name in stored.copies if name in living)
    copy = stored.copies[record]
    cipher = _copy_cipher(living[record].key, stored.reference)
    try:
        plain = cipher.decrypt(copy[:_NONCE], copy[_NONCE:], stored.reference)
    except InvalidTag:
        raise KeyProviderError("the copy of a body key does not open with its record's") from None
    return BodyKey(stored.reference, plain)
