"""The log's contract on stores in memory."""

import pytest

from tests.unit.audit.fakes import InMemoryBodyKeys, InMemoryLog
from tests.unit.audit.log_contract import LogContract, Stores, in_memory

pytestmark = pytest.mark.anyio


@pytest.fixture
def stores() -> Stores:
    log = InMemoryLog()
    return in_memory(log, InMemoryBodyKeys())


class TestInMemory(LogContract):
    pass
