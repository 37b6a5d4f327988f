"""Intake without servers: stored requests, their indexes, and the protection registry."""

import os
from collections.abc import Iterable, Mapping

from direct311.intake.indexes.adapters.keyed import KeyedIndexes
from direct311.intake.request import READINGS, ServiceRequest
from direct311.runtime.vault.vault import DataKey
from direct311.schemas import events as ev
from tests.support.addresses import InOneLine
from tests.support.memory import InMemoryRecords
from tests.support.runtime import NOW
from tests.support.service_under_test import ServiceUnderTest

PERSON = {
    "first_name": "Zora",
    "last_name": "Neale",
    "phone": "305-555-0142",
    "email": "zora@example.org",
    "description": "A dog barks at 3 a.m.",
}
"""A reporter, and what they wrote."""


def index_keys() -> Mapping[str, bytes]:
    """New keys of all person indexes."""
    names = ("phone", "email", "name", "address", "cell", "content", "search")
    return {name: os.urandom(32) for name in names}


class InMemoryRegistry:
    """`Protections`: the protection registry, as a set of hashes."""

    def __init__(self, *hashes: str, version: int = 1) -> None:
        self.version = version
        self.hashes = set(hashes)

    def matches(self, hashes: Iterable[str]) -> bool:
        return not self.hashes.isdisjoint(hashes)


class IntakeUnderTest(ServiceUnderTest):
    """Intake with its records. Request `r-1` is meant if no other one is named."""

    def __init__(
        self,
        *,
        records: InMemoryRecords[ServiceRequest] | None = None,
        indexes: KeyedIndexes | None = None,
    ) -> None:
        super().__init__("intake")
        self.records = records or InMemoryRecords()
        self.processor = self.processor_of(self.records, ServiceRequest)
        self.indexes = indexes or KeyedIndexes(1, index_keys(), self.clock)
        self.registry = InMemoryRegistry()
        self.addresses = InOneLine()
        self.data_keys: dict[str, DataKey] = {}

    async def sealed(self, record_id: str, plain: Mapping[str, str]) -> Mapping[str, bytes]:
        """These fields under a new key of the record."""
        key, data_key = await self.vault.new_key(record_id)
        await self.keys.insert([key])
        self.data_keys[record_id] = data_key
        return {field: data_key.seal(field, text.encode()) for field, text in plain.items()}

    async def request(
        self, record_id: str = "r-1", plain: Mapping[str, str] = PERSON, **fields: object
    ) -> ServiceRequest:
        """A stored request whose reporter left `plain`."""
        state = ServiceRequest(
            record_id=record_id,
            version=1,
            service_code="ANI-STRAY-DOG",
            received_at=NOW,
            updated_at=NOW,
            sealed=await self.sealed(record_id, plain),
            indexes=self.indexes.of(plain),
            index_versions=self.indexes.versions,
            index_readings=READINGS,
            place_checked=True,
            listed=True,
            policy=ev.PolicyAgreement(version="2026-1", agreed="accepted"),
        ).model_copy(update=fields)
        await self.records.put(state, NOW)
        return state

    def state(self, record_id: str = "r-1") -> ServiceRequest:
        return self.records.state(record_id)

    def said(self, record_id: str = "r-1") -> list[ev.RequestUpdated]:
        """Events that wait to be sent to the other services, in order."""
        found = []
        for event in self.records.said(record_id):
            assert isinstance(event.data, ev.RequestUpdated)
            found.append(event.data)
        return found

    def unsealed(self, field: str, record_id: str = "r-1") -> bytes:
        """A sealed field, opened with the key that it was sealed with."""
        return self.data_keys[record_id].open(field, self.state(record_id).sealed[field])
