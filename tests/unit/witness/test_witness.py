"""What a witness answers, status by status, and what it never does."""

import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from direct311.verifier.checkpoint import Checkpoint
from direct311.verifier.note import Note, Signer
from direct311.verifier.submission import MalformedSubmissionError, Submission
from direct311.witness.memory import _TABLE, ForgottenError, Head, Memory
from direct311.witness.witness import Answer, Witness
from tests.support.audit_log import LOG_SIGNER, ORIGIN, private_key
from tests.support.witnesses import AT, COSIGNER, History

SUCCESSOR = Signer(ORIGIN, private_key("successor"))
STRANGER = Signer(ORIGIN, private_key("stranger"))
OTHER_LOG = Signer("example.org/log", private_key("other log"))
TRUE = History(40)
FALSE = History(40, "false", forked_at=10)


def witness_of(memory: Memory) -> Witness:
    return Witness([LOG_SIGNER.key, SUCCESSOR.key, OTHER_LOG.key], COSIGNER, memory, lambda: AT)


def memory_at(path: Path) -> Memory:
    return Memory(path, [ORIGIN, OTHER_LOG.key.name], begin=True)


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return memory_at(tmp_path / "memory")


@pytest.fixture
def witness(memory: Memory) -> Witness:
    return witness_of(memory)


def ask(witness: Witness, submission: Submission) -> Answer:
    return witness.add_checkpoint(str(submission).encode())


def is_cosigned(answer: Answer, submission: Submission) -> bool:
    """Whether the answer's lines, behind the checkpoint's own, verify under the witness's key."""
    note = Note.parse(f"{submission.note}{answer.text}")
    return note.verify([COSIGNER.key]) == {COSIGNER.key: AT}


def test_a_log_that_grows_is_cosigned(witness: Witness, memory: Memory) -> None:
    old = 0
    for size in (0, 0, 1, 7, 8, 8, 40):
        submission = TRUE.submission(old, size)
        answer = ask(witness, submission)
        assert answer.status == HTTPStatus.OK
        assert is_cosigned(answer, submission)
        assert memory.latest(ORIGIN) == Head(size, TRUE.root(size))
        old = size


def test_either_key_of_a_log_that_exchanges_its_key_will_do(witness: Witness) -> None:
    assert ask(witness, TRUE.submission(0, 5, LOG_SIGNER)).status == HTTPStatus.OK
    both = TRUE.checkpoint(6).sign([LOG_SIGNER, SUCCESSOR])
    assert ask(witness, Submission(5, TRUE.proof(5, 6), both)).status == HTTPStatus.OK
    assert ask(witness, TRUE.submission(6, 9, SUCCESSOR)).status == HTTPStatus.OK


def test_logs_are_remembered_apart(witness: Witness, memory: Memory) -> None:
    assert ask(witness, TRUE.submission(0, 5)).status == HTTPStatus.OK
    note = FALSE.checkpoint(20, OTHER_LOG.key.name).sign([OTHER_LOG])
    assert ask(witness, Submission(0, (), note)).status == HTTPStatus.OK
    assert memory.latest(ORIGIN).size == 5


def malformed() -> list[bytes]:
    good = str(TRUE.submission(3, 9))
    note = str(TRUE.checkpoint(9).sign([LOG_SIGNER]))
    return [
        b"",
        b"\xff",
        note.encode(),
        good.replace("old 3", "old 03").encode(),
        good.replace("old 3", "old -3").encode(),
        good.replace("old 3", "old \u0663").encode(),
        good.replace("old 3", "old").encode(),
        good.replace("old 3", "old " + "9" * 5_000).encode(),
        good.replace("old 3\n", "").encode(),
        good.replace("old 3\n", "old 3\nAAAA\n").encode(),
        good.replace("old 3\n", "old 3\n" + 60 * (good.split("\n")[1] + "\n")).encode(),
        good.rstrip("\n").encode(),
        f"old 0\n\n{note}".replace("\n9\n", "\n09\n").encode(),
        str(
            Submission(0, (), Note("no checkpoint\n", TRUE.submission(0, 9).note.signatures))
        ).encode(),
    ]


@pytest.mark.parametrize("body", malformed(), ids=range(len(malformed())))
def test_400_for_what_is_no_request(witness: Witness, memory: Memory, body: bytes) -> None:
    assert witness.add_checkpoint(body).status == HTTPStatus.BAD_REQUEST
    assert memory.latest(ORIGIN) == Head()


def test_400_for_an_old_size_above_the_checkpoints(witness: Witness) -> None:
    assert ask(witness, TRUE.submission(0, 9)).status == HTTPStatus.OK
    above = replace(TRUE.submission(0, 8), old=9)
    assert ask(witness, above).status == HTTPStatus.BAD_REQUEST


def test_403_without_a_signature_of_a_trusted_key(witness: Witness, memory: Memory) -> None:
    genuine = TRUE.submission(0, 9)
    grown = Note(TRUE.checkpoint(10).text, genuine.note.signatures)
    renamed = Note(genuine.note.text, (OTHER_LOG.sign(genuine.note.text),))
    for submission in (
        TRUE.submission(0, 9, STRANGER),
        replace(genuine, note=grown),
        replace(genuine, note=renamed),
    ):
        assert ask(witness, submission).status == HTTPStatus.FORBIDDEN
    assert memory.latest(ORIGIN) == Head()
    # Signatures of unknown keys beside a known one are ignored.
    both = TRUE.checkpoint(9).sign([STRANGER, LOG_SIGNER])
    assert ask(witness, replace(genuine, note=both)).status == HTTPStatus.OK


def test_404_for_an_unknown_log(witness: Witness) -> None:
    unknown = Signer("example.org/unknown", private_key("log"))
    note = Checkpoint("example.org/unknown", 9, bytes(32)).sign([unknown])
    assert ask(witness, Submission(0, (), note)).status == HTTPStatus.NOT_FOUND


def test_409_with_the_size_that_was_cosigned_last(witness: Witness, memory: Memory) -> None:
    early = ask(witness, TRUE.submission(3, 9))
    assert (early.status, early.text) == (HTTPStatus.CONFLICT, "0\n")
    assert ask(witness, TRUE.submission(0, 9)).status == HTTPStatus.OK
    for old, size in ((0, 20), (8, 20), (0, 4), (10, 20), (0, 9)):
        answer = ask(witness, TRUE.submission(old, size))
        assert (answer.status, answer.text) == (HTTPStatus.CONFLICT, "9\n")
        assert answer.contradiction is None
    assert memory.latest(ORIGIN) == Head(9, TRUE.root(9))


def test_409_for_another_tree_of_the_same_size(witness: Witness, memory: Memory) -> None:
    assert ask(witness, TRUE.submission(0, 20)).status == HTTPStatus.OK
    forked = FALSE.submission(20, 20)
    answer = ask(witness, forked)
    assert (answer.status, answer.text) == (HTTPStatus.CONFLICT, "20\n")
    assert answer.contradiction == str(forked.note)
    assert memory.latest(ORIGIN) == Head(20, TRUE.root(20))


def test_422_where_the_new_tree_does_not_begin_with_the_old(
    witness: Witness, memory: Memory
) -> None:
    assert ask(witness, TRUE.submission(0, 20)).status == HTTPStatus.OK
    good = TRUE.submission(20, 30)
    for bad in (
        FALSE.submission(20, 30),
        replace(good, proof=()),
        replace(good, proof=good.proof[:-1]),
        replace(good, proof=(*good.proof, bytes(32))),
        replace(good, proof=good.proof[::-1]),
        replace(TRUE.submission(20, 20), proof=(bytes(32),)),
    ):
        answer = ask(witness, bad)
        assert answer.status == HTTPStatus.UNPROCESSABLE_ENTITY
        assert answer.contradiction == str(bad.note)
    assert memory.latest(ORIGIN) == Head(20, TRUE.root(20))


def test_422_for_a_proof_from_nothing_and_for_an_empty_tree_with_a_root(witness: Witness) -> None:
    proved = replace(TRUE.submission(0, 9), proof=(bytes(32),))
    assert ask(witness, proved).status == HTTPStatus.UNPROCESSABLE_ENTITY
    rooted = Checkpoint(ORIGIN, 0, bytes(32)).sign([LOG_SIGNER])
    assert ask(witness, Submission(0, (), rooted)).status == HTTPStatus.UNPROCESSABLE_ENTITY


@given(st.integers(0, 40), st.integers(0, 40))
def test_a_submission_survives_its_text(old: int, size: int) -> None:
    if old > size:
        with pytest.raises(MalformedSubmissionError):
            Submission.parse(str(TRUE.submission(0, old))[:-1])
        return
    submission = TRUE.submission(old, size)
    assert Submission.parse(str(submission)) == submission


def test_of_requests_that_overlap_one_wins(tmp_path: Path) -> None:
    """Every round, eight at once ask to go from the same size to different trees, on two
    connections to one memory as two processes would have them."""
    rivals = [TRUE, *(History(40, f"rival {number}", forked_at=1) for number in range(7))]
    with ThreadPoolExecutor(8) as pool:
        for round_ in range(20):
            path = tmp_path / f"memory {round_}"
            memories = [memory_at(path) for _ in range(2)]
            witnesses = [witness_of(memory) for memory in memories]
            assert ask(witnesses[0], TRUE.submission(0, 1)).status == HTTPStatus.OK
            together = threading.Barrier(8)

            def race(
                number: int,
                together: threading.Barrier = together,
                witnesses: list[Witness] = witnesses,
            ) -> HTTPStatus:
                together.wait()
                return ask(witnesses[number % 2], rivals[number].submission(1, 2 + number)).status

            statuses = list(pool.map(race, range(8)))
            assert sorted(statuses) == [HTTPStatus.OK, *7 * [HTTPStatus.CONFLICT]]
            winner = statuses.index(HTTPStatus.OK)
            expected = Head(2 + winner, rivals[winner].root(2 + winner))
            assert memories[0].latest(ORIGIN) == memories[1].latest(ORIGIN) == expected
            for memory in memories:
                memory.close()


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.unit.witness.test_witness import TRUE, ask, memory_at, witness_of
from tests.support.witnesses import COSIGNER

def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)

COSIGNER.sign = killed
ask(witness_of(memory_at(Path(sys.argv[1]))), TRUE.submission(0, 20))
"""


def test_killed_between_remembering_and_answering_it_stands_by_what_it_remembered(
    tmp_path: Path,
) -> None:
    path = tmp_path / "memory"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)], cwd=Path(__file__).parents[3], check=False
    )
    assert done.returncode == -signal.SIGKILL
    memory = Memory(path, [ORIGIN])
    assert memory.latest(ORIGIN) == Head(20, TRUE.root(20))
    witness = witness_of(memory)
    # It gave no cosignature, and still no other history of that size gets one.
    assert ask(witness, FALSE.submission(0, 20)).text == "20\n"
    assert ask(witness, FALSE.submission(20, 20)).status == HTTPStatus.CONFLICT
    assert ask(witness, FALSE.submission(20, 30)).status == HTTPStatus.UNPROCESSABLE_ENTITY
    # The log asks again, from the size that the answer names.
    assert ask(witness, TRUE.submission(20, 20)).status == HTTPStatus.OK


def test_what_was_remembered_is_there_after_a_restart(tmp_path: Path) -> None:
    memory = memory_at(tmp_path / "memory")
    assert ask(witness_of(memory), TRUE.submission(0, 20)).status == HTTPStatus.OK
    memory.close()
    memory = memory_at(tmp_path / "memory")
    assert memory.latest(ORIGIN) == Head(20, TRUE.root(20))
    assert ask(witness_of(memory), FALSE.submission(20, 21)).status == 422


def test_a_witness_that_has_forgotten_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ForgottenError):
        Memory(tmp_path / "memory", [ORIGIN])
    assert not (tmp_path / "memory").exists()


@pytest.mark.parametrize(
    "statements",
    [(), ("CREATE TABLE another (x)",), (_TABLE,), (_TABLE, "PRAGMA journal_mode=WAL")],
    ids=["no page", "no table", "no row", "no row, WAL"],
)
def test_a_file_that_holds_no_log_is_no_memory(tmp_path: Path, statements: Sequence[str]) -> None:
    path = tmp_path / "memory"
    path.touch()
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(ForgottenError, match="memory holds no record"):
            Memory(path, [ORIGIN])
        assert path.read_bytes() == before
    # A key that is new may begin where an earlier start came no further.
    Memory(path, [ORIGIN], begin=True).close()
    memory = Memory(path, [ORIGIN])
    assert memory.latest(ORIGIN) == Head()
    memory.close()


def test_a_file_of_another_kind_is_no_memory(tmp_path: Path) -> None:
    (tmp_path / "memory").write_bytes(1_000 * b"x")
    with pytest.raises(ForgottenError):
        Memory(tmp_path / "memory", [ORIGIN])


def test_a_memory_that_was_emptied_while_it_was_away_is_none(tmp_path: Path) -> None:
    memory = memory_at(tmp_path / "memory")
    assert ask(witness_of(memory), TRUE.submission(0, 20)).status == HTTPStatus.OK
    memory.close()
    (tmp_path / "memory").write_bytes(b"")
    with pytest.raises(ForgottenError):
        Memory(tmp_path / "memory", [ORIGIN])


def test_a_first_start_that_fails_in_the_middle_leaves_no_memory(tmp_path: Path) -> None:
    def origins() -> Iterator[str]:
        yield ORIGIN
        raise OSError("killed")

    with pytest.raises(OSError, match="killed"):
        Memory(tmp_path / "memory", origins(), begin=True)
    with pytest.raises(ForgottenError):
        Memory(tmp_path / "memory", [ORIGIN])


def test_a_log_that_is_new_to_a_memory_begins_without_being_told(tmp_path: Path) -> None:
    memory = memory_at(tmp_path / "memory")
    assert ask(witness_of(memory), TRUE.submission(0, 20)).status == HTTPStatus.OK
    memory.close()
    memory = Memory(tmp_path / "memory", [ORIGIN, "example.org/third"])
    assert memory.latest("example.org/third") == Head()
    assert memory.latest(ORIGIN) == Head(20, TRUE.root(20))
    memory.close()


def test_a_commit_waits_for_the_disk(memory: Memory) -> None:
    """`synchronous` 2 is FULL; WAL with it syncs at each commit."""
    database: sqlite3.Connection = memory._database
    assert database.execute("PRAGMA synchronous").fetchone() == (2,)
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


class Conspiracy(RuleBasedStateMachine):
    """A log that signs two histories and submits whatever it likes, in whatever order, across
    restarts; whatever was cosigned lies on one line."""

    histories = (TRUE, FALSE, History(40, "third", forked_at=3))

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.cosigned: dict[int, bytes] = {}
        self.start()

    def start(self) -> None:
        self.memory = memory_at(Path(self.folder.name) / "memory")
        self.witness = witness_of(self.memory)

    def teardown(self) -> None:
        self.memory.close()
        self.folder.cleanup()

    @rule()
    def restart(self) -> None:
        self.memory.close()
        self.start()

    def submit(self, submission: Submission) -> None:
        answer = ask(self.witness, submission)
        if answer.status == HTTPStatus.OK:
            assert is_cosigned(answer, submission)
            checkpoint = Checkpoint.parse(submission.note.text)
            self.cosigned.setdefault(checkpoint.size, checkpoint.root)
            assert self.cosigned[checkpoint.size] == checkpoint.root
            assert checkpoint.size == max(self.cosigned)

    @rule(
        history=st.sampled_from(range(3)),
        proving=st.sampled_from(range(3)),
        old=st.integers(0, 40),
        size=st.integers(0, 40),
    )
    def submit_anything(self, history: int, proving: int, old: int, size: int) -> None:
        note = self.histories[history].checkpoint(size).sign([LOG_SIGNER])
        proof = self.histories[proving].proof(old, size) if old <= size else ()
        self.submit(Submission(old, proof, note))

    @rule(history=st.sampled_from(range(3)), step=st.integers(0, 10))
    def submit_from_what_is_remembered(self, history: int, step: int) -> None:
        old = self.memory.latest(ORIGIN).size
        self.submit(self.histories[history].submission(old, min(old + step, 40)))

    @invariant()
    def one_history_holds_all_that_was_cosigned(self) -> None:
        assert any(
            all(history.root(size) == root for size, root in self.cosigned.items())
            for history in self.histories
        )


TestConspiracy = Conspiracy.TestCase
