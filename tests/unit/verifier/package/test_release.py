"""A package with the receipt of its release, and the command that checks both."""

import base64
import io
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from direct311.verifier.__main__ import main
from direct311.verifier.package.check import verify_package
from direct311.verifier.report import Report
from tests.support import packages
from tests.support.audit_log import (
    KEYS,
    LOG_SIGNER,
    TRUST,
    access,
)
from tests.support.example_package import receipt, released
from tests.support.packages import HOME, SIGNER, bagged, contents, zipped

PACKAGE = packages.package()
OTHER = zipped(bagged(contents() | {"fees.json": b"{}"}))


def checked(package: bytes, *receipts: bytes) -> Report:
    given = {f"receipt-{number}.json": each for number, each in enumerate(receipts, 1)}
    return verify_package(
        io.BytesIO(package), [SIGNER.key], receipts=given, trust=TRUST, producers=KEYS
    )


def test_the_receipt_of_its_release_proves_every_byte() -> None:
    report = checked(PACKAGE, receipt(released(PACKAGE)))
    assert report.ok
    assert "events that opened and match what their producer signed: 1" in report.text
    assert "only the receipt of its release" not in report.text


@pytest.mark.policy("P13")
def test_the_receipt_of_another_package_is_not_its_own() -> None:
    lines = [str(finding) for finding in checked(PACKAGE, receipt(released(OTHER))).findings]
    assert lines == [
        "receipt-1.json: another package was released: its SHA-256 differs [receipt]",
    ]


def test_the_receipt_of_another_case_is_not_its_own() -> None:
    report = checked(PACKAGE, receipt(released(PACKAGE, HOME)))
    assert "receipt-1.json: the release was of another case [receipt]" in report.text


def test_the_receipt_of_an_access_is_none_of_a_release() -> None:
    report = checked(PACKAGE, receipt(access(2)))
    assert "receipt-1.json: it is the receipt of something else than a release" in report.text


def test_a_receipt_that_stays_sealed_shows_no_release() -> None:
    report = checked(PACKAGE, receipt(released(PACKAGE), shown=False))
    assert "receipt-1.json: its entry stays sealed, so that it shows no release" in report.text


def test_one_changed_byte_of_the_receipt_is_found() -> None:
    good = receipt(released(PACKAGE))
    shown: Any = json.loads(good)
    shown["event"]["body"]["package"] = sha256(OTHER).hexdigest()
    forged = checked(OTHER, json.dumps(shown).encode())
    assert [finding.where for finding in forged.findings] == ["receipt-1.json"]
    shown = json.loads(good)
    entry = bytearray(base64.b64decode(shown["entry"]))
    entry[-1] ^= 1
    shown["entry"] = base64.b64encode(entry).decode()
    changed = checked(PACKAGE, json.dumps(shown).encode())
    assert all(finding.where == "receipt-1.json" for finding in changed.findings)
    assert not changed.ok


def test_each_of_several_receipts_is_checked() -> None:
    report = checked(PACKAGE, receipt(released(PACKAGE)), b"{}")
    assert [finding.where for finding in report.findings] == ["receipt-2.json"]


# The command


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "package.zip").write_bytes(PACKAGE)
    (tmp_path / "other.zip").write_bytes(OTHER)
    (tmp_path / "release.json").write_bytes(receipt(released(PACKAGE)))
    keys = {"keys": [key.as_json() for key in KEYS]}
    (tmp_path / "producers.json").write_text(json.dumps(keys))
    return tmp_path


def test_the_command_says_good(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package, vkey = str(files / "package.zip"), ["--vkey", str(LOG_SIGNER.key)]
    release = ["--receipt", str(files / "release.json")]
    producers = ["--producers", str(files / "producers.json")]
    for more in (
        ["--key", str(SIGNER.key)],
        producers,
        ["--key", str(SIGNER.key), *release, *vkey],
        [*producers, *release, *vkey],
    ):
        assert main(["package", package, *more]) == 0
        assert capsys.readouterr().out.startswith("GOOD\n")


def test_the_command_says_what_is_wrong_and_where(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release = files / "release.json"
    vkey = ["--vkey", str(LOG_SIGNER.key), "--receipt", str(release)]
    assert main(["package", str(files / "other.zip"), "--key", str(SIGNER.key), *vkey]) == 1
    assert capsys.readouterr().out.splitlines()[:2] == [
        "WRONG: 1 finding",
        f"  ! {release}: another package was released: its SHA-256 differs [receipt]",
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "a key of direct311/retention is required"),
        (["--key", str(LOG_SIGNER.key)], "--key takes a key of direct311/retention"),
        (["--key", "x"], "not an Ed25519 verifier key"),
        (["--key", str(SIGNER.key), "--receipt", "release.json"], "a key of the log is required"),
        (["--key", str(SIGNER.key), "--receipt", "none.json"], "none.json: No such file"),
    ],
)
def test_the_command_asks_for_the_keys_that_it_needs(
    files: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(files)
    with pytest.raises(SystemExit) as stopped:
        main(["package", "package.zip", *arguments])
    assert stopped.value.code == 2
    assert says in capsys.readouterr().err
