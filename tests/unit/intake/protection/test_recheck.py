"""A newer protection registry is applied to what stands, and to nothing that is going."""

from collections.abc import Iterable

import pytest

from direct311.intake.lifecycle.handlers import Follow
from direct311.intake.request import ServiceRequest
from tests.support.runtime import NOW, SetClock

pytestmark = pytest.mark.anyio


class Registry:
    """Protects one identifier, since its version 2."""

    version = 2

    def matches(self, hashes: Iterable[str]) -> bool:
        return "protected" in set(hashes)


def request(**fields: object) -> ServiceRequest:
    state = ServiceRequest(
        record_id="a",
        version=3,
        received_at=NOW,
        updated_at=NOW,
        place_checked=True,
        listed=True,
        registry_version=1,
        indexes={"phone": ("protected",)},
    )
    return state.model_copy(update=fields)


@pytest.fixture
def follow() -> Follow:
    return Follow(Registry(), lambda *_: (), SetClock())


async def test_a_request_that_is_now_protected_is_said_and_unlisted(follow: Follow) -> None:
    change = await follow.recheck(request())
    assert change is not None
    assert (change.state.protected, change.state.listed, change.state.registry_version) == (
        True,
        False,
        2,
    )
    assert len(change.events) == 1


async def test_a_request_that_is_as_before_is_only_noted(follow: Follow) -> None:
    change = await follow.recheck(request(indexes={}))
    assert change is not None
    assert (change.state.registry_version, change.events) == (2, ())


@pytest.mark.parametrize(
    "fields",
    [
        {"lifecycle": "destroying"},
        {"lifecycle": "destroyed"},
        {"version": 0},
        {"registry_version": 2},
    ],
)
async def test_what_is_going_or_was_checked_is_left_alone(
    follow: Follow, fields: dict[str, object]
) -> None:
    assert await follow.recheck(request(**fields)) is None
