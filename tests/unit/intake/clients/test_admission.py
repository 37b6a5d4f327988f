"""Whose key is let in, and what administrators do with keys."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from direct311.intake.clients.domain.clients import (
    PREFIXES,
    Client,
    ClientKey,
    Environment,
    Quota,
    hashed,
    new_key,
    rotated,
)
from direct311.intake.clients.handlers.admission import Admission
from direct311.intake.clients.handlers.quotas import Quotas
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.problem_codes import georeport_status_of, status_of
from tests.support.quotas import InMemoryClients, InMemoryQuotas
from tests.support.runtime import NOW, SetClock

pytestmark = pytest.mark.anyio


def client(environment: Environment = "test", **about: object) -> tuple[str, Client]:
    key, kept = new_key(environment, "k-1", NOW, None)
    base = Client(
        client_id="c",
        name="C",
        environment=environment,
        created_at=NOW,
        keys=(kept,),
        quota=Quota(minute=2, day=None),
    )
    return key, base.model_copy(update=about)


def admission(
    one: Client, clock: SetClock | None = None, environment: str = "test"
) -> tuple[Admission, InMemoryClients]:
    known = InMemoryClients([one])
    clock = clock or SetClock()
    quotas = Quotas(InMemoryQuotas(), clock)
    own = "https://gate.example"
    return Admission(known, quotas, clock, environment=environment, own_origin=own), known


async def refusal(admit: Admission, key: str, **call: str) -> RefusedError:
    with pytest.raises(RefusedError) as refused:
        await admit(key, "submit", **call)
    assert key not in refused.value.detail or not key
    return refused.value


async def test_a_good_key_is_let_in_and_counted() -> None:
    key, one = client()
    admit, known = admission(one)
    assert await admit(key, "submit") == one
    assert await admit(key, "update") == one
    error = await refusal(admit, key)
    assert (status_of(error), error.field) == (429, "api_key")
    assert error.retry_after
    assert known.used == ["k-1"] * 3


@pytest.mark.parametrize("key", ["", "x", "d311_test_" + "A" * 43, "\ud800", "é" * 10, "k" * 9999])
async def test_a_key_that_nobody_has_is_refused(key: str) -> None:
    admit, known = admission(client()[1])
    assert georeport_status_of(await refusal(admit, key)) == 403
    assert known.used == []


@pytest.mark.parametrize(
    ("gateway", "of", "good"),
    [
        ("production", "production", True),
        ("production", "test", False),
        ("test", "production", False),
        ("local", "test", True),
        ("local", "production", False),
    ],
)
async def test_test_and_production_keys_are_apart(
    gateway: str, of: Environment, good: bool
) -> None:
    key, one = client(of)
    assert key.startswith(PREFIXES[of])
    admit, _ = admission(one, environment=gateway)
    if good:
        await admit(key, "submit")
        return
    error = await refusal(admit, key)
    assert (georeport_status_of(error), of in error.detail) == (403, True)


async def test_an_environment_is_the_clients_also_where_the_key_does_not_tell() -> None:
    _, one = client("test")
    old = ClientKey(key_id="o", prefix="", sha256=hashed("an-old-key"), created_at=NOW)
    admit, _ = admission(one.model_copy(update={"keys": (old,)}), environment="production")
    assert georeport_status_of(await refusal(admit, "an-old-key")) == 403


async def test_a_key_ends_when_it_says() -> None:
    clock = SetClock()
    key, kept = new_key("test", "k-1", NOW, NOW + timedelta(hours=1))
    _, one = client(keys=(kept,))
    admit, _ = admission(one, clock)
    await admit(key, "submit")
    clock.at = NOW + timedelta(hours=1)
    assert "expired" in (await refusal(admit, key)).detail


@pytest.mark.parametrize(
    ("about", "call", "word"),
    [
        ({"revoked_at": NOW}, {}, "revoked"),
        ({"scopes": ("read",)}, {}, "scope"),
        ({"jurisdictions": ("broward",)}, {}, "jurisdiction_id"),
        ({}, {"origin": "https://evil.example"}, "Origin"),
        ({"origins": ("https://a.example",)}, {"origin": "https://a.example.evil"}, "Origin"),
        ({"origins": ("https://a.example",)}, {"origin": "null"}, "Origin"),
    ],
)
async def test_a_key_is_good_for_what_it_is_for_alone(
    about: Mapping[str, object], call: Mapping[str, str], word: str
) -> None:
    key, one = client("test", **about)
    admit, _ = admission(one)
    error = await refusal(admit, key, **call)
    assert (georeport_status_of(error), word in error.detail) == (403, True)
    for said in call.values():
        assert said not in error.detail


@pytest.mark.parametrize("origin", ["https://a.example", "https://gate.example"])
async def test_the_clients_pages_and_our_own_may_use_the_key(origin: str) -> None:
    key, one = client(origins=("https://a.example",))
    admit, _ = admission(one)
    await admit(key, "submit", origin=origin)


async def test_a_reader_is_known_by_a_good_key_and_else_is_nobody() -> None:
    key, one = client()
    admit, _ = admission(one)
    assert admit.reader(key) == one
    assert admit.reader("nonsense") is None
    admit, _ = admission(one.model_copy(update={"scopes": ("submit",)}))
    assert admit.reader(key) is None


def test_a_key_has_256_bits_and_is_kept_as_a_hash() -> None:
    made = [new_key("production", "k", NOW, None) for _ in range(50)]
    assert len({key for key, _ in made}) == 50
    for key, kept in made:
        assert len(key) == len("d311_live_") + 43
        assert key.startswith(kept.prefix)
        assert key not in kept.model_dump_json()


def test_rotation_shortens_lives_and_never_lengthens_one() -> None:
    def key(name: str, expires_at: datetime | None, revoked: bool = False) -> ClientKey:
        return ClientKey(
            key_id=name,
            prefix="",
            sha256=name,
            created_at=NOW - timedelta(days=9),
            expires_at=expires_at,
            revoked_at=NOW - timedelta(days=1) if revoked else None,
        )

    until = NOW + timedelta(days=1)
    soon, late, past = NOW + timedelta(hours=1), NOW + timedelta(days=5), NOW - timedelta(hours=1)
    new = key("new", None).model_copy(update={"created_at": NOW})
    before = (key("a", None), key("b", soon), key("c", late), key("d", past), key("e", None, True))
    after = rotated(before, new, until)
    assert [each.expires_at for each in after] == [None, until, soon, until, past, None]
    assert [each.key_id for each in after if each.good(until)] == ["new"]
