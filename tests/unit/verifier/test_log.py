"""A whole log: every kind of tampering is found, and told where it lies."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.verifier.checkpoint import Checkpoint, Quorum, Trust
from direct311.verifier.difference import describe_difference
from direct311.verifier.log import MAX_FINDINGS, directory, verify_log
from direct311.verifier.note import Cosigner, Note, Signer
from direct311.verifier.report import Fault, Report
from direct311.verifier.tiles import join_entries, split_entries
from tests.support.audit_log import (
    LOG_SIGNER,
    ORIGIN,
    START,
    TRUST,
    Written,
    access,
    private_key,
    sealed,
    write_log,
)

SIZE = 808
"""Three full bundles and forty entries in a partial one."""

ENTRIES = [sealed(access(number)) for number in range(SIZE)]
LOG = write_log(ENTRIES, [1, 256, 300, 700])
OLDER = [LOG.checkpoints[size] for size in (1, 256, 300, 700)]


def verify(
    files: dict[str, bytes], older: Sequence[str] = (), checkpoint: str | None = None
) -> Report:
    return verify_log(Written(files, {}).read, TRUST, older, checkpoint=checkpoint)


def found(report: Report) -> list[tuple[Fault, int | None]]:
    return [(finding.fault, finding.index) for finding in report.findings]


def changed(path: str, at: int) -> dict[str, bytes]:
    content = bytearray(LOG.files[path])
    content[at] ^= 1
    return LOG.files | {path: bytes(content)}


def without(*paths: str) -> dict[str, bytes]:
    return {path: content for path, content in LOG.files.items() if path not in paths}


def repacked(path: str, edit: Callable[[list[bytes]], list[bytes]]) -> dict[str, bytes]:
    """The log with one entry bundle edited and packed again."""
    return LOG.files | {path: join_entries(edit(split_entries(LOG.files[path])))}


def rebundled(entries: list[bytes]) -> dict[str, bytes]:
    """The log's tiles and checkpoint, with the bundles of other entries."""
    bundles = write_log(entries).files
    return LOG.files | {path: data for path, data in bundles.items() if "entries" in path}


def test_a_good_log_passes_with_all_older_checkpoints() -> None:
    report = verify(LOG.files, OLDER)
    assert report.ok
    assert "all entries were hashed again; they and 5 tiles lead to its root" in report.text
    assert "begins with the 700 of an older checkpoint" in report.text


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 512])
def test_logs_of_any_size_pass(size: int) -> None:
    assert verify(write_log(ENTRIES[:size]).files).ok


def test_a_log_is_verified_up_to_an_earlier_checkpoint() -> None:
    # The partial tiles of that time may be gone: full ones stand for them.
    files = without("tile/0/001.p/44", "tile/entries/001.p/44")
    assert verify(files, OLDER[:2], LOG.checkpoints[300]).ok


def test_a_log_is_read_from_a_directory(tmp_path: Path) -> None:
    LOG.write(tmp_path)
    assert verify_log(directory(tmp_path), TRUST, OLDER).ok
    (tmp_path / "tile/0/002").unlink()
    (tmp_path / "tile/0/002").mkdir()
    assert found(verify_log(directory(tmp_path), TRUST)) == [(Fault.MISSING, 512)]


@pytest.mark.parametrize("index", [0, 17, 255, 256, 511, 768, 807])
def test_one_changed_byte_of_an_entry(index: int) -> None:
    number, width = divmod(index, 256)
    path = "tile/entries/003.p/40" if number == 3 else f"tile/entries/00{number}"

    def edit(entries: list[bytes]) -> list[bytes]:
        entry = bytearray(entries[width])
        entry[-1] ^= 1
        return [*entries[:width], bytes(entry), *entries[width + 1 :]]

    assert found(verify(repacked(path, edit))) == [(Fault.CHANGED, index)]


@pytest.mark.policy("P20")
@given(st.data())
def test_any_changed_byte_of_any_file_is_found_in_its_place(data: st.DataObject) -> None:
    current = [
        "tile/0/000",
        "tile/0/001",
        "tile/0/002",
        "tile/0/003.p/40",
        "tile/1/000.p/3",
        "tile/entries/000",
        "tile/entries/001",
        "tile/entries/002",
        "tile/entries/003.p/40",
    ]
    path = data.draw(st.sampled_from(current))
    at = data.draw(st.integers(0, len(LOG.files[path]) - 1))
    report = verify(changed(path, at), OLDER)
    first = report.findings[0]
    if path.startswith("tile/0"):
        index = int(path[7:10]) * 256 + at // 32
        assert found(report) == [(Fault.TILE, index)]
    elif path.startswith("tile/1"):
        assert found(report) == [(Fault.TILE, at // 32 * 256)]
    else:
        number = int(path[13:16])
        start = 0
        for position, entry in enumerate(split_entries(LOG.files[path])):
            start += 2 + len(entry)
            if at < start:
                assert first.index == number * 256 + position
                break
        assert first.fault in {Fault.CHANGED, Fault.MALFORMED, Fault.MISSING}


@pytest.mark.parametrize("index", [0, 100, 255, 256, 767, 768, 806])
def test_a_dropped_entry_where_later_ones_move_up(index: int) -> None:
    files = rebundled([*ENTRIES[:index], *ENTRIES[index + 1 :], ENTRIES[0]])
    report = verify(files)
    assert found(report) == [(Fault.DROPPED, index)]
    if index < 512:
        assert "as they must where entries have moved" in report.text


def test_a_dropped_entry_within_its_bundle() -> None:
    files = repacked("tile/entries/001", lambda entries: entries[:10] + entries[13:])
    report = verify(files)
    assert found(report) == [(Fault.DROPPED, 266)]
    assert "3 entries dropped here" in report.text
    files["tile/entries/002"] = changed("tile/entries/002", 300)["tile/entries/002"]
    assert found(verify(files)) == [(Fault.DROPPED, 266), (Fault.CHANGED, 512)]


def test_entries_cut_off_the_end() -> None:
    files = repacked("tile/entries/003.p/40", lambda entries: entries[:-3])
    report = verify(files)
    assert found(report) == [(Fault.MISSING, 805)]
    assert "it and 2 entries after it are cut off" in report.text


@pytest.mark.parametrize("index", [0, 100, 255, 256, 700])
def test_a_doubled_entry(index: int) -> None:
    files = rebundled([*ENTRIES[: index + 1], *ENTRIES[index:-1]])
    report = verify(files)
    assert found(report)[0] == (Fault.DOUBLED, index + 1)
    assert f"the entry here repeats entry {index}" in report.findings[0].says


def test_an_entry_put_in_the_place_of_another() -> None:
    def edit(entries: list[bytes]) -> list[bytes]:
        return [*entries[:20], entries[3], *entries[21:]]

    assert found(verify(repacked("tile/entries/001", edit))) == [(Fault.DOUBLED, 276)]


def test_an_inserted_entry() -> None:
    stranger = sealed(access(5000))
    files = rebundled([*ENTRIES[:300], stranger, *ENTRIES[300:-1]])
    assert found(verify(files)) == [(Fault.INSERTED, 300)]
    more = repacked("tile/entries/003.p/40", lambda entries: [*entries, stranger])
    assert found(verify(more)) == [(Fault.INSERTED, 808)]


def test_entries_that_changed_places() -> None:
    def edit(entries: list[bytes]) -> list[bytes]:
        entries[30], entries[40] = entries[40], entries[30]
        return entries

    report = verify(repacked("tile/entries/000", edit))
    assert found(report) == [(Fault.REORDERED, 30)]
    assert "the entry here is entry 40" in report.text


def test_tamperings_in_several_places_are_all_told() -> None:
    files = changed("tile/entries/000", 400) | {
        path: changed(path, 65)[path] for path in ("tile/0/002", "tile/0/003.p/40")
    }
    faults = {finding.fault for finding in verify(files).findings}
    assert faults == {Fault.CHANGED, Fault.TILE}
    indexes = [finding.index for finding in verify(files).findings if finding.fault is Fault.TILE]
    assert indexes == [514, 770]


@pytest.mark.parametrize(
    ("path", "fault", "index"),
    [
        ("tile/0/001", Fault.MISSING, 256),
        ("tile/1/000.p/3", Fault.MISSING, 0),
        ("tile/entries/002", Fault.MISSING, 512),
        ("tile/entries/003.p/40", Fault.MISSING, 768),
        ("checkpoint", Fault.MISSING, None),
    ],
)
def test_a_missing_file(path: str, fault: Fault, index: int | None) -> None:
    assert found(verify(without(path))) == [(fault, index)]


def test_a_tile_cut_short() -> None:
    files = LOG.files | {"tile/0/001": LOG.files["tile/0/001"][:-100]}
    assert found(verify(files)) == [(Fault.TILE, index) for index in range(508, 512)]


def test_a_log_whose_files_end_early() -> None:
    files = {path: data for path, data in LOG.files.items() if "/003" not in path}
    report = verify(files, OLDER)
    assert found(report)[-1] == (Fault.MISSING, 768)
    assert "the first 700 entries are unchanged" in report.text


def test_a_log_cut_back_to_an_older_checkpoint() -> None:
    report = verify(write_log(ENTRIES[:700]).files, [LOG.checkpoints[808]])
    assert found(report) == [(Fault.ROLLED_BACK, 700)]
    assert "108 are gone" in report.text


def forked() -> Written:
    """Another history from entry 500 on, under the log's own signature."""
    return write_log([*ENTRIES[:500], *(sealed(access(n)) for n in range(500, SIZE))], [300, 700])


def test_a_log_with_two_histories() -> None:
    other = forked()
    report = verify(other.files, [LOG.checkpoints[808]])
    assert found(report) == [(Fault.FORKED, None)]
    report = verify(other.files, OLDER)
    assert found(report) == [(Fault.FORKED, None)]
    assert "does not begin with the 700 entries" in report.text
    assert "begins with the 300 of an older" in report.text


def test_files_rewritten_as_a_whole_are_bounded_by_older_checkpoints() -> None:
    # Whoever rewrites entries and tiles without the log's key has to keep the checkpoint.
    files = forked().files | {"checkpoint": LOG.files["checkpoint"]}
    report = verify(files, OLDER)
    assert found(report) == [(Fault.REWRITTEN, None)]
    assert "first change lies between entries 300 and 699" in report.text
    assert found(verify(files)) == [(Fault.REWRITTEN, None)]


def test_entries_and_tiles_that_are_both_wrong_are_told_apart() -> None:
    files = forked().files | {"checkpoint": LOG.files["checkpoint"]}
    files["tile/0/002"] = changed("tile/0/002", 0)["tile/0/002"]
    report = verify(files)
    assert (Fault.REWRITTEN, None) in found(report)
    assert (Fault.CHANGED, 512) in found(report)


def test_an_entry_appended_again_under_a_new_signature() -> None:
    report = verify(write_log([*ENTRIES[:300], ENTRIES[7], *ENTRIES[300:]]).files)
    assert found(report) == [(Fault.DOUBLED, 300)]
    assert "repeats entry 7, byte for byte" in report.text


def test_a_clock_that_was_put_back() -> None:
    late = [sealed(access(n), START + timedelta(minutes=n)) for n in range(20)]
    assert verify(write_log(late).files).ok
    report = verify(write_log([*late[:10], late[19], *late[10:19]]).files)
    assert found(report) == [(Fault.CLOCK, 11)]
    within = [*late[:10], late[13], *late[10:13]]
    assert verify(write_log(within).files).ok


def test_a_leaf_that_is_no_entry() -> None:
    report = verify(write_log([*ENTRIES[:3], b"anything", *ENTRIES[3:5]]).files)
    assert found(report) == [(Fault.MALFORMED, 3)]


def test_a_checkpoint_under_another_key() -> None:
    stranger = Signer(ORIGIN, private_key("stranger"))
    head = Checkpoint.parse(LOG.checkpoints[808].split("\n\n")[0] + "\n")
    files = LOG.files | {"checkpoint": str(head.sign([stranger])).encode()}
    assert found(verify(files)) == [(Fault.CHECKPOINT, None)]
    assert found(verify(LOG.files | {"checkpoint": b"\xff"})) == [(Fault.CHECKPOINT, None)]
    report = verify(LOG.files, [str(head.sign([stranger])), "not a note", OLDER[0]])
    assert found(report) == [(Fault.CHECKPOINT, None), (Fault.CHECKPOINT, None)]
    assert "older checkpoint 2" in report.text


def test_an_older_checkpoint_of_another_log() -> None:
    other = Signer("example.org/log", private_key("example"))
    note = str(Checkpoint("example.org/log", 5, bytes(32)).sign([other]))
    trust = Trust((LOG_SIGNER.key, other.key))
    assert found(verify_log(LOG.read, trust, [note])) == [(Fault.CHECKPOINT, None)]


def test_a_checkpoint_without_its_witnesses() -> None:
    witness = Cosigner("witness.example.org", private_key("w"))
    trust = Trust((LOG_SIGNER.key,), (witness.key,), Quorum("one", 1, (witness.key,)))
    assert found(verify_log(LOG.read, trust)) == [(Fault.CHECKPOINT, None)]
    note = Note.parse(LOG.checkpoints[808])
    cosigned = Note(note.text, (*note.signatures, witness.sign(note.text, START)))
    report = verify_log(LOG.read, trust, checkpoint=str(cosigned))
    assert report.ok
    assert report.verified[0].endswith("is signed by the log, cosigned by witness.example.org")
    # A checkpoint that was kept from a time before the witnesses still convicts.
    older = [min(LOG.checkpoints.items())[1]]
    assert verify_log(LOG.read, trust, older, checkpoint=str(cosigned)).ok
    forked = str(Checkpoint(ORIGIN, 808, bytes(32)).sign([LOG_SIGNER]))
    report = verify_log(LOG.read, trust, [forked], checkpoint=str(cosigned))
    assert Fault.FORKED in {finding.fault for finding in report.findings}


def test_many_findings_are_counted_not_listed() -> None:
    files = LOG.files | {"tile/0/001": bytes(8192)}
    report = verify(files)
    assert len(report.findings) == MAX_FINDINGS
    assert "206 further findings not shown" in report.text


LEAVES = [bytes([number]) * 32 for number in range(20)]


@given(st.lists(st.sampled_from(LEAVES), max_size=20), st.integers(1, 20))
def test_whatever_differs_something_is_said_and_located(leaves: list[bytes], width: int) -> None:
    told, _ = describe_difference(LEAVES, leaves, 100, width)
    pairs = zip(LEAVES, leaves, strict=False)
    first = next((at for at, (one, two) in enumerate(pairs) if one != two), len(leaves))
    if first < width:
        assert told[0].index == 100 + first
