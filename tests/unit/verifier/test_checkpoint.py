"""Checkpoints and proofs: form, signatures, origin, quorum."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.verifier.checkpoint import Checkpoint, Quorum, Trust, verify_checkpoint
from direct311.verifier.merkle import (
    MemoryHashes,
    ProofError,
    inclusion_proof,
    leaf_hash,
    tree_root,
)
from direct311.verifier.note import (
    Cosigner,
    MalformedNoteError,
    Note,
    Signer,
    UnverifiedNoteError,
    WrongSignatureError,
)
from direct311.verifier.proof import MalformedProofError, TlogProof
from tests.load.proof_size import proof_bytes
from tests.support.audit_log import LOG_SIGNER, ORIGIN, TRUST, private_key

ROOT = bytes(range(32))
AT = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
HEAD = Checkpoint(ORIGIN, 20_852_163, ROOT)


def test_a_checkpoint_has_the_form_of_the_specification() -> None:
    assert HEAD.text == (
        "direct311.miamidade.gov/audit\n20852163\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    )
    assert Checkpoint.parse(HEAD.text) == HEAD
    extended = replace(HEAD, extensions=("one", "two 2"))
    assert Checkpoint.parse(extended.text) == extended


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        HEAD.text[:-1],
        HEAD.text + "\n",
        HEAD.text.replace(ORIGIN, ""),
        HEAD.text.replace("20852163", "020852163"),
        HEAD.text.replace("20852163", "-1"),
        HEAD.text.replace("20852163", "+1"),
        HEAD.text.replace("20852163", "1_000"),
        HEAD.text.replace("20852163", "\u0663"),
        HEAD.text.replace("20852163", "9" * 5000),
        HEAD.text.replace("Hh8=", "Hh9="),
        HEAD.text.replace("AAEC", ""),
        "origin\n1\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(MalformedNoteError):
        Checkpoint.parse(text)


def test_a_signed_checkpoint_verifies() -> None:
    signed = verify_checkpoint(str(HEAD.sign([LOG_SIGNER])), TRUST)
    assert signed.checkpoint == HEAD
    assert signed.signed_by == LOG_SIGNER.key
    assert signed.seen_at == {}


def test_while_keys_are_exchanged_either_will_do() -> None:
    successor = Signer(ORIGIN, private_key("successor"))
    both = str(HEAD.sign([LOG_SIGNER, successor]))
    for keys in ((LOG_SIGNER.key,), (successor.key,), (LOG_SIGNER.key, successor.key)):
        assert verify_checkpoint(both, Trust(keys)).checkpoint == HEAD
    with pytest.raises(UnverifiedNoteError):
        verify_checkpoint(str(HEAD.sign([successor])), TRUST)


def test_a_key_of_one_log_does_not_vouch_for_another() -> None:
    other = Signer("example.org/log", private_key("other"))
    note = str(HEAD.sign([other]))
    with pytest.raises(UnverifiedNoteError, match="the log that it names"):
        verify_checkpoint(note, Trust((LOG_SIGNER.key, other.key)))


def test_a_quorum_of_witnesses_is_counted() -> None:
    witnesses = [Cosigner(f"witness.example.org/{n}", private_key(f"w{n}")) for n in range(3)]
    keys = tuple(witness.key for witness in witnesses)
    note = HEAD.sign([LOG_SIGNER])
    cosigned = Note(note.text, (*note.signatures, *(w.sign(note.text, AT) for w in witnesses[:2])))
    two, three = (Trust((LOG_SIGNER.key,), keys, Quorum("some", least, keys)) for least in (2, 3))
    signed = verify_checkpoint(str(cosigned), two)
    assert signed.seen_at == {"witness.example.org/0": AT, "witness.example.org/1": AT}
    with pytest.raises(UnverifiedNoteError, match=r"2 of the 3 members .* witness\.example\.org/2"):
        verify_checkpoint(str(cosigned), three)
    # A witness cannot stand in for the log.
    without = Note(note.text, cosigned.signatures[1:])
    with pytest.raises(UnverifiedNoteError):
        verify_checkpoint(str(without), Trust((LOG_SIGNER.key,), keys))
    # Nor does one witness count twice.
    twice = Note(note.text, (*note.signatures, *(witnesses[0].sign(note.text, AT) for _ in "ab")))
    with pytest.raises(UnverifiedNoteError):
        verify_checkpoint(str(twice), two)


@pytest.mark.parametrize("change", ["20852164", "1"])
def test_a_changed_checkpoint_is_refused(change: str) -> None:
    note = str(HEAD.sign([LOG_SIGNER])).replace("20852163", change)
    with pytest.raises(WrongSignatureError):
        verify_checkpoint(note, TRUST)


ENTRIES = [f"entry {number}".encode() for number in range(70)]
READ = MemoryHashes([leaf_hash(entry) for entry in ENTRIES])


def proof_of(index: int, extra: bytes | None = None) -> TlogProof:
    head = Checkpoint(ORIGIN, len(ENTRIES), tree_root(READ, len(ENTRIES)))
    hashes = tuple(inclusion_proof(READ, index, len(ENTRIES)))
    return TlogProof(index, hashes, str(head.sign([LOG_SIGNER])), extra)


@given(st.integers(0, 69), st.none() | st.binary(max_size=40))
def test_a_proof_survives_its_text_and_verifies(index: int, extra: bytes | None) -> None:
    proof = proof_of(index, extra)
    parsed = TlogProof.parse(str(proof))
    assert parsed == proof
    assert parsed.verify(ENTRIES[index], TRUST).checkpoint.size == 70


def test_a_proof_has_the_form_of_the_specification() -> None:
    lines = str(proof_of(5, b"extra")).split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra ZXh0cmE=", "index 5"]
    assert [len(line) for line in lines[3:10]] == [44] * 7
    assert lines[10:13] == ["", ORIGIN, "70"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2"),
        ("index 5\n", ""),
        ("index 5", "index 05"),
        ("index 5", "index -5"),
        ("index 5", "index \u0665"),
        ("index 5", "index " + "9" * 5000),
        ("index 5", "extra !\nindex 5"),
        ("index 5", "index 5\nextra AAAA"),
        ("index 5", "index 5\nAAAA"),
    ],
)
def test_what_is_no_proof_is_refused(old: str, new: str) -> None:
    with pytest.raises(MalformedProofError):
        TlogProof.parse(str(proof_of(5)).replace(old, new, 1))
    with pytest.raises(MalformedProofError):
        TlogProof.parse("")


def test_a_proof_of_another_entry_is_refused() -> None:
    with pytest.raises(ProofError):
        proof_of(5).verify(ENTRIES[6], TRUST)
    with pytest.raises(ProofError):
        replace(proof_of(5), index=6).verify(ENTRIES[5], TRUST)
    with pytest.raises(UnverifiedNoteError):
        proof_of(5).verify(ENTRIES[5], Trust((Signer(ORIGIN, private_key("x")).key,)))


def test_a_proof_at_100_million_entries_with_three_cosignatures_has_at_most_2_kb() -> None:
    assert proof_bytes(1, 0) < proof_bytes(100_000_000, 3) <= 2_000
