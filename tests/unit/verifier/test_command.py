"""The auditor's command: what it says, and with which status it ends."""

import json
from pathlib import Path

import pytest

from direct311.verifier.__main__ import main
from direct311.verifier.bundle import Receipt, encode_bundle, encode_receipt
from direct311.verifier.merkle import MemoryHashes, inclusion_proof, leaf_hash
from direct311.verifier.note import Cosigner
from tests.support.audit_log import (
    KEYS,
    LOG_SIGNER,
    access,
    entry_key,
    private_key,
    sealed,
    write_log,
)

VKEY = str(LOG_SIGNER.key)
WITNESS = str(Cosigner("witness.example.org", private_key("w")).key)
EVENTS = [access(number) for number in range(10)]
ENTRIES = [sealed(event) for event in EVENTS]
LOG = write_log(ENTRIES, [4])


@pytest.fixture
def files(tmp_path: Path) -> Path:
    LOG.write(tmp_path / "log")
    read = MemoryHashes([leaf_hash(entry) for entry in ENTRIES])
    receipts = [
        Receipt.disclose(
            index,
            ENTRIES[index],
            inclusion_proof(read, index, 10),
            entry_key(EVENTS[index], ENTRIES[index]),
        )
        for index in (3, 4)
    ]
    note = LOG.checkpoints[10]
    bundle = b"".join(encode_bundle(note, [LOG_SIGNER.key], KEYS, receipts))
    (tmp_path / "bundle.json").write_bytes(bundle)
    (tmp_path / "receipt.json").write_bytes(encode_receipt(receipts[0], note, KEYS))
    (tmp_path / "old").write_text(LOG.checkpoints[4])
    keys = {"keys": [key.as_json() for key in KEYS]}
    (tmp_path / "producers.json").write_text(json.dumps(keys))
    (tmp_path / "policy").write_text(f"log {VKEY}\nwitness w {WITNESS}\nquorum none\n")
    (tmp_path / "strict").write_text(f"log {VKEY}\nwitness w {WITNESS}\nquorum w\n")
    (tmp_path / "keyless").write_text("quorum none\n")
    return tmp_path


def test_good_files_end_with_0(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    producers = ["--producers", str(files / "producers.json")]
    for arguments in (
        ["bundle", str(files / "bundle.json"), "--vkey", VKEY],
        ["bundle", str(files / "bundle.json"), "--vkey", VKEY, *producers],
        ["receipt", str(files / "receipt.json"), "--vkey", VKEY, *producers],
        ["log", str(files / "log"), "--vkey", VKEY, "--old", str(files / "old")],
        ["log", str(files / "log"), "--vkey", VKEY, "--checkpoint", str(files / "old")],
        ["log", str(files / "log"), "--vkey", VKEY, "--witness", WITNESS],
        ["log", str(files / "log"), "--policy", str(files / "policy")],
        ["log", str(files / "log"), "--policy", str(files / "keyless"), "--vkey", VKEY],
    ):
        assert main(arguments) == 0
        assert capsys.readouterr().out.startswith("GOOD\n")


def test_wrong_files_end_with_1_and_words(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = files / "log/tile/entries/000.p/10"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    assert main(["log", str(files / "log"), "--vkey", VKEY]) == 1
    assert capsys.readouterr().out.splitlines()[:2] == [
        "WRONG: 1 finding",
        "  ! entry 9: it is not the signed entry [changed]",
    ]
    assert main(["receipt", str(files / "bundle.json"), "--vkey", VKEY]) == 1
    assert main(["bundle", str(files / "receipt.json"), "--vkey", VKEY]) == 1
    witnessed = ["--witness", WITNESS, "--quorum", "1"]
    assert main(["bundle", str(files / "bundle.json"), "--vkey", VKEY, *witnessed]) == 1
    capsys.readouterr()
    assert main(["bundle", str(files / "bundle.json"), "--policy", str(files / "strict")]) == 1
    assert "0 of the 1 members of the quorum 'w'" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["bundle"],
        ["bundle", "bundle.json"],
        ["bundle", "none.json", "--vkey", VKEY],
        ["bundle", "bundle.json", "--vkey", "nonsense"],
        ["bundle", "bundle.json", "--vkey", WITNESS],
        ["bundle", "bundle.json", "--vkey", VKEY, "--witness", VKEY],
        ["bundle", "bundle.json", "--vkey", VKEY, "--producers", "bundle.json.none"],
        ["bundle", "bundle.json", "--vkey", VKEY, "--producers", "old"],
        ["bundle", "bundle.json", "--policy", "none"],
        ["bundle", "bundle.json", "--policy", "keyless"],
        ["bundle", "bundle.json", "--policy", "bundle.json"],
        ["bundle", "bundle.json", "--policy", "policy", "--witness", WITNESS],
        ["bundle", "bundle.json", "--policy", "policy", "--quorum", "1"],
        ["log", "none", "--vkey", VKEY],
        ["log", "bundle.json", "--vkey", VKEY],
        ["log", "log", "--vkey", VKEY, "--old", "none"],
        ["receipt", "log", "--vkey", VKEY],
    ],
)
def test_what_cannot_be_done_ends_with_2(
    files: Path,
    arguments: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(files)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: direct311-verifier" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["bundle"], ["receipt"], ["log"]])
def test_each_command_explains_itself(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--help"])
    assert ended.value.code == 0
    assert "Exits with 0 if everything is correct" in capsys.readouterr().out
