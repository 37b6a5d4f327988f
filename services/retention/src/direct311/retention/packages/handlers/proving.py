"""The proof in a package that the entries of its case are in the audit log.

The log grows all the time, so another day gives another proof. The first build of what was
collected fetches one and pins it: it is sealed in the store, and the case file names it by its
hash. Every further build of the same takes that one, so that the same decisions give the same
bytes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from direct311.retention.case_file.packages import CollectedPart, PinnedProof
from direct311.retention.cases.domain import CaseFile
from direct311.retention.cases.ports import SealedDocuments
from direct311.retention.cases.work import CaseWork, Changed, check_version
from direct311.retention.packages.ports import Proofs
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.state import Change
from direct311.runtime.storage.objects import MissingObjectError
from direct311.runtime.vault.vault import DataKey


@dataclass(frozen=True, slots=True)
class FoundProof:
    """A proof, and how the case file names it. `sealed`: its ciphertext, if it was pinned before;
    then `plain` is empty."""

    pin: PinnedProof
    plain: bytes = b""
    sealed: bytes = b""


class Proving:
    """Fetches, pins and opens the proofs of cases."""

    def __init__(self, work: CaseWork, proofs: Proofs, sealed: SealedDocuments) -> None:
        self._work = work
        self._proofs = proofs
        self._sealed = sealed

    async def found(self, state: CaseFile, pending: Sequence[CollectedPart]) -> FoundProof:
        """The proof that is pinned for what is pending, or a new one.

        :raises RefusedError: audit does not answer, or the pinned one is gone.
        """
        what = what_is_built(pending)
        pinned = state.packages.proof
        if pinned is None or pinned.of != what:
            plain = await self._proofs.bundle(state.record_id)
            pin = PinnedProof(
                of=what,
                sha256=sha256(plain).hexdigest(),
                size=len(plain),
                pinned_from=state.version,
            )
            return FoundProof(pin, plain=plain)
        try:
            sealed = await self._sealed.get(state.record_id, pinned.sealed_name)
        except MissingObjectError:
            raise RefusedError("not_readable", "The pinned proof no longer exists.") from None
        return FoundProof(pinned, sealed=sealed)

    async def pinned(
        self, key: DataKey, case_id: str, version: int, found: FoundProof
    ) -> tuple[bytes, int]:
        """The bytes of the proof, once it is pinned, and the version of the case then. It is pinned
        before anything is built with it, so that after a kill the same is built.

        :param version: the case's, from which it is built.
        :raises RefusedError: somebody else has changed the case.
        """
        name = found.pin.sealed_name
        if found.sealed:
            return key.open(name, found.sealed), version
        await self._sealed.put(case_id, name, key.seal(name, found.plain))

        async def decide(state: CaseFile) -> Changed:
            if state.packages.proof == found.pin:
                return None
            check_version(state, version)
            return Change(state.packaging(state.packages.proved_by(found.pin)))

        return found.plain, (await self._work.change(case_id, decide)).version


def what_is_built(pending: Sequence[CollectedPart]) -> str:
    """SHA-256 (hex) of what a build is made of: each record with its decisions."""
    said = [[each.record_id, each.version, each.decisions, each.sha256] for each in pending]
    return sha256(json.dumps(said, separators=(",", ":")).encode()).hexdigest()
