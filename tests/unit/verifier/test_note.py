"""Signed notes and cosignatures: the reference vectors, and what is refused."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from direct311.verifier.note import (
    MAX_SIZE,
    Cosigner,
    MalformedKeyError,
    MalformedNoteError,
    Note,
    NoteError,
    Signer,
    UnverifiedNoteError,
    VerifierKey,
    WrongSignatureError,
    decode_base64,
)
from tests.support.audit_log import private_key

# Key and note with which golang.org/x/mod/sumdb/note documents and tests itself.
VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SEED = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
SIGNED = (
    TEXT + "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqd"
    "ngotpRZb6KE6RyyBwJnAM=\n"
)
AT = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)


def test_the_reference_note_verifies_and_is_made_again_byte_for_byte() -> None:
    key = VerifierKey.parse(VKEY)
    assert str(key) == VKEY
    assert Note.parse(SIGNED).verify([key]) == {key: None}
    seed = decode_base64(SEED, 33)[1:]
    signer = Signer("PeterNeumann", Ed25519PrivateKey.from_private_bytes(seed))
    assert signer.key == key
    assert str(Note(TEXT, (signer.sign(TEXT),))) == SIGNED


@given(st.integers(0, len(SIGNED.encode()) * 8 - 1))
def test_no_bit_of_a_note_can_be_changed(bit: int) -> None:
    data = bytearray(SIGNED.encode())
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(NoteError):
        Note.parse(data.decode("utf-8", "surrogateescape")).verify([VerifierKey.parse(VKEY)])


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "PeterNeumann",
        VKEY[1:],
        VKEY[:-4],
        VKEY.replace("c74f20a3", "c74f20a4"),
        VKEY.replace("c74f20a3", "C74F20A3"),
        VKEY.replace("PeterNeumann", "Peter Neumann"),
        VKEY.replace("+AR", "+Ag"),
        VKEY + "A",
        "x+00000000+" + SEED,
    ],
)
def test_a_key_whose_parts_do_not_belong_together_is_refused(vkey: str) -> None:
    with pytest.raises(MalformedKeyError):
        VerifierKey.parse(vkey)


@pytest.mark.parametrize(
    "note",
    [
        "",
        TEXT,
        TEXT + "\n",
        SIGNED[:-1],
        SIGNED.replace("— P", "- P"),
        SIGNED.replace("—", ""),
        SIGNED.replace("PeterNeumann", "Peter+Neumann"),
        SIGNED.replace("AM=\n", "AM\n"),
        SIGNED.replace("AM=\n", "AN=\n"),
        SIGNED.replace("then", "th\ten"),
        SIGNED.replace("then", "th\ren"),
        SIGNED.replace("then", "\ud800"),
        TEXT + "\n— PeterNeumann x08gow==\n",
        TEXT + "\n" + SIGNED.split("\n\n")[1] * 101,
        "a" * MAX_SIZE + SIGNED,
    ],
)
def test_what_is_no_signed_note_is_refused(note: str) -> None:
    with pytest.raises(MalformedNoteError):
        Note.parse(note)


def test_a_text_may_hold_empty_lines() -> None:
    text = "one\n\ntwo\n"
    signer = Signer("example.org/a", private_key("a"))
    note = Note.parse(str(Note(text, (signer.sign(text),))))
    assert note.text == text
    assert note.verify([signer.key])
    with pytest.raises(MalformedNoteError):
        Note("no newline", ())


def test_unknown_keys_are_ignored_and_known_ones_must_verify() -> None:
    one = Signer("example.org/one", private_key("one"))
    two = Signer("example.org/two", private_key("two"))
    note = Note(TEXT, (one.sign(TEXT), two.sign(TEXT)))
    assert note.verify([two.key]) == {two.key: None}
    assert note.verify([one.key, two.key]).keys() == {one.key, two.key}
    with pytest.raises(UnverifiedNoteError):
        note.verify([Signer("example.org/two", private_key("other")).key])
    with pytest.raises(UnverifiedNoteError):
        note.verify([])
    forged = Note(TEXT, (one.sign(TEXT), two.sign(TEXT + "more\n")))
    assert forged.verify([one.key])
    with pytest.raises(WrongSignatureError):
        forged.verify([one.key, two.key])


def test_a_cosignature_says_when_it_was_made_and_binds_text_and_time() -> None:
    witness = Cosigner("witness.example.org/w1", private_key("w1"))
    line = witness.sign(TEXT, AT)
    assert Note(TEXT, (line,)).verify([witness.key]) == {witness.key: AT}
    assert VerifierKey.parse(str(witness.key)) == witness.key
    # The same key and name as a plain signer is another key.
    plain = Signer("witness.example.org/w1", private_key("w1"))
    assert plain.key.key_id != witness.key.key_id
    with pytest.raises(UnverifiedNoteError):
        Note(TEXT, (line,)).verify([plain.key])
    for at in (0, 7, 8, 40):
        changed = bytearray(line.signature)
        changed[at] ^= 1
        with pytest.raises(WrongSignatureError):
            witness.key.verify(TEXT, bytes(changed))
    for length in (0, 8, 64):
        with pytest.raises(WrongSignatureError):
            witness.key.verify(TEXT, line.signature[:length])
    with pytest.raises(WrongSignatureError):
        witness.key.verify(TEXT + "more\n", line.signature)


def test_the_cosignature_of_the_specification_is_read() -> None:
    note = Note.parse(
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhc"
        "yv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
        "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJs"
        "X3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
    )
    assert [line.name for line in note.signatures] == [
        "example.com/behind-the-sofa",
        "witness.example.com/w1",
    ]
    assert int.from_bytes(note.signatures[1].signature[:8], "big") == 1679315147
