"""Our witnesses under a log that others wrote: the example log of transparency-dev's Tessera has
its checkpoints cosigned by them, as its policy file says."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from direct311.verifier.checkpoint import SignedCheckpoint, verify_checkpoint
from direct311.verifier.note import Cosigner, Signer, encode_base64
from direct311.verifier.policy import Policy
from tests.support.audit_log import private_key
from tests.support.witnesses import Served, free_port, served

GO = shutil.which("go")
PROGRAM = "github.com/transparency-dev/tessera/cmd/examples/posix-oneshot"
NAMES = ("w1", "w2", "w3")
COSIGNERS = {name: Cosigner(f"{name}.example.org", private_key(name)) for name in NAMES}
LOG = Signer("example.org/foreign-log", private_key("foreign log"))

pytestmark = pytest.mark.skipif(GO is None, reason="the Go toolchain is not installed")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    binary = tmp_path_factory.mktemp("go") / "foreignlog"
    folder = Path(__file__).parent / "foreign_log"
    build = [str(GO), "build", "-o", str(binary), PROGRAM]
    subprocess.run(build, cwd=folder, check=True, timeout=280)
    return binary


@dataclass
class ForeignLog:
    """Runs of the program, each adding entries to the log in a folder."""

    program: Path
    policy: Path
    root: Path

    def add(self, *entries: str, within: float = 60) -> bool:
        """Whether the log published a checkpoint over them under its policy within so many
        seconds; it tries for as long as it is let."""
        files = self.root / "new"
        files.mkdir()
        for entry in entries:
            (files / entry).write_text(entry)
        seed = encode_base64(b"\x01" + private_key("foreign log").private_bytes_raw())
        key = f"PRIVATE+KEY+{LOG.key.name}+{LOG.key.key_id.hex()}+{seed}"
        command = [
            str(self.program),
            f"--storage_dir={self.root / 'log'}",
            f"--entries={files}/*",
            f"--witness_policy_file={self.policy}",
            "--witness_timeout=3s",
        ]
        try:
            environ = {**os.environ, "LOG_PRIVATE_KEY": key}
            done = subprocess.run(
                command, env=environ, timeout=within, capture_output=True, check=False
            )
        except subprocess.TimeoutExpired:
            return False
        finally:
            shutil.rmtree(files)
        return done.returncode == 0

    def verified(self) -> SignedCheckpoint:
        note = (self.root / "log/checkpoint").read_text()
        return verify_checkpoint(note, Policy.parse(self.policy.read_bytes()).trust)


@dataclass
class Witnesses:
    folder: Path
    ports: dict[str, int]
    running: dict[str, ExitStack]

    def start(self, name: str) -> Served:
        self.running[name] = ExitStack()
        process = served(self.folder / name, "--begin", port=self.ports[name])
        return self.running[name].enter_context(process)

    def stop(self, name: str) -> None:
        self.running.pop(name).close()


@pytest.fixture
def witnesses(tmp_path: Path) -> Iterator[Witnesses]:
    witnesses = Witnesses(tmp_path / "witnesses", {name: free_port() for name in NAMES}, {})
    lines = [f"log {LOG.key}"]
    lines += [
        f"witness {name} {COSIGNERS[name].key} http://127.0.0.1:{port}"
        for name, port in witnesses.ports.items()
    ]
    policy = "\n".join([*lines, "group two-of-three 2 w1 w2 w3", "quorum two-of-three", ""])
    for name in NAMES:
        folder = witnesses.folder / name
        folder.mkdir(parents=True)
        (folder / "policy").write_text(policy)
        seed = encode_base64(private_key(name).private_bytes_raw())
        document = f'{{"name": "{COSIGNERS[name].key.name}", "private": "{seed}"}}'
        (folder / "key").write_text(document)
        witnesses.start(name)
    yield witnesses
    for name in list(witnesses.running):
        witnesses.stop(name)


@pytest.fixture
def log(program: Path, witnesses: Witnesses, tmp_path: Path) -> ForeignLog:
    (tmp_path / "foreign").mkdir()
    return ForeignLog(program, witnesses.folder / "w1" / "policy", tmp_path / "foreign")


@pytest.mark.policy("P20")
def test_a_foreign_log_is_cosigned_and_its_fork_is_not(
    log: ForeignLog, witnesses: Witnesses, tmp_path: Path
) -> None:
    assert log.add(*(f"entry {number}" for number in range(300)))
    first = log.verified()
    assert first.checkpoint.size == 300
    assert len(first.seen_at) >= 2
    shutil.copytree(log.root, tmp_path / "fork")
    fork = ForeignLog(log.program, log.policy, tmp_path / "fork")

    assert log.add("one more", "and another")
    assert log.verified().checkpoint.size == 302
    # One witness may be away; restarted, the others still know what they cosigned.
    witnesses.stop("w3")
    witnesses.stop("w2")
    witnesses.start("w2")
    assert log.add("a third")
    assert set(log.verified().seen_at) == {"w1.example.org", "w2.example.org"}

    # The same key signs another history: with the sizes that the witnesses know, and beyond.
    assert not fork.add("something else", "and more", "and yet more", "to go beyond", within=6)
    assert fork.verified().checkpoint.size == 300
    for name in ("w1", "w2"):
        assert "not cosigned (422)" in (witnesses.folder / name / "log").read_text()

    witnesses.stop("w2")
    assert not log.add("a fourth", within=6)
    assert log.verified().checkpoint.size == 303
