"""Entries of the log: what they hide, what they bind, and what remains when the key is gone."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from direct311.verifier.entry import (
    DecryptionError,
    DigestError,
    Entry,
    EntrySizeError,
    MalformedEntryError,
    derive_entry_key,
    seal,
)
from tests.support.audit_log import ACCESS, access, body_key, entry_key, sealed, signed

EVENT = access(7)
# One whose random bytes do not begin with another empty line, which would stand in for the head's.
ENTRY = next(entry for entry in iter(lambda: sealed(EVENT), b"") if b"\n\n\n" not in entry)
KEY = entry_key(EVENT, ENTRY)


def test_an_entry_opens_to_the_event_that_was_sealed() -> None:
    entry = Entry.parse(ENTRY)
    assert entry.encode() == ENTRY
    assert entry.type == ACCESS
    assert entry.open(KEY) == EVENT


@given(st.binary(max_size=2000), st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
def test_any_body_and_subject_survive(body: bytes, subject: str) -> None:
    event = signed(replace(EVENT, body=body, subject=subject.replace("\n", " ")))
    entry = sealed(event)
    assert Entry.parse(entry).open(entry_key(event, entry)) == event


def test_an_entry_shows_type_and_time_and_nothing_else_of_its_event() -> None:
    head = Entry.parse(ENTRY).head.decode().split("\n")
    assert head[:3] == ["direct311-entry-v1", ACCESS, "2026-03-02T14:00:07.080000Z"]
    assert [len(line) for line in head[3:]] == [32, 32, 64, 0, 0]
    for secret in (EVENT.subject, EVENT.id, EVENT.source, EVENT.keyid, "agent", "phone"):
        assert secret.encode() not in ENTRY
    assert EVENT.signature not in ENTRY


def test_the_same_event_never_gives_the_same_entry() -> None:
    one, two = Entry.parse(sealed(EVENT)), Entry.parse(sealed(EVENT))
    assert one.nonce != two.nonce
    assert one.digest != two.digest
    assert one.ciphertext != two.ciphertext
    assert one.key_reference == two.key_reference


@given(st.integers(0, len(ENTRY) * 8 - 1))
def test_no_bit_of_an_entry_can_be_changed(bit: int) -> None:
    data = bytearray(ENTRY)
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises((MalformedEntryError, DecryptionError)):
        Entry.parse(bytes(data)).open(KEY)


def test_the_key_of_one_entry_opens_no_other() -> None:
    other = Entry.parse(sealed(EVENT))
    with pytest.raises(DecryptionError):
        other.open(KEY)
    reference, key = body_key(EVENT)
    assert derive_entry_key(key, reference, other.nonce) != KEY
    for wrong in (b"", bytes(32), key):
        with pytest.raises(DecryptionError):
            other.open(wrong)


def test_a_ciphertext_made_for_another_event_does_not_pass_under_the_same_digest() -> None:
    # Who holds the key could seal another text; the digest in the leaf still names the first.
    entry = Entry.parse(ENTRY)
    plaintext = AESGCM(KEY).decrypt(bytes(12), entry.ciphertext, entry.head)
    other = plaintext.replace(b"view", b"list")
    forged = replace(entry, ciphertext=AESGCM(KEY).encrypt(bytes(12), other, entry.head))
    with pytest.raises(DigestError):
        forged.open(KEY)


def test_an_event_of_another_type_than_the_head_says_is_refused() -> None:
    event = signed(replace(EVENT, type=EVENT.type.replace("v1", "v2")))
    entry = Entry.parse(sealed(event))
    key = entry_key(event, entry.encode())
    plaintext = AESGCM(key).decrypt(bytes(12), entry.ciphertext, entry.head)
    relabelled = replace(entry, type=EVENT.type)
    ciphertext = AESGCM(key).encrypt(bytes(12), plaintext, relabelled.head)
    with pytest.raises(MalformedEntryError, match="type differs"):
        replace(relabelled, ciphertext=ciphertext).open(key)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"direct311-entry-v1", b"direct311-entry-v2"),
        (b"gov.miamidade", b"Gov.miamidade"),
        (b".080000Z", b".080Z"),
        (b".080000Z", b".080000+00:00"),
        (b"14:00:07.080000Z", b"14:00:07.080000"),
        (b"2026-03-02", b"0001-13-02"),
        (b"\n\n", b"\n"),
        (b"\n\n", b"\nmore\n\n"),
    ],
)
def test_other_spellings_of_an_entry_are_refused(old: bytes, new: bytes) -> None:
    assert old in ENTRY
    with pytest.raises(MalformedEntryError):
        Entry.parse(ENTRY.replace(old, new, 1))
    digits = Entry.parse(ENTRY).key_reference.hex().encode()
    with pytest.raises(MalformedEntryError):
        Entry.parse(ENTRY.replace(digits, digits.upper()))


def test_an_event_too_long_for_an_entry_is_refused_whole() -> None:
    reference, key = body_key(EVENT)
    at = datetime(2026, 3, 2, tzinfo=UTC)
    longest = 65_535 - len(sealed(replace(EVENT, body=b"")))

    def sealed_with(size: int, key: bytes = key, reference: bytes = reference) -> bytes:
        event = replace(EVENT, body=bytes(size))
        return seal(event, body_key=key, key_reference=reference, logged_at=at)

    assert len(sealed_with(longest)) == 65_535
    with pytest.raises(EntrySizeError):
        sealed_with(longest + 1)
    with pytest.raises(ValueError, match="32 bytes"):
        sealed_with(1, key=b"short")
    with pytest.raises(ValueError, match="32 bytes"):
        sealed_with(1, reference=b"short")
