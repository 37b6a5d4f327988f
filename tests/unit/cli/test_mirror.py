"""A copy of the whole log: verified as it comes, gone on with where it was broken off."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from direct311.cli.mirror import MirrorError, mirror
from direct311.verifier.log import directory, verify_log
from direct311.verifier.note import NoteError
from direct311.verifier.report import Fault, Report
from tests.support.audit_log import TRUST, access, sealed, write_log

SIZE = 808
ENTRIES = [sealed(access(number)) for number in range(SIZE)]
LOG = write_log(ENTRIES)
SHORT = write_log(ENTRIES[:300])


class Served:
    """A log over HTTP: answers with its files, and remembers which were asked for."""

    def __init__(
        self, files: Mapping[str, bytes], fails: Callable[[int], bool] = lambda _: False
    ) -> None:
        self.files = files
        self.asked: list[str] = []
        self._fails = fails

    async def __call__(self, path: str) -> bytes:
        self.asked.append(path)
        if self._fails(len(self.asked)):
            raise ConnectionError
        return self.files[path]


def copied(served: Served, folder: Path) -> Report:
    return asyncio.run(mirror(served, folder, TRUST, lambda *_: None))


def test_a_copy_verifies_offline(tmp_path: Path) -> None:
    assert copied(Served(LOG.files), tmp_path).ok
    assert verify_log(directory(tmp_path), TRUST).ok
    assert (tmp_path / "checkpoint").read_bytes() == LOG.files["checkpoint"]


def test_a_copy_that_was_broken_off_goes_on_and_asks_for_nothing_twice(tmp_path: Path) -> None:
    broken = Served(LOG.files, fails=lambda count: count > 6)
    with pytest.raises(ConnectionError):
        copied(broken, tmp_path)
    assert not (tmp_path / "checkpoint").exists()
    there = {path for path in LOG.files if (tmp_path / path).is_file()}
    again = Served(LOG.files)
    assert copied(again, tmp_path).ok
    assert there
    assert not there & set(again.asked)


def test_an_old_copy_is_brought_up_to_date_and_partial_tiles_go(tmp_path: Path) -> None:
    assert copied(Served(SHORT.files), tmp_path).ok
    partial = list(tmp_path.glob("tile/**/*.p/*"))
    served = Served(LOG.files)
    assert copied(served, tmp_path).ok
    assert "tile/entries/000" not in served.asked
    assert partial
    assert not any(path.exists() for path in partial)


def test_a_log_that_was_rolled_back_keeps_the_older_checkpoint(tmp_path: Path) -> None:
    assert copied(Served(LOG.files), tmp_path).ok
    report = copied(Served(SHORT.files), tmp_path)
    assert [each.fault for each in report.findings] == [Fault.ROLLED_BACK]
    assert (tmp_path / "checkpoint").read_bytes() == LOG.files["checkpoint"]


@pytest.mark.parametrize(
    "path", [path for path in LOG.files if path.startswith(("tile/entries", "tile/0/"))]
)
def test_an_entry_that_is_not_what_its_tile_says_is_not_kept(tmp_path: Path, path: str) -> None:
    content = bytearray(LOG.files[path])
    content[-1] ^= 1
    with pytest.raises(MirrorError, match="is not what"):
        copied(Served(LOG.files | {path: bytes(content)}), tmp_path)
    assert not (tmp_path / path).exists()
    assert not (tmp_path / "checkpoint").exists()


def test_a_checkpoint_of_another_log_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    served = Served(LOG.files | {"checkpoint": b"other\n1\nAAAA\n"})
    with pytest.raises(NoteError):
        copied(served, tmp_path)
    assert served.asked == ["checkpoint"]
    assert not list(tmp_path.iterdir())
