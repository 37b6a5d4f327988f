"""The tampering campaign: what somebody may do to the log, and what the verifier says of it.

`ATTACKS` reads as a table: who could do it, what is done, what is found, at which entry, in which
words. The fine grain of each kind lies in tests/unit/verifier; attacks on the query index, which
the service's own monitor finds, follow below.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from anyio import run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from direct311.verifier.bundle import Receipt, encode_bundle, verify_bundle
from direct311.verifier.checkpoint import Checkpoint
from direct311.verifier.event import Event, EventKey
from direct311.verifier.log import verify_log
from direct311.verifier.merkle import MemoryHashes, inclusion_proof, leaf_hash, tree_root
from direct311.verifier.note import Signer
from direct311.verifier.report import Fault, Report
from direct311.verifier.tiles import join_entries, split_entries
from tests.support.audit_log import (
    KEYS,
    LOG_SIGNER,
    ORIGIN,
    START,
    TRUST,
    Written,
    access,
    entry_key,
    event_key,
    private_key,
    sealed,
    signed,
    write_log,
)
from tests.unit.audit.events import Producer
from tests.unit.audit.fakes import InMemoryBodyKeys, InMemoryLog
from tests.unit.audit.log_contract import Stores, in_memory

SIZE = 600
"""Two full bundles and 88 entries in one that grows."""

EVENTS = [access(number) for number in range(SIZE)]
ENTRIES = [sealed(event) for event in EVENTS]
LOG = write_log(ENTRIES, [100, 300])
MONDAY, TUESDAY, TODAY = (LOG.checkpoints[size] for size in (100, 300, SIZE))
"""The auditor has kept the first two."""


def whole(files: dict[str, bytes], *kept: str, checkpoint: str | None = None) -> Report:
    """The whole log as it is served, against its checkpoint and those that the auditor kept."""
    return verify_log(Written(files, {}).read, TRUST, kept, checkpoint=checkpoint)


def served(entries: Sequence[bytes], *kept: str) -> Report:
    """Another log in its place, complete and signed with the log's own key."""
    return whole(write_log(entries).files, *kept)


def rebundled(entries: Sequence[bytes]) -> Report:
    """The signed tiles and checkpoint, with the bundles of other entries."""
    other = write_log(entries).files
    return whole(LOG.files | {path: each for path, each in other.items() if "entries" in path})


def flipped(path: str, at: int) -> Report:
    content = bytearray(LOG.files[path])
    content[at] ^= 1
    return whole(LOG.files | {path: bytes(content)})


def replaced(index: int, entry: bytes) -> Report:
    path = f"tile/entries/{index // 256:03}"
    entries = split_entries(LOG.files[path])
    entries[index % 256] = entry
    return whole(LOG.files | {path: join_entries(entries)})


def swapped(one: int, other: int) -> Report:
    entries = list(ENTRIES)
    entries[one], entries[other] = entries[other], entries[one]
    return rebundled(entries)


@dataclass
class Shown:
    """A bundle: these events at their places, everything else of the log unchanged."""

    events: dict[int, Event]
    logged_at: dict[int, Any] = field(default_factory=dict)
    keys: tuple[EventKey, ...] = KEYS
    edit: Callable[[list[Receipt]], list[Receipt]] = list
    signer: Signer = LOG_SIGNER

    def report(self) -> Report:
        entries = list(ENTRIES)
        for index, event in self.events.items():
            entries[index] = sealed(event, self.logged_at.get(index, EVENTS[index].occurred_at))
        read = MemoryHashes([leaf_hash(entry) for entry in entries])
        receipts = [
            Receipt.disclose(
                index,
                entries[index],
                inclusion_proof(read, index, SIZE),
                entry_key(event, entries[index]),
            )
            for index, event in {3: EVENTS[3], **self.events}.items()
        ]
        head = Checkpoint(ORIGIN, SIZE, tree_root(read, SIZE))
        note = str(head.sign([self.signer]))
        pieces = encode_bundle(note, [self.signer.key], self.keys, self.edit(receipts))
        return verify_bundle(b"".join(pieces), TRUST, self.keys)


def forged(**changes: Any) -> Event:
    """Event 7 as its service never signed it."""
    return replace(EVENTS[7], **changes)


def by(service: str, **changes: Any) -> Event:
    """Event 7, changed and under the signature of a service."""
    return signed(replace(EVENTS[7], **changes), service)


def until(service: str, days: int) -> tuple[EventKey, ...]:
    """The producers' keys; that of one was revoked some days before the first event."""
    revoked = replace(event_key(service), not_after=START - timedelta(days=days))
    return tuple(revoked if key.service == service else key for key in KEYS)


STRANGER = Signer(ORIGIN, private_key("stranger"))
CERTIFIED = "gov.miamidade.direct311.disposition.certified.v1"


def with_key_of_another(receipts: list[Receipt]) -> list[Receipt]:
    return [receipts[0], replace(receipts[1], entry_key=receipts[0].entry_key)]


def at_the_place_of_another(receipts: list[Receipt]) -> list[Receipt]:
    return [receipts[0], replace(receipts[1], index=8)]


def shown_otherwise(receipts: list[Receipt]) -> list[Receipt]:
    event = {**receipts[1].event, "subject": "somebody-else"}
    return [receipts[0], replace(receipts[1], event=event)]


def headless(index: int) -> bytes:
    """An entry whose time of logging was changed in its head."""
    return ENTRIES[index].replace(b"2026-03-02T14", b"2026-03-02T13", 1)


def put_back(minutes: int) -> list[bytes]:
    """The log's clock was put back before entry 40."""
    return [
        sealed(event, event.occurred_at - timedelta(minutes=minutes if index >= 40 else 0))
        for index, event in enumerate(EVENTS)
    ]


ANEW = [sealed(event) for event in EVENTS]
"""The same events under other nonces, as who has the log's key and body keys can make them."""

Found = tuple[Fault, int | None, str]
ATTACKS: dict[str, tuple[Callable[[], Report], Found]] = {
    # --- an administrator of the store, who has no key
    "one byte of a body": (
        lambda: flipped("tile/entries/001", len(LOG.files["tile/entries/001"]) - 1),
        (Fault.CHANGED, 511, "it is not the signed entry"),
    ),
    "the time in the head of an entry": (
        lambda: replaced(400, headless(400)),
        (Fault.CHANGED, 400, "it is not the signed entry"),
    ),
    "one byte of a leaf": (
        lambda: flipped("tile/0/001", 32 * 9 + 5),
        (Fault.TILE, 265, "hash 9 of tile/0/001 does not match this entry"),
    ),
    "one byte of a tile": (
        lambda: flipped("tile/1/000.p/2", 40),
        (Fault.TILE, 256, "hash 1 of tile/1/000.p/2 does not match the 256 entries from here on"),
    ),
    "an entry dropped": (
        lambda: rebundled([*ENTRIES[:137], *ENTRIES[138:], ENTRIES[0]]),
        (Fault.DROPPED, 137, "1 entry dropped here; later ones have moved up"),
    ),
    "an entry doubled": (
        lambda: rebundled([*ENTRIES[:138], *ENTRIES[137:-1]]),
        (Fault.DOUBLED, 138, "the entry here repeats entry 137"),
    ),
    "entries reordered": (
        lambda: swapped(20, 31),
        (Fault.REORDERED, 20, "the entry here is entry 31: entries have changed places"),
    ),
    "an entry put in": (
        lambda: rebundled([*ENTRIES[:50], sealed(access(9_999)), *ENTRIES[50:-1]]),
        (Fault.INSERTED, 50, "the entry here was never signed"),
    ),
    "the log cut back": (
        lambda: whole({path: each for path, each in LOG.files.items() if "/002" not in path}),
        (Fault.MISSING, 512, "from here on neither entries nor tiles can be read"),
    ),
    "entries and tiles rewritten together": (
        lambda: whole(write_log(ANEW).files | {"checkpoint": TODAY.encode()}, MONDAY, TUESDAY),
        (Fault.REWRITTEN, None, "the first change lies between entries 0 and 99"),
    ),
    # --- the operator of the log, who has its key
    "the log rolled back to yesterday": (
        lambda: whole(write_log(ENTRIES[:300]).files, TODAY),
        (Fault.ROLLED_BACK, 300, "a signed checkpoint says that it had 600: 300 are gone"),
    ),
    "an old checkpoint replayed": (
        lambda: whole(LOG.files | {"checkpoint": TUESDAY.encode()}, TODAY),
        (Fault.ROLLED_BACK, 300, "300 are gone"),
    ),
    "the log forked": (
        lambda: served([*ENTRIES[:200], *ANEW[200:]], MONDAY, TUESDAY),
        (Fault.FORKED, None, "different readers, which diverge between entries 100 and 299"),
    ),
    "two histories of one size": (
        lambda: served([*ENTRIES[:450], *ANEW[450:]], TODAY),
        (Fault.FORKED, None, "two signed checkpoints over 600 entries have different roots"),
    ),
    "an entry replayed": (
        lambda: served([*ENTRIES, ENTRIES[7]]),
        (Fault.DOUBLED, 600, "it repeats entry 7, byte for byte"),
    ),
    "an event replayed, sealed anew": (
        Shown({7: EVENTS[7], 500: EVENTS[7]}, {500: EVENTS[500].occurred_at}).report,
        (Fault.DOUBLED, 500, "it holds the same event as entry 7"),
    ),
    "the log's clock put back": (
        lambda: served(put_back(30)),
        (Fault.CLOCK, 40, "its own time says that it was logged before the entry in front of it"),
    ),
    "an event dated ahead": (
        Shown({7: by("intake", time="2026-03-02T18:00:00Z")}).report,
        (Fault.CLOCK, 7, "it is dated after the time at which it was logged"),
    ),
    "an event that the log changed before it sealed it": (
        Shown({7: forged(body=EVENTS[7].body.replace(b"view", b"list"))}).report,
        (Fault.SIGNATURE, 7, "the signature does not verify under the key intake-2026-1"),
    ),
    "the log's key swapped": (
        Shown({7: EVENTS[7]}, signer=STRANGER).report,
        (Fault.CHECKPOINT, None, "nothing else was checked"),
    ),
    "the log's key swapped, for the whole log": (
        lambda: whole(
            LOG.files,
            checkpoint=str(Checkpoint.parse(TODAY.split("\n\n")[0] + "\n").sign([STRANGER])),
        ),
        (Fault.CHECKPOINT, None, "not signed by any of the given keys"),
    ),
    # --- a service, whose principal may not say this
    "a service signs another's event": (
        Shown({7: by("retention")}).report,
        (Fault.PRODUCER, 7, "signed with a key of retention, but it names another service"),
    ),
    "a service signs a kind that is not its own": (
        Shown({7: by("intake", type=CERTIFIED)}).report,
        (Fault.PRODUCER, 7, "intake may not sign events of the type disposition.certified"),
    ),
    "a key that was revoked": (
        Shown({7: EVENTS[7]}, keys=until("intake", 1)).report,
        (Fault.KEY, 7, "the key intake-2026-1 was not valid at the time of the event"),
    ),
    "a revoked key, and the event dated back": (
        Shown({7: by("intake", time="2026-02-01T00:00:00Z")}, keys=until("intake", 20)).report,
        (Fault.KEY, 7, "logged too long after the key intake-2026-1 had expired"),
    ),
    "a key that nobody lists": (
        Shown({7: forged(keyid="intake-2031-1")}).report,
        (Fault.KEY, 7, "names an unknown key"),
    ),
    "a producer's key swapped in the list": (
        Shown(
            {7: EVENTS[7]},
            keys=(replace(KEYS[0], public=event_key("media").public), KEYS[1]),
        ).report,
        (Fault.SIGNATURE, 7, "does not verify under the key intake-2026-1"),
    ),
    # --- whoever hands the bundle over
    "an event shown otherwise": (
        Shown({7: EVENTS[7]}, edit=shown_otherwise).report,
        (Fault.SHOWN, 7, "it differs in: subject"),
    ),
    "an entry's key swapped": (
        Shown({7: EVENTS[7]}, edit=with_key_of_another).report,
        (Fault.DECRYPTION, 7, "the key does not open it"),
    ),
    "a proof of another place": (
        Shown({7: EVENTS[7]}, edit=at_the_place_of_another).report,
        (Fault.INCLUSION, 8, "it is not in the log as shown"),
    ),
}


def test_nothing_is_found_where_nothing_was_done() -> None:
    assert whole(LOG.files, MONDAY, TUESDAY).ok
    assert Shown({7: EVENTS[7]}).report().ok


@pytest.mark.policy("P20")
@pytest.mark.parametrize("attack", ATTACKS)
def test_what_was_done_is_found_and_told_where(attack: str) -> None:
    do, (fault, index, words) = ATTACKS[attack]
    report = do()
    assert not report.ok
    assert (fault, index) in {(finding.fault, finding.index) for finding in report.findings}
    assert words in report.text


def test_the_whole_log_stands_between_two_checkpoints() -> None:
    """From Monday's to Tuesday's, whatever came later, and what the report says of each."""
    report = whole(LOG.files, MONDAY, checkpoint=TUESDAY)
    assert report.ok
    assert "over 300 entries is signed by the log" in report.text
    assert "it begins with the 100 of an older checkpoint" in report.text
    assert "all entries were hashed again" in report.text
    # Given the wrong way round, the report says that the later one reaches further.
    (finding,) = whole(LOG.files, TUESDAY, checkpoint=MONDAY).findings
    assert (finding.fault, finding.index) == (Fault.ROLLED_BACK, 100)


@settings(deadline=None)
@given(st.data())
def test_wherever_an_entry_is_dropped_doubled_or_moved_that_place_is_told(
    data: st.DataObject,
) -> None:
    at = data.draw(st.integers(0, SIZE - 2))
    kind = data.draw(st.sampled_from(["dropped", "doubled", "moved"]))
    if kind == "dropped":
        report, index = rebundled([*ENTRIES[:at], *ENTRIES[at + 1 :], ENTRIES[0]]), at
    elif kind == "doubled":
        report, index = rebundled([*ENTRIES[: at + 1], *ENTRIES[at:-1]]), at + 1
    else:
        report, index = swapped(at, at + 1), at
    assert report.findings[0].index == index


@settings(deadline=None)
@given(st.integers(1, SIZE - 1), st.sampled_from([100, 300]))
def test_wherever_a_log_forks_it_is_told_by_a_checkpoint_behind(at: int, kept: int) -> None:
    report = served([*ENTRIES[:at], *ANEW[at:]], LOG.checkpoints[kept])
    assert report.ok is (at >= kept)
    assert (Fault.FORKED in {finding.fault for finding in report.findings}) is (at < kept)


# ---------------------------------------------------------------- the query index


EDITS: dict[str, dict[str, Any]] = {
    "another actor": {"actor": "somebody-else"},
    "another purpose": {"purpose": "county_business"},
    "another record": {"record_ids": ("0195567e-8f00-7000-8000-0000000000ff",)},
    "no record": {"record_ids": ()},
    "a denial for a success": {"outcome": "denied"},
    "another time": {"occurred_at": START + timedelta(days=1)},
    "another time of logging": {"logged_at": START + timedelta(days=1)},
    "another event's id": {"event_id": "0195567e-8f00-7000-8000-0000000000fe"},
    "hidden like one whose record is gone": {"facts": None},
    "another entry": {"data": ENTRIES[0]},
    "another entry with its hash": {"data": ENTRIES[0], "leaf": leaf_hash(ENTRIES[0])},
    "another hash": {"leaf": bytes(32)},
    "no tag": {"tag": b""},
}


async def index_of(number: int) -> Stores:
    stores = in_memory(InMemoryLog(), InMemoryBodyKeys())
    producer = Producer()
    records = [f"0195567e-8f00-7000-8000-{each:012x}" for each in range(7)]
    await stores.arrive([producer.access(records[each % 7]) for each in range(number)])
    await stores.sequence()
    return stores


async def told_after(number: int, at: int, edit: dict[str, Any] | None) -> list[tuple[str, str]]:
    """What the monitor tells when the row of an entry was edited, or removed, and mended again."""
    stores = await index_of(number)
    await stores.index_watch.step()
    assert stores.alarms.raised == []
    if edit is None:
        await stores.meddler.remove(at)
    else:
        await stores.meddler.edit(at, edit)
    await stores.index_watch.step()
    told = list(stores.alarms.raised)
    await stores.rebuild()
    await stores.index_watch.step()
    assert stores.alarms.raised == told
    assert await stores.index_watch.mismatches() == 0
    return told


@pytest.mark.policy("P20")
@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_of_the_index_is_found_and_located(edit: str) -> None:
    told = run(told_after, 20, 13, EDITS[edit])
    assert told == [("index_mismatch", "entry:13 2026-03-02")]


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 270), st.data())
def test_wherever_an_entry_is_taken_out_of_the_index_that_place_is_told(
    number: int, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, number - 1))
    told = run(told_after, number, at, None)
    # Without the last one nobody can tell whether the index has all: it cannot be asked.
    about = f"entry:{at}" if at < number - 1 else f"index:{number}"
    assert told == [("index_mismatch", f"{about} 2026-03-02")]
