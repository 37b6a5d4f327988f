"""The command and the HTTP face, as others meet them."""

import os
import stat
from pathlib import Path

import pytest

from direct311.verifier.note import Algorithm, Note, VerifierKey
from direct311.witness.__main__ import main
from tests.support.audit_log import LOG_SIGNER
from tests.support.witnesses import History, served, serving

TRUE = History(40)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policy").write_text(f"log {LOG_SIGNER.key}\nquorum none\n")
    return tmp_path


def keygen(folder: Path, capsys: pytest.CaptureFixture[str]) -> VerifierKey:
    assert main(["keygen", "witness.example.org/w1", str(folder / "key")]) == 0
    return VerifierKey.parse(capsys.readouterr().out.strip())


def test_a_key_is_made_once_and_for_its_owner(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = keygen(folder, capsys)
    assert (key.name, key.algorithm) == ("witness.example.org/w1", Algorithm.COSIGNATURE_V1)
    assert stat.S_IMODE(os.stat(folder / "key").st_mode) == 0o600
    before = (folder / "key").read_bytes()
    with pytest.raises(SystemExit):
        main(["keygen", "witness.example.org/w1", str(folder / "key")])
    assert (folder / "key").read_bytes() == before


def test_it_answers_over_http_and_stands_by_it_after_a_restart(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = keygen(folder, capsys)
    first = TRUE.submission(0, 9)
    plain, size = "text/plain; charset=utf-8", "text/x.tlog.size"
    with served(folder, "--begin") as witness:
        status, kind, lines = witness.ask("/add-checkpoint", str(first))
        assert (status, kind) == (200, plain)
        assert set(Note.parse(f"{first.note}{lines}").verify([key])) == {key}
        assert witness.ask("/add-checkpoint", str(first)) == (409, size, "9\n")
        assert witness.ask("/some/prefix/add-checkpoint", str(TRUE.submission(9, 10)))[0] == 200
        assert witness.ask("/add-checkpoint", "old")[0] == 400
        assert witness.ask("/add-checkpoint", "old 10\n" + 70_000 * "x")[0] == 400
        assert witness.ask("/add-checkpoint")[0] == 405
        assert witness.ask("/checkpoint")[0] == 404
    fork = History(40, "fork", forked_at=5)
    with served(folder) as witness:
        assert witness.ask("/add-checkpoint", str(first)) == (409, size, "10\n")
        assert witness.ask("/add-checkpoint", str(fork.submission(10, 20)))[0] == 422
    # The proof that the log misbehaved is kept: what it signed.
    assert "not cosigned (422)" in (folder / "log").read_text()
    assert str(fork.submission(10, 20).note.signatures[0]).strip() in (folder / "log").read_text()


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("memory", None, "memory does not exist"),
        ("memory", "", "memory holds no record"),
        ("key", "{}", "holds no key"),
        ("key", None, "No such file"),
        ("policy", "quorum none\n", "names no log"),
        ("policy", "log\n", "line 1 of the policy"),
    ],
)
def test_it_does_not_start_without_what_it_needs(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    file: str,
    text: str | None,
    says: str,
) -> None:
    keygen(folder, capsys)
    if text is None:
        (folder / file).unlink(missing_ok=True)
    else:
        (folder / file).write_text(text)
    with pytest.raises(SystemExit) as ended:
        main(serving(folder))
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["keygen"], ["serve"]])
def test_each_command_explains_itself(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--help"])
    assert ended.value.code == 0
    assert "usage: direct311-witness" in capsys.readouterr().out
