"""Pieces of a killed build are removed once no build can still be writing them, and no others."""

from datetime import timedelta
from hashlib import sha256

import pytest

from direct311.retention.case_file.packages import build_name
from direct311.retention.packages.handlers.sweeping import (
    SAFE,
    SHARDS,
    SweepBuilds,
    shard_of_the_minute,
)
from direct311.runtime.vault.pieces import piece_name
from tests.support.media import START
from tests.unit.retention.packages.fakes import PackagingDesk

pytestmark = pytest.mark.anyio
KILLED = "0195-killed"


@pytest.fixture
def desk() -> PackagingDesk:
    return PackagingDesk()


async def built(desk: PackagingDesk) -> str:
    """A case with a package."""
    case_id = await desk.granted(1)
    await desk.collected(case_id)
    await desk.built(case_id)
    return case_id


def shard(case_id: str) -> int:
    return int(sha256(case_id.encode()).hexdigest()[:2], 16)


async def test_only_a_build_that_no_case_file_names_is_removed_and_only_when_it_is_old(
    desk: PackagingDesk,
) -> None:
    desk.documents.now = desk.clock.now
    case_id = await built(desk)
    for number in (1, 2):
        await desk.documents.put(case_id, piece_name(build_name(KILLED), number), b"sealed")
    before = {name for _, name in desk.documents.versions}
    sweep = SweepBuilds(desk.work, desk.documents)
    desk.clock.advance(SAFE)
    assert await sweep.shard(shard(case_id)) == 0
    desk.clock.advance(timedelta(seconds=1))
    assert await sweep.shard((shard(case_id) + 1) % SHARDS) == 0
    assert {name for _, name in desk.documents.versions} == before
    assert await sweep.shard(shard(case_id)) == 1
    gone = before - {name for _, name in desk.documents.versions}
    assert gone == {piece_name(build_name(KILLED), number) for number in (1, 2)}
    # It may be repeated, and the package stays.
    assert await sweep.shard(shard(case_id)) == 0


async def test_what_a_destroyed_case_has_is_left_to_who_destroys_it(desk: PackagingDesk) -> None:
    desk.documents.now = lambda: desk.clock.now() - 2 * SAFE
    await desk.documents.put("nobody", piece_name(build_name(KILLED), 1), b"sealed")
    assert await SweepBuilds(desk.work, desk.documents).shard(shard("nobody")) == 0


def test_each_shard_has_its_turn() -> None:
    turns = {shard_of_the_minute(START + timedelta(minutes=each)) for each in range(SHARDS)}
    assert turns == set(range(SHARDS))
