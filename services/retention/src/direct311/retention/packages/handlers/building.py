"""Building: a package of all that was collected and has not gone out."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from hashlib import sha256
from typing import BinaryIO, Final, cast

from direct311.retention.case_file.packages import (
    MOST_PACKAGES,
    BuiltPackage,
    CollectedPart,
    build_name,
)
from direct311.retention.cases.domain import CaseFile
from direct311.retention.cases.ports import SealedDocuments
from direct311.retention.cases.work import (
    CaseWork,
    Changed,
    check_open,
    check_unopposed,
    check_version,
)
from direct311.retention.packages.domain.bag import PackageContent, log_rows, package
from direct311.retention.packages.domain.case_work import fees, search_log
from direct311.retention.packages.domain.courses import course_of
from direct311.retention.packages.domain.files import CollectedFile
from direct311.retention.packages.domain.letter import LetterFacts
from direct311.retention.packages.domain.parts import RecordPart
from direct311.retention.packages.domain.zip_form import LARGEST, MOST_ENTRIES, TooLargeError
from direct311.retention.packages.handlers.collecting import with_counts
from direct311.retention.packages.handlers.leak_check import LeakCheck
from direct311.retention.packages.handlers.proving import Proving
from direct311.retention.packages.handlers.seen import at_desk, package_reader, unlocked
from direct311.retention.packages.ports import (
    IdentifiedRecords,
    Notary,
    Papers,
)
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.messaging.state import Change, Outgoing
from direct311.runtime.storage.objects import MissingObjectError
from direct311.runtime.vault.pieces import PieceWriter
from direct311.runtime.vault.vault import DataKey, VaultError

OPERATION: Final = "POST /v1/cases/{case_id}/packages"


class Building:
    """Builds packages. The same parts give the same bytes, and so the same hash."""

    def __init__(
        self,
        work: CaseWork,
        records: IdentifiedRecords,
        sealed: SealedDocuments,
        papers: Papers,
        notary: Notary,
        check_leaks: LeakCheck,
        proving: Proving,
    ) -> None:
        self._work = work
        self._records = records
        self._sealed = sealed
        self._papers = papers
        self._notary = notary
        self._check_leaks = check_leaks
        self._proving = proving

    async def __call__(
        self,
        caller: Caller,
        authorization: str,
        case_id: str,
        version: int,
        *,
        partial: bool = False,
    ) -> CaseFile:
        """Build the package; may be repeated. The case's newest package is then this one.

        What was withheld is looked for in the finished package, before anybody approves it.

        :param authorization: the caller's bearer header, for which the owner gets a token of its
            own.
        :param version: the case's, as the caller has seen it.
        :param partial: also if not everything is collected.
        :raises RefusedError: the caller's desk has no such case, its state does not allow it,
            somebody has changed it, nothing is collected, or not everything and `partial` is not
            set; or the package has something that was withheld.
        :raises DeniedError: the rules refuse.
        :raises AuditUnavailableError: it could not be recorded; nothing was opened.
        """
        state, rules = await at_desk(self._work, caller, case_id)
        newest = state.packages.newest
        if newest is not None and (newest.built_by, newest.built_from) == (caller.sub, version):
            return state
        # What pinned a proof and was then killed is no change that the caller must have seen.
        current = state.packages.seen(version, state.version)
        self._check(state, current)
        pending = state.packages.pending
        remaining = state.packages.remaining(await self._records.of_case(case_id))
        if not pending:
            raise RefusedError("nothing_collected", "Nothing is collected that has not gone out.")
        if remaining and not partial:
            raise RefusedError(
                "not_collected", "Some records are not collected. Collect them, or release a part."
            )
        ciphertexts = [await self._ciphertext(case_id, each) for each in pending]
        proof = await self._proving.found(state, pending)
        build = self._work.ids.new()
        try:
            async with unlocked(self._work, caller, state, "view", OPERATION, rules.desks) as key:
                parts = [
                    _opened(key, part, sealed)
                    for part, sealed in zip(pending, ciphertexts, strict=True)
                ]
                proofs, current = await self._proving.pinned(key, case_id, current, proof)
                content = self._content(state, pending, parts, proofs, partial=bool(remaining))
                written = await self._written(key, case_id, build_name(build), content)
                reader = package_reader(self._sealed, key, case_id, build_name(build), written.size)
                checked = await self._check_leaks(
                    cast("BinaryIO", reader.file()), state, pending, parts, authorization
                )
            if checked.stopping:
                preparers = [each.collected_by for each in pending]
                raise await self._check_leaks.stop(
                    caller, case_id, current, checked.stopping, preparers
                )
        except Exception:
            await self._dropped(case_id, build)
            raise
        built = BuiltPackage(
            sha256=written.sha256,
            size=written.size,
            built_by=caller.sub,
            built_at=self._work.clock.now(),
            built_from=version,
            partial=bool(remaining),
            records=len(pending),
            withheld=sum(each.withheld for each in pending),
            build=build,
            cleared=checked.cleared,
        )

        decided = course_of(state.kind).decided

        async def decide(after: CaseFile) -> Changed:
            self._check(after, current)
            same = after.packages.newest
            if same is not None and same.sha256 == built.sha256 and after.state != decided:
                # Nothing has changed, so what was approved stays approved.
                return None
            for each in (decided, "packaged"):
                after = after if after.state == each else after.entering(each)
            recalled = after.packages.package(built.sha256)
            if recalled is not None and recalled.recalled_at is not None:
                # Who could fetch what was recalled does not get the same bytes by that.
                deliveries = after.deliveries.without(built.sha256, built.built_at)
                after = after.delivering(deliveries)
            after = after.packaging(after.packages.with_package(built))
            step = after.recorded(rules, step="packaged", actor=caller.sub, at=built.built_at)
            counts = {**step.counts, **built.counts}
            return Change(after, (Outgoing(with_counts(step, counts, {"package": built.sha256})),))

        try:
            found = await self._work.change(case_id, decide)
        except RefusedError:
            await self._dropped(case_id, build)
            raise
        if all(each.build != build for each in found.packages.packages):
            await self._dropped(case_id, build)
        return found

    async def _written(
        self, key: DataKey, case_id: str, name: str, content: PackageContent
    ) -> PieceWriter:
        """Write the package into the store, sealed piece by piece. It is never whole in memory, and
        never in clear on a disk.

        :raises RefusedError: it would be too large.
        """
        writer = PieceWriter(key, name, partial(self._sealed.put, case_id))
        writing = package(content)
        try:
            while (some := await asyncio.to_thread(next, writing, None)) is not None:
                if isinstance(some, CollectedFile):
                    async for piece in self._file(key, case_id, some):
                        await writer.write(piece)
                else:
                    await writer.write(some)
        except TooLargeError:
            raise RefusedError(
                "full", f"A package has at most {LARGEST:,} bytes and {MOST_ENTRIES:,} files."
            ) from None
        await writer.finish()
        return writer

    async def _file(self, key: DataKey, case_id: str, file: CollectedFile) -> AsyncIterator[bytes]:
        """The bytes of a collected file.

        :raises RefusedError: they are gone, or are not those that were collected.
        """
        digest = sha256()
        reader = package_reader(self._sealed, key, case_id, file.sealed_name, file.size)
        try:
            async for piece in reader.all():
                digest.update(piece)
                yield piece
        except (MissingObjectError, VaultError):
            raise _no_file() from None
        if digest.hexdigest() != file.sha256:
            raise _no_file()

    async def _dropped(self, case_id: str, build: str) -> None:
        """Remove the pieces of a package that no case file names. Those of a build that was killed
        are removed later (`sweeping`)."""
        with contextlib.suppress(TransientError):
            await self._sealed.remove(case_id, f"{build_name(build)}/")

    def _check(self, state: CaseFile, version: int) -> None:
        check_open(state)
        check_version(state, version)
        check_unopposed(state)
        if state.state not in course_of(state.kind).packaging:
            raise RefusedError("case_state", "The state of the case does not allow this.")
        if len(state.packages.packages) >= MOST_PACKAGES:
            raise RefusedError("full", f"A case has at most {MOST_PACKAGES} packages.")

    async def _ciphertext(self, case_id: str, part: CollectedPart) -> bytes:
        try:
            return await self._sealed.get(case_id, part.sealed_name)
        except MissingObjectError:
            raise RefusedError("not_readable", "A collected record no longer exists.") from None

    def _content(
        self,
        state: CaseFile,
        pending: tuple[CollectedPart, ...],
        parts: list[RecordPart],
        proofs: bytes,
        *,
        partial: bool,
    ) -> PackageContent:
        if state.received_at is None:
            raise ValueError("a case that was never received")
        received_on = state.received_at.date()
        rows = log_rows(parts)
        facts = LetterFacts(
            kind=state.kind or "public_records",
            case_id=state.record_id,
            received_on=received_on,
            records=len(parts),
            partial=partial,
            citations=Counter(str(row["citation"]) for row in rows),
            files=Counter(file.outcome for each in parts for file in each.files),
        )
        decided = [each.decided_at for each in pending if each.decided_at is not None]
        return PackageContent(
            case_id=state.record_id,
            organization=self._papers.organization,
            # The same decisions give the same day. Without any, this one never changes.
            last_decided_on=max(decided).date() if decided else received_on,
            parts=parts,
            letter=self._papers.letter(facts),
            exemption_log_pdf=self._papers.exemption_log(state.record_id, rows),
            search_log=search_log(state),
            fees=fees(state),
            proofs=proofs,
            sign=self._notary.sign,
        )


def _no_file() -> RefusedError:
    return RefusedError(
        "not_readable", "A collected file is not as it was collected. Collect it again."
    )


def _opened(key: DataKey, part: CollectedPart, sealed: bytes) -> RecordPart:
    return RecordPart.read(key.open(part.sealed_name, sealed))
