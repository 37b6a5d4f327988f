"""Receipts and bundles: what is good passes; what was tampered with is named and located."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.verifier.bundle import (
    Receipt,
    encode_bundle,
    encode_receipt,
    verify_bundle,
    verify_receipt,
)
from direct311.verifier.checkpoint import Checkpoint, Trust
from direct311.verifier.entry import Entry
from direct311.verifier.merkle import MemoryHashes, inclusion_proof, leaf_hash, tree_root
from direct311.verifier.note import Signer
from direct311.verifier.report import Fault, Finding
from tests.support.audit_log import (
    KEYS,
    LOG_SIGNER,
    ORIGIN,
    TRUST,
    access,
    body_key,
    entry_key,
    private_key,
    sealed,
    signed,
    write_log,
)

Document = dict[str, Any]

EVENTS = [access(number) for number in range(40)]
ENTRIES = [sealed(event) for event in EVENTS]
READ = MemoryHashes([leaf_hash(entry) for entry in ENTRIES])
CHECKPOINT = write_log(ENTRIES).checkpoints[40]
SEALED = 31
INDEXES = [2, 7, 19, SEALED, 39]


def proof(index: int) -> tuple[bytes, ...]:
    return tuple(inclusion_proof(READ, index, len(ENTRIES)))


def receipt(index: int) -> Receipt:
    if index == SEALED:
        return Receipt(index, ENTRIES[index], proof(index))
    key = entry_key(EVENTS[index], ENTRIES[index])
    return Receipt.disclose(index, ENTRIES[index], proof(index), key)


def bundle() -> bytes:
    receipts = [receipt(index) for index in INDEXES]
    return b"".join(encode_bundle(CHECKPOINT, [LOG_SIGNER.key], KEYS, receipts))


BUNDLE = bundle()
RECEIPT = encode_receipt(receipt(7), CHECKPOINT, KEYS)


def test_a_good_bundle_passes_and_says_what_was_checked() -> None:
    report = verify_bundle(BUNDLE, TRUST, KEYS)
    assert report.ok
    assert report.text.startswith("GOOD\n")
    assert "are in the log as shown: 5 of 5\n" in report.text
    assert "match what their producer signed: 4\n" in report.text
    assert "withheld or destroyed: 1\n" in report.text
    assert "published list" not in report.text


def test_keys_that_came_with_the_bundle_are_named_as_such() -> None:
    report = verify_bundle(BUNDLE, TRUST)
    assert report.ok
    assert "compare them with the published list" in report.text


def test_a_bundle_has_one_receipt_a_line_and_readable_events() -> None:
    lines = BUNDLE.decode().splitlines()
    assert len(lines) == len(INDEXES) + 2
    event = json.loads(lines[1].rstrip(","))["event"]
    assert event["body"]["why"] == {"purpose": "respond"}
    assert event["id"] == EVENTS[2].id


def test_an_empty_bundle_is_a_checkpoint_alone() -> None:
    empty = b"".join(encode_bundle(CHECKPOINT, [], [], []))
    assert verify_bundle(empty, TRUST).ok


def test_a_good_receipt_passes() -> None:
    report = verify_receipt(RECEIPT, TRUST, KEYS)
    assert report.ok
    assert "match what their producer signed: 1\n" in report.text
    assert verify_receipt(encode_receipt(receipt(SEALED), CHECKPOINT, KEYS), TRUST).ok


def test_a_report_says_nothing_of_what_the_entries_hold() -> None:
    document = json.loads(BUNDLE)
    document["receipts"][1]["event"]["body"]["agent"]["id"] = "somebody else"
    text = verify_bundle(json.dumps(document).encode(), TRUST).text
    for held in (EVENTS[7].subject, EVENTS[7].id, "agent-0", "somebody else"):
        assert held not in text


def member(document: Document, index: int) -> Document:
    found: Document = next(each for each in document["receipts"] if each["index"] == index)
    return found


def changed_base64(text: str, at: int = -1) -> str:
    data = bytearray(base64.b64decode(text))
    data[at] ^= 1
    return base64.b64encode(data).decode()


def other_entry(document: Document) -> None:
    entry = member(document, 7)
    entry["entry"] = changed_base64(entry["entry"])


def other_proof(document: Document) -> None:
    entry = member(document, 7)
    entry["proof"][1] = changed_base64(entry["proof"][1])


def other_index(document: Document) -> None:
    member(document, 7)["index"] = 8


def index_outside(document: Document) -> None:
    member(document, 7)["index"] = 40


def swapped_receipts(document: Document) -> None:
    one, two = member(document, 7), member(document, 19)
    one["index"], two["index"] = 19, 7


def other_key(document: Document) -> None:
    entry = member(document, 7)
    entry["entry_key"] = changed_base64(entry["entry_key"])


def key_of_another_entry(document: Document) -> None:
    member(document, 7)["entry_key"] = member(document, 19)["entry_key"]


def other_actor(document: Document) -> None:
    member(document, 7)["event"]["body"]["agent"]["id"] = "agent-6"


def number_as_truth(document: Document) -> None:
    member(document, 2)["event"]["body"]["time"]["sequence"] = 3.0


def added_field(document: Document) -> None:
    member(document, 7)["event"]["approved_by"] = "counsel"


def removed_field(document: Document) -> None:
    del member(document, 7)["event"]["time"]


def event_no_object(document: Document) -> None:
    member(document, 7)["event"] = ["event"]


def doubled(document: Document) -> None:
    document["receipts"].append(member(document, 7))


def unknown_producer(document: Document) -> None:
    document["keys"] = [key for key in document["keys"] if key["service"] != "intake"]


def expired_producer(document: Document) -> None:
    document["keys"][0]["not_after"] = "2026-03-02T14:00:05+00:00"


def exchanged_producer(document: Document) -> None:
    document["keys"][0]["public"] = document["keys"][1]["public"]


def renamed_producer(document: Document) -> None:
    document["keys"][0]["service"] = "geo"


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (other_entry, {(Fault.INCLUSION, 7), (Fault.DECRYPTION, 7)}),
        (other_proof, {(Fault.INCLUSION, 7)}),
        (other_index, {(Fault.INCLUSION, 8)}),
        (index_outside, {(Fault.INCLUSION, 40)}),
        (swapped_receipts, {(Fault.INCLUSION, 7), (Fault.INCLUSION, 19)}),
        (other_key, {(Fault.DECRYPTION, 7)}),
        (key_of_another_entry, {(Fault.DECRYPTION, 7)}),
        (other_actor, {(Fault.SHOWN, 7)}),
        (number_as_truth, {(Fault.SHOWN, 2)}),
        (added_field, {(Fault.SHOWN, 7)}),
        (removed_field, {(Fault.SHOWN, 7)}),
        (event_no_object, {(Fault.MALFORMED, 7)}),
        (doubled, {(Fault.DOUBLED, 7)}),
        (unknown_producer, {(Fault.KEY, index) for index in INDEXES if index != SEALED}),
        (expired_producer, {(Fault.KEY, index) for index in (7, 19, 39)}),
        (exchanged_producer, {(Fault.SIGNATURE, index) for index in INDEXES if index != SEALED}),
        (renamed_producer, {(Fault.PRODUCER, index) for index in INDEXES if index != SEALED}),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_was_tampered_with_is_named_and_located(
    tamper: Callable[[Document], None], expected: set[tuple[Fault, int]]
) -> None:
    document = json.loads(BUNDLE)
    tamper(document)
    report = verify_bundle(json.dumps(document).encode(), TRUST)
    assert not report.ok
    assert {(each.fault, each.index) for each in report.findings} == expected
    assert report.text.startswith("WRONG")


def test_the_words_name_the_field_that_differs() -> None:
    document = json.loads(BUNDLE)
    removed_field(document)
    added_field(document)
    (finding,) = verify_bundle(json.dumps(document).encode(), TRUST).findings
    assert str(finding) == (
        "entry 7: the event shown is not the event in the entry; "
        "it differs in: time, members that are not in the entry [shown]"
    )


def test_a_bundle_cannot_bring_its_own_trust() -> None:
    stranger = Signer(ORIGIN, private_key("stranger"))
    head = Checkpoint(ORIGIN, 40, tree_root(READ, 40))
    forged = str(head.sign([stranger]))
    pieces = encode_bundle(forged, [stranger.key], KEYS, [receipt(7)])
    (finding,) = verify_bundle(b"".join(pieces), TRUST).findings
    assert finding.fault is Fault.CHECKPOINT
    assert "nothing else was checked" in finding.says
    single = encode_receipt(receipt(7), forged, KEYS)
    assert verify_receipt(single, TRUST).findings[0].fault is Fault.CHECKPOINT
    assert verify_receipt(single, Trust((stranger.key,))).ok


def test_callers_keys_are_used_instead_of_those_in_the_bundle() -> None:
    stranger = replace(KEYS[0], public=private_key("stranger").public_key().public_bytes_raw())
    findings = verify_bundle(BUNDLE, TRUST, [stranger]).findings
    assert {each.fault for each in findings} == {Fault.SIGNATURE}


def test_a_log_that_seals_a_forged_event_is_found_out() -> None:
    # Everything fits but the producer's signature: what the log itself made up.
    forged = replace(EVENTS[7], body=EVENTS[7].body.replace(b"view", b"list"))
    dated = signed(replace(EVENTS[8], time="2026-03-02T18:00:00Z"))
    entries = [*ENTRIES[:7], sealed(forged), sealed(dated, EVENTS[8].occurred_at), *ENTRIES[9:]]
    read = MemoryHashes([leaf_hash(entry) for entry in entries])
    receipts = [
        Receipt.disclose(index, entries[index], inclusion_proof(read, index, 40), key)
        for index, key in (
            (7, entry_key(forged, entries[7])),
            (8, entry_key(dated, entries[8])),
        )
    ]
    note = str(Checkpoint(ORIGIN, 40, tree_root(read, 40)).sign([LOG_SIGNER]))
    report = verify_bundle(b"".join(encode_bundle(note, [], KEYS, receipts)), TRUST)
    found = {(each.fault, each.index) for each in report.findings}
    assert found == {(Fault.SIGNATURE, 7), (Fault.CLOCK, 8)}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b"null",
        b"\xff",
        b"{}",
        RECEIPT,
        BUNDLE[:-5],
        BUNDLE.replace(b"bundle-v1", b"bundle-v2"),
        BUNDLE.replace(b'"checkpoint":"', b'"checkpoint":1,"other":"'),
        BUNDLE.replace(b'"receipts":[', b'"receipts":{},"more":['),
        BUNDLE.replace(b'"keys":[', b'"keys":[1,'),
        BUNDLE.replace(b'"format"', b'"format":"x","format"'),
        b"[" * 50_000,
    ],
    ids=range(15),
)
def test_what_is_no_bundle_is_said_to_be_none(data: bytes) -> None:
    (finding,) = verify_bundle(data, TRUST).findings
    assert finding == Finding(Fault.MALFORMED, "the file is not a bundle (direct311-bundle-v1)")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("direct311-receipt-v1", "direct311-receipt-v2"),
        ("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2"),
        ('"entry_key":"', '"entry_key":null,"other":"'),
        ('"entry":"', '"entry":"!'),
        ('"proof":"', '"proof":1,"other":"'),
        ('"event":{', '"event":null,"other":{'),
    ],
)
def test_what_is_no_receipt_is_said_to_be_none(old: str, new: str) -> None:
    assert old in RECEIPT.decode()
    (finding,) = verify_receipt(RECEIPT.decode().replace(old, new).encode(), TRUST).findings
    assert finding.fault is Fault.MALFORMED


@pytest.mark.parametrize(
    "broken",
    [
        None,
        {},
        {"index": True},
        {"index": -1},
        {"proof": None},
        {"proof": ["AAAA"]},
        {"entry": None},
        {"entry_key": "AAAA"},
        {"entry_key": None},
        {"event": None},
    ],
)
def test_a_malformed_receipt_in_a_bundle_does_not_hide_the_others(broken: Any) -> None:
    document = json.loads(BUNDLE)
    document["receipts"][2] = document["receipts"][2] | broken if broken else broken
    report = verify_bundle(json.dumps(document).encode(), TRUST)
    (finding,) = report.findings
    assert finding == Finding(Fault.MALFORMED, "receipt 3 of the bundle is malformed")
    assert "are in the log as shown: 4 of 4\n" in report.text


@given(st.integers(0, len(RECEIPT) * 8 - 1))
def test_no_bit_of_a_receipt_matters_unseen(bit: int) -> None:
    data = bytearray(RECEIPT)
    data[bit // 8] ^= 1 << bit % 8
    report = verify_receipt(bytes(data), TRUST, KEYS)
    # The keys that came with the file are not used here, and so are the only part free to change.
    start, end = RECEIPT.index(b'"keys":'), RECEIPT.index(b'"entry":')
    assert not report.ok or start <= bit // 8 < end


def test_disclosing_an_entry_does_not_disclose_its_record() -> None:
    _, key = body_key(EVENTS[7])
    assert base64.b64encode(key) not in BUNDLE
    assert Entry.parse(ENTRIES[7]).key_reference.hex() not in BUNDLE.decode()
