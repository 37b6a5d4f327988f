"""How consumers learn that the gateway on their machine is busy."""

from pathlib import Path

from direct311.runtime.busy_file import AGAIN_SECONDS, FRESH_SECONDS, BusyFile


class TestBusyFile:
    def setup_method(self) -> None:
        self.now = 1_790_000_000.0

    def _file(self, path: Path | None) -> BusyFile:
        return BusyFile(path, lambda: self.now)

    def test_a_touch_is_seen_by_others_and_passes(self, tmp_path: Path) -> None:
        gateway, consumer = self._file(tmp_path / "busy"), self._file(tmp_path / "busy")
        assert not consumer.fresh
        gateway.touch()
        assert consumer.fresh
        self.now += FRESH_SECONDS
        assert not consumer.fresh

    def test_touches_that_follow_each_other_touch_the_file_now_and_then(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "busy"
        gateway = self._file(path)
        gateway.touch()
        path.unlink()
        gateway.touch()
        assert not path.exists()
        self.now += 2 * AGAIN_SECONDS
        gateway.touch()
        assert path.exists()

    def test_the_file_says_nothing_but_its_time(self, tmp_path: Path) -> None:
        path = tmp_path / "busy"
        self._file(path).touch()
        assert path.read_bytes() == b""
        assert path.stat().st_mode & 0o777 == 0o600

    def test_without_a_path_nobody_is_told(self) -> None:
        nobody = self._file(None)
        nobody.touch()
        assert not nobody.fresh

    def test_a_file_that_cannot_be_made_or_read_is_not_busy(self, tmp_path: Path) -> None:
        lost = self._file(tmp_path / "no such folder" / "busy")
        lost.touch()
        assert not lost.fresh

    def test_a_clock_that_was_set_back_does_not_stop_the_touches(self, tmp_path: Path) -> None:
        gateway = self._file(tmp_path / "busy")
        gateway.touch()
        self.now -= 3600
        gateway.touch()
        assert gateway.fresh

    def test_the_file_beside_it_says_nothing_to_consumers(self, tmp_path: Path) -> None:
        gateway, others = self._file(tmp_path / "busy"), self._file(tmp_path / "busy")
        gateway.sooner().touch()
        assert others.sooner().fresh
        assert not others.fresh
        assert not self._file(None).sooner().fresh
