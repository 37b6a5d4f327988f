"""A checkpoint is published once it is cosigned.

The log grows without waiting for anybody. Its promise to the outside is a published checkpoint:
signed by the log, and cosigned by a quorum of witnesses that other parties run and that each cosign
only one history (c2sp.org/tlog-witness). Proofs, bundles and the hourly checkpoint rest on it, so
that anybody who has one knows that everybody else sees the same log. With too few witnesses
available, entries are still accepted and can be read, but the published checkpoint does not move;
an alarm says so.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from direct311.audit.alarms.ports import Alarms
from direct311.audit.log.handlers.files import LogFiles
from direct311.audit.log.handlers.log_keys import LogKeys, NoLogKeyError
from direct311.audit.log.ports.log import Head, Log
from direct311.audit.log.ports.publication import (
    NotPublishedError,
    Publication,
    Publications,
    Witness,
    WitnessConflictError,
    WitnessRefusedError,
    WitnessSilentError,
)
from direct311.runtime.clock import Clock
from direct311.verifier.checkpoint import Checkpoint, Trust, verify_checkpoint
from direct311.verifier.entry import Entry
from direct311.verifier.note import (
    Note,
    NoteError,
    Signature,
    Signer,
    VerifierKey,
)
from direct311.verifier.policy import Policy
from direct311.verifier.submission import Submission
from direct311.verifier.tiles import ENTRIES, WIDTH, Tile, split_entries

NOT_PROVED = 422
"""A witness's status for a proof that does not lead from the tree it knows to the new one."""


def sign_head(head: Head, keys: LogKeys, at: datetime) -> Note:
    """The head, signed by the log's keys in force. :raises NoLogKeyError: none is."""
    return Checkpoint(keys.origin, head.size, head.root).sign(keys.in_force(at))


class Unwitnessed:
    """`Published` without a policy that requires witnesses: every head is published as it is."""

    def __init__(self, log: Log, keys: LogKeys, clock: Clock) -> None:
        self._log = log
        self._keys = keys
        self._clock = clock

    async def current(self) -> Publication:
        head, at = await self._log.head(), self._clock.now()
        return Publication(head, str(sign_head(head, self._keys, at)), at)

    async def covering(self, size: int) -> Publication:
        return await self.current()


class Witnessed:
    """`Published` if a quorum of witnesses must cosign.

    `patience` is shorter than callers wait for an answer (5 s in `runtime.peers`).
    """

    def __init__(
        self,
        publications: Publications,
        *,
        patience: timedelta = timedelta(seconds=4),
        pause: timedelta = timedelta(seconds=0.1),
    ) -> None:
        self._publications = publications
        self._patience = patience
        self._pause = pause

    async def current(self) -> Publication:
        latest = await self._publications.latest()
        if latest is None:
            raise NotPublishedError
        return latest

    async def covering(self, size: int) -> Publication:
        deadline = asyncio.get_running_loop().time() + self._patience.total_seconds()
        while True:
            latest = await self._publications.latest()
            if latest is not None and latest.head.size >= size:
                return latest
            if asyncio.get_running_loop().time() > deadline:
                return await self.current()
            await asyncio.sleep(self._pause.total_seconds())


class Publisher:
    """Gets the head cosigned and publishes it. Run one at a time, by lease; two at a time publish
    the same, and never a smaller tree after a larger one."""

    STRAGGLERS = 0.1
    """How many seconds further witnesses get once the quorum is reached."""
    LONGEST_ASK = 5.0
    """How many seconds one witness gets in a step, including the time to make its proof."""

    def __init__(
        self,
        log: Log,
        files: LogFiles,
        publications: Publications,
        witnesses: Sequence[Witness],
        policy: Policy,
        keys: LogKeys,
        alarms: Alarms,
        clock: Clock,
        *,
        patience: timedelta = timedelta(seconds=60),
        answered: Callable[[str, str], None] = lambda witness, how: None,
    ) -> None:
        """`answered` is called for every answer with the witness's name and `cosigned`, `conflict`,
        `refused`, `silent` or `unreadable` (also used for any other failure)."""
        self._log = log
        self._files = files
        self._publications = publications
        self._witnesses = witnesses
        self._policy = policy
        self._keys = keys
        self._alarms = alarms
        self._clock = clock
        self._patience = patience
        self._answered = answered
        self._remembered: dict[str, int] = {}
        """The size that each witness last cosigned, as far as is known here."""

    async def step(self) -> None:
        """Publish the head if it is new and the quorum cosigns it; raise an alarm if entries have
        waited too long for that, for whatever reason."""
        try:
            shortfall = await self._publish()
        except Exception as error:
            # The alarm may fail for the same reason; the caller gets that reason.
            with contextlib.suppress(Exception):
                await self._warn(f"publishing failed: {type(error).__name__}")
            raise
        if shortfall is not None:
            await self._warn(shortfall)

    async def _publish(self) -> str | None:
        """What is missing if the head is new and cannot be published."""
        head, latest = await self._log.head(), await self._publications.latest()
        at = self._clock.now()
        try:
            signers = self._keys.in_force(at)
        except NoLogKeyError as error:
            return str(error)
        if latest is not None and not _is_news(head, signers, latest):
            return None
        note = sign_head(head, self._keys, at)
        lines = await self._cosignatures(note, head)
        cosigned = Note(note.text, (*note.signatures, *lines))
        trust = Trust(
            tuple(each.key for each in signers), self._policy.trust.witnesses, self._policy.quorum
        )
        try:
            verify_checkpoint(str(cosigned), trust)
        except NoteError as shortfall:
            return str(shortfall)
        if await self._publications.keep(Publication(head, str(cosigned), self._clock.now())):
            return None
        return "a larger checkpoint, or another of the same size, is published"

    async def waiting(self) -> timedelta:
        """How long the oldest entry above the published checkpoint has been in the log."""
        latest = await self._publications.latest()
        return await self._above(latest.head.size if latest else 0)

    async def _above(self, size: int) -> timedelta:
        head = await self._log.head()
        if size >= head.size:
            return timedelta()
        bundle = await self._files.read(Tile(ENTRIES, size // WIDTH, size % WIDTH + 1), head)
        first = Entry.parse(split_entries(bundle)[-1])
        return self._clock.now() - first.logged_at

    async def _warn(self, shortfall: str) -> None:
        """Once for each outage: the published size stays the same as long as it lasts."""
        latest = await self._publications.latest()
        size = latest.head.size if latest else 0
        if await self._above(size) > self._patience:
            await self._alarms.raise_alarm(
                "checkpoint_age", f"{self._keys.origin} {size}", shortfall
            )

    # --- witnesses

    async def _cosignatures(self, note: Note, head: Head) -> list[Signature]:
        """The cosignatures of witnesses that answer until the quorum is reached and shortly after,
        in policy order."""
        asked = [
            asyncio.create_task(self._cosignature(each, note, head)) for each in self._witnesses
        ]
        pending = set(asked)
        found: dict[VerifierKey, Signature] = {}
        try:
            while pending:
                enough = self._policy.quorum.reached(found)
                done, pending = await asyncio.wait(
                    pending,
                    timeout=self.STRAGGLERS if enough else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if not done:
                    break
                for witness, task in zip(self._witnesses, asked, strict=True):
                    # A client whose server is down may also cancel itself.
                    if task not in done or task.cancelled():
                        continue
                    if (line := task.result()) is not None:
                        found[witness.key] = line
        finally:
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
        return [found[each.key] for each in self._witnesses if each.key in found]

    async def _cosignature(self, witness: Witness, note: Note, head: Head) -> Signature | None:
        """One witness's cosignature, if it arrives in time. An error affects no other witness."""
        try:
            async with asyncio.timeout(self.LONGEST_ASK):
                return await self._ask(witness, note, head)
        except TimeoutError:
            self._answered(witness.name, "silent")
        except Exception:
            self._answered(witness.name, "unreadable")
        return None

    async def _ask(self, witness: Witness, note: Note, head: Head) -> Signature | None:
        """One witness's cosignature, if it gives one."""
        old = self._remembered.get(witness.name, 0)
        # A witness that remembers a different size says which, and is asked again.
        for _ in range(2):
            if old > head.size:
                # It may have cosigned what another copy of this service submitted since.
                if old > (await self._log.head()).size:
                    await self._contradicted(witness, old)
                return None
            proof = await self._files.consistency(old, head.size, head)
            try:
                lines = await witness.add_checkpoint(Submission(old, tuple(proof), note))
            except WitnessConflictError as conflict:
                self._answered(witness.name, "conflict")
                if conflict.size == old == head.size:
                    await self._contradicted(witness, old)
                    return None
                old = self._remembered[witness.name] = conflict.size
            except WitnessRefusedError as refusal:
                self._answered(witness.name, "refused")
                if refusal.status == NOT_PROVED:
                    await self._contradicted(witness, old)
                return None
            except WitnessSilentError:
                self._answered(witness.name, "silent")
                return None
            else:
                self._remembered[witness.name] = head.size
                line = _line(note, lines, witness.key)
                self._answered(witness.name, "cosigned" if line else "unreadable")
                return line
        return None

    async def _contradicted(self, witness: Witness, size: int) -> None:
        """The witness has cosigned a tree of `size` entries that is not the beginning of this one:
        the log has two histories, or was set back."""
        await self._alarms.raise_alarm(
            "forked_view",
            f"{witness.key.name} {size}",
            "a witness has cosigned a tree that is not the beginning of the log",
        )


def _is_news(head: Head, signers: Sequence[Signer], latest: Publication) -> bool:
    """Larger, or under other keys of the log."""
    if head.size != latest.head.size:
        return head.size > latest.head.size
    signed = {(line.name, line.key_id) for line in Note.parse(latest.note).signatures}
    return any((each.key.name, each.key.key_id) not in signed for each in signers)


def _line(note: Note, lines: str, key: VerifierKey) -> Signature | None:
    """The line of a witness's answer under `key`, if it verifies; other lines do not matter.

    An answer with an empty line would be read as part of the note's text.
    """
    try:
        answer = Note.parse(f"{note.text}\n{lines}")
        answer.verify([key])
    except NoteError:
        return None
    if answer.text != note.text:
        return None
    return next(
        each for each in answer.signatures if (each.name, each.key_id) == (key.name, key.key_id)
    )
