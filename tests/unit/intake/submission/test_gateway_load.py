"""Whether the gateway is busy is an average: the number itself rises and falls all the time."""

from pathlib import Path

import pytest

from direct311.intake.submission.handlers.gateway_load import GatewayLoad
from direct311.runtime.busy_file import BusyFile


class Timed:
    def __init__(self, path: Path | None = None) -> None:
        self.now = 100.0
        self.load = GatewayLoad(BusyFile(path), lambda: self.now)

    def hold(self, count: int, seconds: float) -> None:
        """So many submissions wait for so long."""
        for _ in range(count):
            self.load.add(1)
        self.now += seconds
        for _ in range(count):
            self.load.add(-1)


def test_nothing_has_been_in_hand_at_first() -> None:
    assert Timed().load.average == 0


def test_what_lasts_is_the_average() -> None:
    timed = Timed()
    timed.hold(7, 10)
    assert timed.load.average == pytest.approx(7, abs=0.01)


def test_a_moment_hardly_counts() -> None:
    timed = Timed()
    timed.hold(50, 0.02)
    assert timed.load.average < 1


def test_a_gap_between_two_answers_is_no_rest() -> None:
    timed = Timed()
    for _ in range(500):
        timed.hold(7, 0.009)
        timed.hold(0, 0.001)
    assert timed.load.average == pytest.approx(6.3, abs=0.1)


def test_what_is_past_is_forgotten() -> None:
    timed = Timed()
    timed.hold(8, 10)
    timed.hold(0, 5)
    assert timed.load.average < 0.1


def test_while_many_wait_each_new_submission_tells_the_consumers(tmp_path: Path) -> None:
    timed = Timed(tmp_path / "busy")
    told = BusyFile(tmp_path / "busy")
    timed.hold(5, 10)
    timed.hold(1, 0.001)
    assert not timed.load.busy
    assert not told.fresh
    timed.hold(7, 10)
    timed.hold(1, 0.001)
    assert timed.load.busy
    assert told.fresh


def test_long_work_is_told_within_a_moment_and_consumers_are_not(tmp_path: Path) -> None:
    timed = Timed(tmp_path / "busy")
    consumers = BusyFile(tmp_path / "busy")
    timed.hold(7, 0.15)
    timed.hold(1, 0.001)
    assert consumers.sooner().fresh
    assert not consumers.fresh


def test_a_steady_hundred_a_second_does_not_stop_long_work(tmp_path: Path) -> None:
    timed = Timed(tmp_path / "busy")
    for _ in range(200):
        # Each answer takes 15 ms: one or two are in hand.
        timed.hold(2, 0.005)
        timed.hold(1, 0.005)
    assert not BusyFile(tmp_path / "busy").sooner().fresh
