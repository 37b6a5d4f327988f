"""Receipts and bundles: files that an auditor keeps and checks without the service.

A receipt proves one entry; a bundle proves any number of entries under one checkpoint. For each
entry, both disclose the key that opens it and the event that it holds. An entry whose event is
withheld or destroyed stays sealed and has only its proof. Both are JSON:

    receipt  {"format": "direct311-receipt-v1", "proof": <tlog-proof>, "keys": [...],
              "entry": base64, "entry_key": base64 or null, "event": {...} or null}
    bundle   {"format": "direct311-bundle-v1", "checkpoint": <signed note>, "vkeys": [...],
              "keys": [...], "receipts": [{"index": number, "proof": [base64, ...],
              "entry": ..., "entry_key": ..., "event": ...}]}

`keys` are the public keys of the events' producers, `vkeys` the log's. Nothing is trusted just
because it is in the file: the verifier must bring the log's key.
"""

import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from direct311.verifier.checkpoint import (
    Checkpoint,
    SignedCheckpoint,
    Trust,
    verify_checkpoint,
)
from direct311.verifier.entry import DecryptionError, DigestError, Entry, EntryError
from direct311.verifier.event import (
    ClockError,
    Event,
    EventError,
    EventKey,
    EventKeyError,
    EventSignatureError,
    MalformedEventError,
    ProducerError,
    decode_json,
    parse_event_keys,
    verify_event,
)
from direct311.verifier.merkle import HASH_SIZE, ProofError, leaf_hash, verify_inclusion
from direct311.verifier.note import NoteError, VerifierKey, decode_base64, encode_base64
from direct311.verifier.proof import MalformedProofError, TlogProof
from direct311.verifier.report import Fault, Finding, Report

RECEIPT_FORMAT = "direct311-receipt-v1"
BUNDLE_FORMAT = "direct311-bundle-v1"

_FAULTS = {
    DecryptionError: Fault.DECRYPTION,
    DigestError: Fault.DECRYPTION,
    EventSignatureError: Fault.SIGNATURE,
    EventKeyError: Fault.KEY,
    ProducerError: Fault.PRODUCER,
    ClockError: Fault.CLOCK,
}


@dataclass(frozen=True, slots=True)
class Receipt:
    """One entry (number `index` in the log) with its inclusion proof, disclosed or sealed.

    `event` is the event as a reader sees it. Both `event` and `entry_key` are None for a sealed
    entry.
    """

    index: int
    entry: bytes
    hashes: tuple[bytes, ...]
    entry_key: bytes | None = None
    event: Any = None

    @classmethod
    def disclose(cls, index: int, entry: bytes, hashes: Iterable[bytes], entry_key: bytes) -> Self:
        """The receipt of an entry that a reader may see. Raises what `Entry.open` raises."""
        event = Entry.parse(entry).open(entry_key)
        return cls(index, entry, tuple(hashes), entry_key, event.shown)

    @classmethod
    def parse(cls, document: Any) -> Self:
        """Read one member of a bundle's `receipts`. Raises `ValueError`."""
        try:
            index = document["index"]
            hashes = tuple(decode_base64(each, HASH_SIZE) for each in document["proof"])
        except (KeyError, TypeError) as error:
            raise ValueError("malformed") from error
        if type(index) is not int or index < 0:
            raise ValueError("malformed")
        return cls(index, *_parse_disclosure(document, hashes))

    def disclosure(self) -> dict[str, Any]:
        return {
            "entry": encode_base64(self.entry),
            "entry_key": None if self.entry_key is None else encode_base64(self.entry_key),
            "event": self.event,
        }

    def as_json(self) -> dict[str, Any]:
        """The receipt as a member of a bundle."""
        proof = [encode_base64(each) for each in self.hashes]
        return {"index": self.index, "proof": proof, **self.disclosure()}


def _parse_disclosure(
    document: Any, hashes: tuple[bytes, ...]
) -> tuple[bytes, tuple[bytes, ...], bytes | None, Any]:
    try:
        entry = decode_base64(document["entry"])
        key, event = document["entry_key"], document["event"]
        entry_key = None if key is None else decode_base64(key, 32)
    except (KeyError, TypeError) as error:
        raise ValueError("malformed") from error
    if (entry_key is None) is not (event is None):
        raise ValueError("an entry has both key and event, or neither")
    return entry, hashes, entry_key, event


# Making


def encode_receipt(receipt: Receipt, checkpoint: str, keys: Iterable[EventKey]) -> bytes:
    """The receipt file of one entry under a checkpoint (a signed note)."""
    document = {
        "format": RECEIPT_FORMAT,
        "proof": str(TlogProof(receipt.index, receipt.hashes, checkpoint)),
        "keys": [key.as_json() for key in keys],
        **receipt.disclosure(),
    }
    return _dump(document) + b"\n"


def encode_bundle(
    checkpoint: str,
    vkeys: Iterable[VerifierKey],
    keys: Iterable[EventKey],
    receipts: Iterable[Receipt],
) -> Iterator[bytes]:
    """A bundle, piece by piece, one receipt per line, in constant memory for any number of
    receipts."""
    head = {
        "format": BUNDLE_FORMAT,
        "checkpoint": checkpoint,
        "vkeys": [str(key) for key in vkeys],
        "keys": [key.as_json() for key in keys],
    }
    yield _dump(head)[:-1] + b',"receipts":['
    separator = b"\n"
    for receipt in receipts:
        yield separator + _dump(receipt.as_json())
        separator = b",\n"
    yield b"\n]}\n"


def _dump(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


# Verifying


def verify_bundle(data: bytes, trust: Trust, keys: Sequence[EventKey] | None = None) -> Report:
    """Check a bundle: its checkpoint, each entry's inclusion and content, and who signed each
    event.

    `trust` holds the log's keys as the caller knows them, and `keys` the producers' keys. If `keys`
    is None, the bundle's own keys are used and the report says so.
    """
    try:
        document = decode_json(data)
        if document["format"] != BUNDLE_FORMAT:
            raise ValueError("another format")
        note, members = document["checkpoint"], document["receipts"]
        producers = parse_event_keys(document) if keys is None else tuple(keys)
        if not isinstance(note, str) or not isinstance(members, list):
            raise ValueError("malformed")
    except (KeyError, TypeError, ValueError):
        return _broken(f"the file is not a bundle ({BUNDLE_FORMAT})")
    try:
        signed = verify_checkpoint(note, trust)
    except NoteError as error:
        return Report((Finding(Fault.CHECKPOINT, f"{error}; nothing else was checked"),))

    findings: list[Finding] = []
    receipts: dict[int, Receipt] = {}
    for position, member in enumerate(members, 1):
        try:
            receipt = Receipt.parse(member)
        except ValueError:
            findings.append(
                Finding(Fault.MALFORMED, f"receipt {position} of the bundle is malformed")
            )
            continue
        if receipt.index in receipts:
            findings.append(
                Finding(Fault.DOUBLED, "the bundle has more than one receipt for it", receipt.index)
            )
        receipts[receipt.index] = receipt
        findings += _verify_receipt(receipt, signed.checkpoint, producers)
    findings += _replayed(receipts, {finding.index for finding in findings})
    return _report(signed, list(receipts.values()), findings, own_keys=keys is not None)


def verify_receipt(data: bytes, trust: Trust, keys: Sequence[EventKey] | None = None) -> Report:
    """Check a single receipt, as `verify_bundle` checks a bundle."""
    try:
        document = decode_json(data)
        if document["format"] != RECEIPT_FORMAT:
            raise ValueError("another format")
        proof = TlogProof.parse(document["proof"])
        receipt = Receipt(proof.index, *_parse_disclosure(document, proof.hashes))
        producers = parse_event_keys(document) if keys is None else tuple(keys)
    except MalformedProofError as error:
        return _broken(str(error))
    except (AttributeError, KeyError, TypeError, ValueError):
        return _broken(f"the file is not a receipt ({RECEIPT_FORMAT})")
    try:
        signed = verify_checkpoint(proof.checkpoint, trust)
    except NoteError as error:
        return Report((Finding(Fault.CHECKPOINT, f"{error}; nothing else was checked"),))
    findings = _verify_receipt(receipt, signed.checkpoint, producers)
    return _report(signed, [receipt], findings, own_keys=keys is not None)


def _broken(says: str) -> Report:
    return Report((Finding(Fault.MALFORMED, says),))


def _verify_receipt(receipt: Receipt, head: Checkpoint, keys: Sequence[EventKey]) -> list[Finding]:
    index = receipt.index
    findings = []
    try:
        verify_inclusion(leaf_hash(receipt.entry), index, head.size, receipt.hashes, head.root)
    except ProofError as error:
        findings.append(Finding(Fault.INCLUSION, f"it is not in the log as shown: {error}", index))
    try:
        entry = Entry.parse(receipt.entry)
        if receipt.entry_key is None:
            return findings
        event = entry.open(receipt.entry_key)
        findings += _compare_shown(receipt, event)
        verify_event(event, entry.logged_at, keys)
    except (EntryError, EventError) as error:
        findings.append(Finding(_FAULTS.get(type(error), Fault.MALFORMED), str(error), index))
    return findings


def _replayed(receipts: Mapping[int, Receipt], wrong: Container[int | None]) -> Iterator[Finding]:
    """Events that have more than one entry; reports the later entries."""
    first: dict[str, int] = {}
    for index in sorted(receipts):
        if receipts[index].event is None or index in wrong:
            continue
        earlier = first.setdefault(receipts[index].event["id"], index)
        if earlier != index:
            yield Finding(Fault.DOUBLED, f"it holds the same event as entry {earlier}", index)


def _compare_shown(receipt: Receipt, event: Event) -> list[Finding]:
    held = event.shown
    if not isinstance(receipt.event, dict):
        raise MalformedEventError("the event shown is malformed")
    names = [name for name in held if _spelt(receipt.event.get(name)) != _spelt(held[name])]
    extra = "members that are not in the entry" if receipt.event.keys() - held.keys() else ""
    differing = ", ".join([*names, *filter(None, [extra])])
    if not differing:
        return []
    says = f"the event shown is not the event in the entry; it differs in: {differing}"
    return [Finding(Fault.SHOWN, says, receipt.index)]


def _spelt(value: Any) -> str:
    """JSON in one fixed form, in which 1, 1.0 and true stay three different values."""
    return json.dumps(value, sort_keys=True)


def _report(
    signed: SignedCheckpoint,
    receipts: Sequence[Receipt],
    findings: list[Finding],
    *,
    own_keys: bool,
) -> Report:
    wrong = {finding.index for finding in findings}
    good = [receipt for receipt in receipts if receipt.index not in wrong]
    opened = sum(receipt.entry_key is not None for receipt in good)
    verified = [
        signed.says,
        f"entries that are in the log as shown: {len(good):,} of {len(receipts):,}",
        f"events that opened and match what their producer signed: {opened:,}",
    ]
    if sealed := len(good) - opened:
        verified.append(f"entries that stay sealed, withheld or destroyed: {sealed:,}")
    notes = ["only the whole log can show that no entry was left out; a selection cannot"]
    if opened:
        notes.append(
            "only the service that signed says that the named person did it; the identity provider "
            "can confirm the token (issuer and jti)"
        )
    if opened and not own_keys:
        notes.append(
            "the producers' keys came from this file; compare them with the published list"
        )
    return Report(tuple(findings), tuple(verified), tuple(notes))
