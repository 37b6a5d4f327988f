"""The query index in memory, and what its questions are made of."""

import pytest

from direct311.audit.entry import Filter, host_of
from direct311.audit.questions.domain.cursors import fingerprint
from tests.unit.audit.index.entries_contract import EntriesContract
from tests.unit.audit.log_contract import Stores, in_memory

pytestmark = pytest.mark.anyio


@pytest.fixture
def stores() -> Stores:
    return in_memory()


class TestInMemory(EntriesContract):
    """The fake."""


@pytest.mark.parametrize(
    ("instance", "host"),
    [
        ("intake-web1-0123456789ab", "web1"),
        ("intake-web-7.county.gov-0123456789ab", "web-7.county.gov"),
        ("intake-1", None),
        (None, None),
    ],
)
def test_the_host_of_a_process_is_in_its_name(instance: str | None, host: str | None) -> None:
    assert host_of(instance) == host


def test_cursors_of_any_two_questions_differ() -> None:
    one = Filter(actor="a")
    others = [Filter(session="a"), Filter(actor="b"), Filter(), Filter(actor="a", role="a")]
    assert fingerprint(one) not in {fingerprint(each) for each in others}
    assert fingerprint(one) == fingerprint(Filter(actor="a"))
