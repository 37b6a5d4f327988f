"""Whether a checkpoint is cosigned: c2sp.org/tlog-witness, add-checkpoint.

A cosignature says that its tree begins with every tree of that log which was cosigned before. So
the new head is remembered before it is signed, in one step with the question whether the head that
it was compared with is still the latest: of two requests that overlap one is told 409. Killed
between the two, a witness has remembered what it did not sign; the log asks again from there.
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
    """`text`: signature lines with 200, the size that was cosigned last with 409, else the reason.

    `contradiction` says that the log itself signed what cannot be, or seems so: its text is worth
    keeping.
    """

    status: HTTPStatus
    text: str
    contradiction: str | None = None


class Heads(Protocol):
    """`Memory`, as it is used here."""

    def latest(self, origin: str) -> Head: ...

    def advance(self, origin: str, old: Head, new: Head, note: str) -> bool: ...


class Witness:
    """Cosigns for the logs of `log_keys`: a key's name is the log's origin, and a log that
    exchanges its key has several."""

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
        """Answer one request. Blocks until what was cosigned is on the disk."""
        try:
            submission = Submission.parse(body.decode())
            checkpoint = Checkpoint.parse(submission.note.text)
        except (UnicodeDecodeError, MalformedSubmissionError, NoteError):
            return _refused(HTTPStatus.BAD_REQUEST, "the request is not as c2sp.org/tlog-witness")
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
        # Between the comparison and the note of it, so that at this time `old` was the latest.
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
