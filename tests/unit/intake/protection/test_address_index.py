"""A reporter's own address: indexed as geo reads it, and else so that it is found again."""

import os
from collections.abc import Mapping
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from direct311.intake.catalogue.adapters import load_catalogue, load_emergencies, load_policies
from direct311.intake.clients.domain.clients import Client
from direct311.intake.indexes.adapters.keyed import KeyedIndexes
from direct311.intake.indexes.ports import HomeValues, Protections
from direct311.intake.protection.handlers.address_index import AddressIndex
from direct311.intake.request import ServiceRequest
from direct311.intake.submission.domain.submission import Submission
from direct311.intake.submission.handlers.submit import Submit
from direct311.runtime.messaging.records import Emitter, Write
from direct311.runtime.messaging.signing import Signer
from direct311.runtime.vault.vault import DataKey
from direct311.schemas.events import Place
from tests.support.addresses import InOneLine
from tests.support.memory import IdleRelay
from tests.support.runtime import NOW, SetClock

pytestmark = pytest.mark.anyio
FIELDS = ("phone", "email", "name", "address", "cell", "content", "search")
INDEXES = KeyedIndexes(3, {name: os.urandom(32) for name in FIELDS}, SetClock())
READ = INDEXES.place("9 ELM ST", None, None)
TYPED = INDEXES.place("9 Elm Street", None, None)


NOBODY: Any = SimpleNamespace(version=1, matches=lambda _: False)


async def submitted(
    addresses: InOneLine,
    contact: Mapping[str, str] = MappingProxyType({}),
    *,
    indexes: KeyedIndexes = INDEXES,
    protections: Protections = NOBODY,
    **answers: str,
) -> ServiceRequest:
    """What is stored of a complaint that somebody sends in."""
    stored: list[ServiceRequest] = []

    async def insert(write: Write[ServiceRequest]) -> str:
        stored.append(write.state)
        return "new"

    first: dict[str, Any] = {"first": lambda *_: None, "note": lambda *_: None}
    clock = SetClock()
    submit = Submit(
        submissions=SimpleNamespace(insert=insert),
        recent=SimpleNamespace(**first),
        uploads=None,  # type: ignore[arg-type]
        brought=None,  # type: ignore[arg-type]
        emergencies=load_emergencies().content,
        protections=protections,
        indexes=indexes,
        home=AddressIndex(addresses, indexes),
        keys=SimpleNamespace(  # type: ignore[arg-type]
            at_hand=lambda: ("018f0000-0000-7000-8000-000000000001", DataKey("r", bytes(32)))
        ),
        emitter=Emitter("intake", clock, Signer("intake", Ed25519PrivateKey.generate())),
        relay=IdleRelay(),
        clock=clock,
        content_key=bytes(32),
    )
    service = load_catalogue().content.by_code("CODE-JUNK")
    assert service is not None
    await submit(
        Submission(
            "miamidade",
            "CODE-JUNK",
            Place(latitude=25.7, longitude=-80.3),
            contact=contact,
            sealed_answers=answers,
        ),
        (),
        Client(client_id="app", name="App", environment="test", created_at=NOW),
        service,
        load_policies().content.policies[-1],
        None,
    )
    (request,) = stored
    return request


async def test_an_address_is_indexed_as_geo_reads_it_and_else_as_it_was_typed() -> None:
    addresses, unread = InOneLine(), list[str]()
    address_index = AddressIndex(addresses, INDEXES, lambda: unread.append("one"))
    assert await address_index("9 Elm Street") == HomeValues(READ, settled=True)
    assert unread == []
    addresses.away = True
    assert await address_index("9 Elm Street") == HomeValues(TYPED, settled=False)
    assert unread == ["one"]


@pytest.mark.parametrize("away", [False, True])
async def test_a_submission_says_whether_its_address_is_to_be_read_again(away: bool) -> None:
    addresses = InOneLine()
    addresses.away = away
    request = await submitted(addresses, reporter_address="9 Elm Street")
    assert request.indexes["home"] == (TYPED if away else READ)
    assert request.index_versions == (() if away else INDEXES.versions)
    # Whether it is protected nobody knows yet.
    assert request.home_unread_at == (NOW if away else None)
    assert request.protected == away


async def test_a_submission_without_an_address_needs_no_geo() -> None:
    addresses = InOneLine()
    addresses.away = True
    assert (await submitted(addresses)).index_versions == INDEXES.versions
