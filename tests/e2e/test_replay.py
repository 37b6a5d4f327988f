"""The county's own rows through the gateway, twice: counts are equal, and stay what they were."""

import io

import pytest
from rich.console import Console

from direct311.cli.replay import replay
from tests.support.county import County
from tests.support.real_data import REAL_DATA, needs_real_data

pytestmark = [pytest.mark.e2e, pytest.mark.anyio, needs_real_data]

ROWS = REAL_DATA / "requests" / "miami_dade_311_2013_2018.csv"
SERVICES = ("intake", "geo", "routing", "retention")


@pytest.mark.timeout(300)
async def test_a_second_replay_of_the_same_rows_adds_nothing(county: County) -> None:
    before = (await county.counts("intake"))["total"]
    first = io.StringIO()
    assert await replay(county.session, ROWS, 200, 6, Console(file=first, width=160)), (
        first.getvalue()
    )
    once = {name: await county.counts(name) for name in SERVICES}
    assert {each["total"] for each in once.values()} == {once["intake"]["total"]}
    assert once["intake"]["total"] - before == 200, first.getvalue()
    assert once["routing"].get("waiting", 0) == 0

    second = io.StringIO()
    assert await replay(county.session, ROWS, 200, 6, Console(file=second, width=160))
    again = {name: await county.counts(name) for name in SERVICES}
    assert {name: each["total"] for name, each in again.items()} == {
        name: each["total"] for name, each in once.items()
    }
    assert "200 different requests" in second.getvalue()
