"""Our log under the eyes of verifiers that others wrote (golang.org/x/mod, transparency-dev)."""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from direct311.verifier.merkle import (
    MemoryHashes,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
)
from direct311.verifier.note import Cosigner, Note, Signer, encode_base64
from direct311.verifier.proof import TlogProof
from tests.support.audit_log import LOG_SIGNER, ORIGIN, access, private_key, sealed, write_log

GO = shutil.which("go")
PROGRAM = Path(__file__).parent / "foreign_verifier"
SIZE = 2_100
OLDER = (1, 256, 700, 2_048)
WITNESSES = [Cosigner(f"witness.example.org/{n}", private_key(f"witness {n}")) for n in range(2)]

pytestmark = pytest.mark.skipif(GO is None, reason="the Go toolchain is not installed")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    binary = tmp_path_factory.mktemp("go") / "foreignverifier"
    subprocess.run([str(GO), "build", "-o", str(binary), "."], cwd=PROGRAM, check=True, timeout=280)
    return binary


@dataclass(frozen=True)
class Log:
    """A log on disk with older checkpoints, proofs of our making, and cosignatures."""

    root: Path

    @property
    def arguments(self) -> list[str]:
        older = [f"-old={self.root / 'older' / str(size)}" for size in OLDER]
        witnesses = [f"-witness={witness.key}" for witness in WITNESSES]
        return [
            f"-log={self.root / 'log'}",
            f"-vkey={LOG_SIGNER.key}",
            f"-proofs={self.root / 'proofs'}",
            "-sample=7",
            *older,
            *witnesses,
        ]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Log:
    root = tmp_path_factory.mktemp("written")
    entries = [sealed(access(number)) for number in range(SIZE)]
    log = write_log(entries, OLDER)
    read = MemoryHashes([leaf_hash(entry) for entry in entries])
    for name in ("older", "proofs"):
        (root / name).mkdir()
    log.write(root / "log")

    note = Note.parse(log.checkpoints[SIZE])
    at = datetime(2026, 3, 2, 15, tzinfo=UTC)
    cosigned = (*note.signatures, *(witness.sign(note.text, at) for witness in WITNESSES))
    (root / "log/checkpoint").write_text(str(Note(note.text, cosigned)))
    for size in OLDER:
        (root / f"older/{size}").write_text(log.checkpoints[size])
        hashes = consistency_proof(read, size, SIZE)
        (root / f"older/{size}.proof").write_text("\n".join(map(encode_base64, hashes)))
    for size, index in ((SIZE, 0), (SIZE, 1000), (SIZE, SIZE - 1), (700, 699), (1, 0)):
        hashes = inclusion_proof(read, index, size)
        proof = TlogProof(index, tuple(hashes), log.checkpoints[size], b"not authenticated")
        (root / f"proofs/{index}-of-{size}.tlog-proof").write_text(str(proof))
    return Log(root)


@pytest.fixture
def log(written: Log, tmp_path: Path) -> Log:
    shutil.copytree(written.root, tmp_path / "copy")
    return Log(tmp_path / "copy")


def run(program: Path, log: Log, *more: str) -> tuple[int, dict[str, Any]]:
    command = [str(program), *log.arguments, *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    answer: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, answer


@pytest.mark.policy("P20")
def test_foreign_verifiers_find_everything_good(program: Path, log: Log) -> None:
    status, answer = run(program, log)
    assert (status, answer) == (
        0,
        {
            "ok": True,
            "size": SIZE,
            "tiles": 10,
            "entries": SIZE,
            "inclusions": SIZE // 7,
            "consistency": len(OLDER),
            "own_proofs": 5,
            "cosignatures": 2,
        },
    )


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(bytes(content))


def another_signature(log: Log) -> None:
    stranger = Signer(ORIGIN, private_key("stranger"))
    path = log.root / "log/checkpoint"
    text = Note.parse(path.read_text()).text
    path.write_text(str(Note(text, (stranger.sign(text),))))


@pytest.mark.policy("P20")
@pytest.mark.parametrize(
    ("tamper", "says"),
    [
        (lambda log: flip(log.root / "log/tile/0/003", 100), "downloaded inconsistent tile"),
        (lambda log: flip(log.root / "log/tile/0/008.p/52", 5), "downloaded inconsistent tile"),
        (lambda log: flip(log.root / "log/tile/1/000.p/8", 40), "downloaded inconsistent tile"),
        (lambda log: flip(log.root / "log/tile/entries/002", -1), "entry 767: not the entry"),
        (lambda log: (log.root / "log/tile/0/001").unlink(), "no such file"),
        (lambda log: flip(log.root / "log/checkpoint", 35), "failed to verify"),
        (another_signature, "failed to verify"),
        (lambda log: (log.root / "older/700.proof").write_text(""), "700: "),
        (
            lambda log: shutil.copy(log.root / "older/256", log.root / "older/700"),
            "700: ",
        ),
        (
            lambda log: shutil.copy(
                log.root / "proofs/0-of-1.tlog-proof", log.root / "proofs/0-of-2100.tlog-proof"
            ),
            None,
        ),
    ],
    ids=range(10),
)
def test_foreign_verifiers_refuse_what_was_tampered_with(
    program: Path, log: Log, tamper: Callable[[Log], object], says: str | None
) -> None:
    tamper(log)
    status, answer = run(program, log)
    if says is None:
        # A smaller proof of the same entry is as good: the control that not every change fails.
        assert (status, answer["ok"]) == (0, True)
    else:
        assert (status, answer["ok"]) == (1, False)
        assert says in answer["error"]


def test_a_cosignature_that_is_missing_is_noticed(program: Path, log: Log) -> None:
    absent = Cosigner("witness.example.org/absent", private_key("absent"))
    status, answer = run(program, log, f"-witness={absent.key}")
    assert status == 1
    assert "a witness has not cosigned" in answer["error"]
