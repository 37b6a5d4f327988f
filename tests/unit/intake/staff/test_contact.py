"""Searches for a person's records: written down with all that they found, never cut in silence."""

from collections.abc import Mapping, Sequence
from typing import cast

import pytest

from direct311.intake.indexes.ports import PersonIndexes
from direct311.intake.lifecycle.ports import Requests
from direct311.intake.staff.handlers import contact as handler
from direct311.intake.staff.handlers.contact import Contact
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.problem_codes import status_of
from direct311.runtime.vault.vault import Vault
from tests.support.disclosures import no_cases

pytestmark = pytest.mark.anyio
AUDITOR = Caller("ada", ("auditor",))


class Stored:
    """So many requests of one person, who has one telephone number."""

    def __init__(self, count: int) -> None:
        self.ids = [f"r{number}" for number in range(count)]

    async def with_index(self, field: str, values: Sequence[str], limit: int) -> Sequence[str]:
        return self.ids[:limit]

    async def indexes_of(
        self, record_ids: Sequence[str]
    ) -> Mapping[str, Mapping[str, Sequence[str]]]:
        return {each: {"phone": ("1",), "senders": ("2", "3")} for each in record_ids}


class Hashing:
    def person(self, field: str, value: str) -> tuple[str, ...]:
        return ("hashed",)

    def query(self, field: str, value: str) -> str:
        return "keyed"


class Written:
    """A vault that allows all and remembers what was written down."""

    def __init__(self) -> None:
        self.accesses: list[Access] = []

    async def authorise(self, access: Access, facts: RecordFacts) -> tuple[str, None]:
        self.accesses.append(access)
        return "event", None


def contact_of(stored: Stored, vault: Written) -> Contact:
    indexes = cast(PersonIndexes, Hashing())
    return Contact(cast(Requests, stored), cast(Vault, vault), indexes, no_cases())


async def search(contact: Contact) -> Sequence[str]:
    return await contact.records_of(
        AUDITOR,
        {"name": "Maria Garcia"},
        purpose="authorised_audit",
        reference="L-1",
        justification=None,
        operation="POST /internal/persons/resolve",
    )


async def test_some_of_a_persons_records_never_pass_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(handler, "MOST_RECORDS", 3)
    vault = Written()
    assert await search(contact_of(Stored(3), vault)) == ["r0", "r1", "r2"]
    with pytest.raises(RefusedError) as refused:
        await search(contact_of(Stored(5), vault))
    assert (status_of(refused.value), refused.value.code, refused.value.field) == (
        422,
        "too_many",
        "name",
    )
    assert "Garcia" not in str(refused.value)
    assert [access.result_count for access in vault.accesses] == [3, 4]


async def test_the_question_whose_records_are_says_how_many_it_was_about() -> None:
    vault, stored = Written(), Stored(5_000)
    found = await contact_of(stored, vault).persons_of(
        AUDITOR,
        stored.ids,
        purpose="authorised_audit",
        reference="L-1",
        justification=None,
        operation="POST /internal/persons/group",
    )
    (access,) = vault.accesses
    assert (len(found.persons), len(access.record_ids), access.result_count) == (1, 5_000, 5_000)
    assert found.senders["r0"] == 2
