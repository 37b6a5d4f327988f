"""Decides whether to cosign a checkpoint: c2sp.org/tlog-witness, add-checkpoint.

A cosignature says that the tree begins with every tree of that log that this witness cosigned
before. So the witness stores the new head before it signs it, and in the same step checks that the
head it compared with is still the latest: of two overlapping requests, one gets 409. A witness that
is killed between storing and signing has stored a head it did not sign; the log asks again from
there.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Protocol

from direct311.verifier.checkpoint import Checkpoint
from direct311.verifier.merkle import ProofError, verify_consistency
from direct311.verifier.note import Cosigner, NoteError, VerifierKey
from direct311.verifier.submission import MalformedSubmissionError, Submission
from direct311.witness.memory import Head


@dataclass(frozen=True, slots=True)
class Answer:
    """`text`: the signature lines with 200, the last cosigned size with 409, otherwise the reason.

    `contradiction` means that the log itself signed something impossible, or seems to have: keep
    its text.
    """

    status: HTTPStatus
    text: str
    contradiction: str | None = None


class Heads(Protocol):
    """The part of `Memory` that this module uses."""

    def latest(self, origin: str) -> Head: ...

    def advance(self, origin: str, old: Head, new: Head, note: str) -> bool: ...


class Witness:
    """Cosigns for the logs in `log_keys`. A key's name is the log's origin; a log that is changing
    its key has several."""

    def __init__(
        self,
        log_keys: Iterable[VerifierKey],
        cosigner: Cosigner,
        heads: Heads,
        now: Callable[[], datetime],
    ) -> None:
        self._keys: dict[str, list[VerifierKey]] = defaultdict(list)
        for key in log_keys:
            self._keys[key.name].append(key)
        self._cosigner = cosigner
        self._heads = heads
        self._now = now

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer one request. Blocks until the cosigned head is on disk."""
        try:
            submission = Submission.parse(body.decode())
            checkpoint = Checkpoint.parse(submission.note.text)
        except (UnicodeDecodeError, MalformedSubmissionError, NoteError):
            return _refused(
                HTTPStatus.BAD_REQUEST, "the request does not follow c2sp.org/tlog-witness"
            )
        keys = self._keys.get(checkpoint.origin)
        if keys is None:
            return _refused(HTTPStatus.NOT_FOUND, "this log is not known here")
        try:
            submission.note.verify(keys)
        except NoteError as error:
            return _refused(HTTPStatus.FORBIDDEN, str(error))
        if submission.old > checkpoint.size:
            return _refused(HTTPStatus.BAD_REQUEST, "the old size is above the checkpoint's")
        return self._compared(submission, checkpoint)

    def _compared(self, submission: Submission, checkpoint: Checkpoint) -> Answer:
        origin, old = checkpoint.origin, self._heads.latest(checkpoint.origin)
        new = Head(checkpoint.size, checkpoint.root)
        if submission.old != old.size:
            return _conflict(old)
        note = str(submission.note)
        if new.size == old.size and new.root != old.root:
            if not new.size:
                return _unproved("the root of an empty tree is another", note)
            return _conflict(old, note)
        try:
            verify_consistency(old.size, new.size, submission.proof, old.root, new.root)
        except ProofError as error:
            return _unproved(str(error), note)
        # Take the time between comparing and storing, so that `old` was the latest at that time.
        at = self._now()
        if not self._heads.advance(origin, old, new, note):
            return _conflict(self._heads.latest(origin))
        return Answer(HTTPStatus.OK, str(self._cosigner.sign(submission.note.text, at)))


def _refused(status: HTTPStatus, why: str) -> Answer:
    return Answer(status, f"{why}\n")


def _conflict(latest: Head, contradiction: str | None = None) -> Answer:
    return Answer(HTTPStatus.CONFLICT, f"{latest.size}\n", contradiction)


def _unproved(why: str, note: str) -> Answer:
    return Answer(HTTPStatus.UNPROCESSABLE_ENTITY, f"{why}\n", note)
