"""The desk encrypts a package to its recipient, before somebody else releases it.

The package is opened and encrypted piece by piece. What is encrypted is sealed in the store like
the package, as whoever has the passphrase or the key could open it.
"""

import asyncio
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, Final, cast

from direct311.retention.case_file.deliveries import (
    MOST_DELIVERIES,
    Delivery,
    delivery_name,
)
from direct311.retention.case_file.packages import BuiltPackage
from direct311.retention.cases.domain import CaseFile
from direct311.retention.cases.ports import SealedDocuments
from direct311.retention.cases.work import CaseWork, Changed, check_open, check_unopposed
from direct311.retention.deliveries.domain import LARGEST_WITH_PASSPHRASE, new_passphrase
from direct311.retention.deliveries.handlers.delivering import delivery_in, package_in
from direct311.retention.deliveries.ports import Encryption
from direct311.retention.packages.handlers.seen import (
    at_desk,
    package_reader,
    sealed_package,
    seen,
    unlocked,
)
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.state import Change, Outgoing
from direct311.runtime.vault.pieces import PieceWriter
from direct311.runtime.vault.vault import DataKey

OPERATION: Final = "PUT /v1/cases/{case_id}/packages/{sha256}/delivery"


@dataclass(frozen=True, slots=True)
class Encrypted:
    """A delivery as it was made. `passphrase`: it exists only here, for whoever tells it to the
    recipient."""

    case: CaseFile
    delivery: Delivery
    passphrase: str | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.delivery.delivery_id})"


class Encrypting:
    """Only packages for law enforcement are encrypted to somebody."""

    def __init__(self, work: CaseWork, sealed: SealedDocuments, encryption: Encryption) -> None:
        self._work = work
        self._sealed = sealed
        self._encryption = encryption

    async def __call__(
        self, caller: Caller, case_id: str, sha256: str, key: str | None
    ) -> Encrypted:
        """Encrypt a package. The same key again changes nothing. Each call for a passphrase makes a
        new one, since the one before exists nowhere; whatever was encrypted before is void then.

        :param sha256: of the package.
        :param key: the recipient's public key; `None`: with a passphrase.
        :raises RefusedError: the caller's desk has no such case, its state does not allow it, the
            package is not the newest one, it has a receipt, or this is no key.
        :raises DeniedError: the rules refuse.
        :raises AuditUnavailableError: it could not be recorded; nothing was opened.
        """
        state, rules = await at_desk(self._work, caller, case_id)
        if key is not None:
            self._encryption.check(key)
        package = self._checked(state, sha256)
        known = state.deliveries.of(sha256)
        if key is not None and known is not None and known.key == key:
            return Encrypted(state, known)
        passphrase = new_passphrase() if key is None else None
        if passphrase is not None and package.size > LARGEST_WITH_PASSPHRASE:
            raise RefusedError("recipient_key", "It is too large for a passphrase.", field="key")
        delivery_id = self._work.ids.new()
        name = delivery_name(delivery_id)
        first = await sealed_package(self._sealed, state, package)
        async with unlocked(self._work, caller, state, "view", OPERATION, rules.desks) as data_key:
            writer = PieceWriter(data_key, name, partial(self._sealed.put, case_id))
            if key is not None:
                await self._to_key(data_key, case_id, package, first, writer, key)
            else:
                plain = await self._whole(data_key, case_id, package, first)
                made = await asyncio.to_thread(
                    self._encryption.with_passphrase, plain, passphrase or ""
                )
                await writer.write(made)
            await writer.finish()
        delivery = Delivery(
            delivery_id=delivery_id,
            package=sha256,
            key=key,
            sha256=writer.sha256,
            size=writer.size,
            encrypted_by=caller.sub,
            encrypted_at=self._work.clock.now(),
        )

        async def decide(current: CaseFile) -> Changed:
            self._checked(current, sha256)
            after = current.delivering(current.deliveries.with_delivery(delivery))
            step = after.recorded(
                rules,
                step="encrypted",
                actor=caller.sub,
                at=delivery.encrypted_at,
                codes=("key" if key else "passphrase",),
                hashes={"package": sha256, "delivery": delivery.sha256},
            )
            return Change(after, (Outgoing(step),))

        try:
            after = await self._work.change(case_id, decide)
        except RefusedError:
            await self._sealed.remove(case_id, f"{name}/")
            raise
        return Encrypted(after, delivery, passphrase)

    async def look(self, caller: Caller, case_id: str, sha256: str) -> Delivery:
        """To what a package is encrypted, for its desk and for those who approve and release it.
        Opens nothing.

        :raises RefusedError: there is no such case for this caller, or the package is not
            encrypted.
        """
        state, _ = await seen(self._work, caller, case_id)
        return delivery_in(state, sha256)

    def _checked(self, state: CaseFile, sha256: str) -> BuiltPackage:
        check_open(state)
        check_unopposed(state)
        if state.kind != "law_enforcement":
            raise RefusedError("case_kind", "Only a package for law enforcement is encrypted.")
        package = package_in(state, sha256)
        if state.state == "receipted":
            raise RefusedError("case_state", "The recipient has given a receipt.")
        if len(state.deliveries.list) >= MOST_DELIVERIES:
            raise RefusedError("full", f"A case has at most {MOST_DELIVERIES} deliveries.")
        return package

    async def _whole(
        self, key: DataKey, case_id: str, package: BuiltPackage, first: bytes
    ) -> bytes:
        if package.build is None:
            return key.open(package.sealed_name, first)
        reader = package_reader(self._sealed, key, case_id, package.sealed_name, package.size)
        return b"".join([piece async for piece in reader.all(first)])

    async def _to_key(
        self,
        key: DataKey,
        case_id: str,
        package: BuiltPackage,
        first: bytes,
        writer: PieceWriter,
        recipient: str,
    ) -> None:
        """Encrypt while reading, in a thread that hands each piece back to this loop."""
        loop = asyncio.get_running_loop()

        def write(content: bytes) -> None:
            asyncio.run_coroutine_threadsafe(writer.write(content), loop).result()

        if package.build is None:
            plain: BinaryIO = io.BytesIO(key.open(package.sealed_name, first))
        else:
            reader = package_reader(self._sealed, key, case_id, package.sealed_name, package.size)
            plain = cast("BinaryIO", reader.file())
        out = cast("BinaryIO", _Out(write))
        await asyncio.to_thread(self._encryption.to_key, plain, out, recipient)


class _Out(io.RawIOBase):
    """A file that hands on what is written to it."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        super().__init__()
        self._write = write

    def writable(self) -> bool:
        return True

    def write(self, content: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        self._write(bytes(content))
        return len(content)
