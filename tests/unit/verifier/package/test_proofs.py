"""The proof in a package that its case's entries are in the log: checked offline with the log's
key, and one changed byte of it is found and located."""

import io
import json
from typing import Any

import pytest

from direct311.verifier.__main__ import main
from direct311.verifier.bundle import Receipt, encode_bundle
from direct311.verifier.event import Event
from direct311.verifier.merkle import MemoryHashes, inclusion_proof, leaf_hash
from direct311.verifier.package.check import verify_package
from direct311.verifier.report import Fault, Report
from tests.support.audit_log import (
    KEYS,
    LOG_SIGNER,
    START,
    TRUST,
    access,
    entry_key,
    sealed,
    signed,
    uuid7,
    write_log,
)
from tests.support.packages import CASE, HOME, SIGNER, bagged, contents, zipped

PROOFS = "proofs/bundle.json"


def step(number: int, case_id: str = CASE, kind: str = "recorded") -> Event:
    """What retention says of a step of the case."""
    body = {"case_id": case_id, "version": number, "step": "collected", "actor": "carla"}
    event = Event(
        id=uuid7(900 + number),
        type=f"gov.miamidade.direct311.disclosure.{kind}.v1",
        source="/direct311/retention",
        subject=case_id,
        time=START.isoformat().replace("+00:00", "Z"),
        body=json.dumps(body).encode(),
        keyid="",
        signature=bytes(64),
    )
    return signed(event, "retention")


def bundle(*events: Event) -> bytes:
    """A bundle of these events, of which grants and releases stay sealed."""
    entries = [sealed(each) for each in events]
    read = MemoryHashes([leaf_hash(each) for each in entries])

    def receipt(index: int, event: Event) -> Receipt:
        proof = tuple(inclusion_proof(read, index, len(entries)))
        if ".approved." in event.type:
            return Receipt(index, entries[index], proof)
        return Receipt.disclose(index, entries[index], proof, entry_key(event, entries[index]))

    receipts = [receipt(index, event) for index, event in enumerate(events)]
    note = write_log(entries).checkpoints[len(entries)]
    return b"".join(encode_bundle(note, [LOG_SIGNER.key], KEYS, receipts))


GOOD = bundle(step(1), step(2, kind="approved"), step(3), step(4))


def package(proof: bytes = GOOD) -> bytes:
    return zipped(bagged(contents() | {PROOFS: proof}))


def checked(content: bytes, **more: Any) -> Report:
    given: dict[str, Any] = {"trust": TRUST, "producers": KEYS} | more
    return verify_package(io.BytesIO(content), [SIGNER.key], **given)


def test_the_proof_of_a_good_package_is_checked_offline() -> None:
    report = checked(package())
    assert report.ok, report.text
    assert f"{PROOFS}: entries that are in the log as shown: 4 of 4" in report.verified
    assert f"{PROOFS}: entries that stay sealed, withheld or destroyed: 1" in report.verified


def test_without_the_logs_key_it_says_that_it_did_not_check() -> None:
    report = checked(package(), trust=None)
    assert report.ok
    assert f"{PROOFS} was not checked: that takes a key of the log" in report.notes


def test_a_package_from_before_has_no_proof_and_is_good() -> None:
    report = checked(zipped(bagged(contents())))
    assert report.ok
    assert PROOFS not in report.text


def places() -> list[int]:
    """A byte in each kind of place: checkpoint, proof, entry, key, event."""
    marks = [b'"checkpoint"', b'"proof"', b'"entry"', b'"entry_key"', b'"actor"']
    return [GOOD.index(mark) + len(mark) + 4 for mark in marks]


@pytest.mark.parametrize("at", places())
def test_one_changed_byte_of_it_is_found_and_located(at: int) -> None:
    other = b"A" if GOOD[at : at + 1] != b"A" else b"B"
    forged = GOOD[:at] + other + GOOD[at + 1 :]
    # Whoever changes the file alone is found by the manifest.
    files = bagged(contents() | {PROOFS: GOOD}) | {PROOFS: forged}
    changed = checked(zipped(files))
    assert any(each.fault is Fault.CHANGED and each.where == PROOFS for each in changed.findings), (
        changed.text
    )
    # The county itself, with all keys but the log's, is found by the log's signature.
    resigned = checked(package(forged))
    assert not resigned.ok
    assert {each.where for each in resigned.findings} == {PROOFS}
    if at > GOOD.index(b'"receipts"'):
        assert {each.index for each in resigned.findings} == {0}


def test_the_proof_of_another_case_is_not_its_own() -> None:
    report = checked(package(bundle(step(1), step(2, HOME))))
    assert [(each.where, each.index, each.fault) for each in report.findings] == [
        (PROOFS, 1, Fault.RECEIPT)
    ]
    report = checked(package(bundle(step(1), access(2))))
    assert [each.index for each in report.findings] == [1]


def test_what_is_no_bundle_is_a_finding() -> None:
    report = checked(package(b"{}"))
    assert [(each.where, each.fault) for each in report.findings] == [(PROOFS, Fault.MALFORMED)]


def test_the_command_checks_it_with_the_logs_key(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "package.zip").write_bytes(package())
    (tmp_path / "producers.json").write_text(json.dumps({"keys": [k.as_json() for k in KEYS]}))
    producers = ["--producers", str(tmp_path / "producers.json")]
    call = ["package", str(tmp_path / "package.zip"), *producers]
    assert main([*call, "--vkey", str(LOG_SIGNER.key)]) == 0
    assert f"{PROOFS}: entries that are in the log as shown: 4 of 4" in capsys.readouterr().out
    assert main(call) == 0
    assert f"{PROOFS} was not checked" in capsys.readouterr().out
