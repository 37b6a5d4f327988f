"""What several journeys share."""

from collections.abc import AsyncIterator

import pytest

from tests.support.county import County


@pytest.fixture
async def registry(county: County) -> AsyncIterator[list[str]]:
    """Ids of protections; what a test enters here is ended after it."""
    entered: list[str] = []
    yield entered
    for protection_id in entered:
        await county.unprotect(protection_id)
