"""The log's contract on stores in memory."""

import pytest

from tests.unit.audit.fakes import InMemoryBodyKeys, InMemoryInbox, InMemoryLog, InMemoryObjects
from tests.unit.audit.log_contract import LogContract, Stores

pytestmark = pytest.mark.anyio


@pytest.fixture
def stores() -> Stores:
    log = InMemoryLog()
    return Stores(InMemoryInbox(), log, log, InMemoryBodyKeys(), InMemoryObjects())


class TestInMemory(LogContract):
    pass
