"""What several journeys share."""

from collections.abc import AsyncIterator

import pytest

from tests.support.county import County


@pytest.fixture
async def registry(county: County) -> AsyncIterator[list[str]]:
    """Ids of protections; what a test enters here is withdrawn after it."""
    entered: list[str] = []
    yield entered
    for protection_id in entered:
        path = f"/v1/protections/{protection_id}"
        await county.ask("DELETE", "intake", path, "custodian", "carla")
