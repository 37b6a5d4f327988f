"""A resident's signed link: good for its own record, for its time, and under a key in force."""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import APIRouter, Depends, FastAPI
from joserfc import jwt
from joserfc.jwk import OKPKey
from starlette.testclient import TestClient

from direct311.runtime.access.identity import Authenticator, Issuer, UnauthenticatedError
from direct311.runtime.access.ledger import Access, Ledger
from direct311.runtime.access.links import (
    ALGORITHM,
    ISSUER,
    TYPE,
    LinkError,
    LinkKeyError,
    Links,
    LinkSigner,
    is_link,
)
from direct311.runtime.access.rules import Caller, Decision
from direct311.runtime.access.sign_ins import SignIns
from direct311.runtime.http.api import caller_of, install
from direct311.runtime.http.health import Readiness
from direct311.runtime.messaging.signing import Principals
from direct311.runtime.telemetry import Metrics
from direct311.schemas import events as ev
from direct311.verifier.event import parse_event_keys
from tests.support.identity import services_of
from tests.support.runtime import NOW, SetClock

pytestmark = pytest.mark.anyio
MONTH = timedelta(days=30)
PRIVATE = Ed25519PrivateKey.generate()
RETIRED = Ed25519PrivateKey.generate()


class Numbered:
    """Ids that count."""

    def __init__(self) -> None:
        self.given = 0

    def new(self) -> str:
        self.given += 1
        return f"link-{self.given}"


def listed(keyid: str, private: Ed25519PrivateKey, until: datetime) -> dict[str, str]:
    return {
        "keyid": keyid,
        "service": "intake",
        "public": base64.b64encode(private.public_key().public_bytes_raw()).decode(),
        "not_before": (NOW - MONTH).isoformat(),
        "not_after": until.isoformat(),
    }


KEYS = [
    listed("link-1", PRIVATE, NOW + 12 * MONTH),
    listed("link-0", RETIRED, NOW - timedelta(days=1)),
]


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def links(tmp_path: Path, clock: SetClock) -> Links:
    return read(tmp_path, clock, KEYS)


def read(folder: Path, clock: SetClock, keys: Sequence[Mapping[str, str]]) -> Links:
    path = folder / "principals.json"
    path.write_text(json.dumps({"keys": [], "link_keys": keys}))
    return Links.from_file(path, "direct311", clock)


@pytest.fixture
def signer(links: Links, clock: SetClock) -> LinkSigner:
    return signing("link-1", PRIVATE, links, clock)


def signing(
    keyid: str,
    private: Ed25519PrivateKey,
    links: Links,
    clock: SetClock,
    lifetime: timedelta = MONTH,
) -> LinkSigner:
    return LinkSigner(
        keyid,
        private,
        links=links,
        audience="direct311",
        lifetime=lifetime,
        clock=clock,
        ids=Numbered(),
    )


def made(private: Ed25519PrivateKey, header: Mapping[str, str], **changed: object) -> str:
    """A link as another hand would make it."""
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": "direct311",
        "iat": int(NOW.timestamp()),
        "exp": int((NOW + MONTH).timestamp()),
        "jti": "j",
        "record_id": "r-1",
        "scope": "subject",
        **changed,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    full = {"alg": ALGORITHM, "kid": "link-1", "typ": TYPE, **header}
    return jwt.encode(full, claims, OKPKey.import_key(private), algorithms=[ALGORITHM])


def test_a_link_says_whose_record_it_opens_and_nothing_of_the_person(
    signer: LinkSigner, links: Links
) -> None:
    link = signer.issue("r-1")
    assert links.caller(link.token) == Caller(
        "link:r-1",
        ("resident",),
        token_id="link-1",
        authentication="signed_link",
        link_record_id="r-1",
    )
    assert link.expires_at == NOW + MONTH
    assert link.token not in repr(link)


def test_two_links_of_a_record_are_both_good_and_told_apart(
    signer: LinkSigner, links: Links
) -> None:
    first, second = signer.issue("r-1"), signer.issue("r-1", "event-7")
    callers = [links.caller(each.token) for each in (first, second)]
    assert [each.token_id for each in callers] == ["link-1", "event-7"]
    assert {each.sub for each in callers} == {"link:r-1"}


def test_what_another_hand_makes_rightly_is_taken(links: Links) -> None:
    # Or the refusals below would be for another reason.
    assert links.caller(made(PRIVATE, {})).link_record_id == "r-1"


def test_a_link_ends(signer: LinkSigner, links: Links, clock: SetClock) -> None:
    link = signer.issue("r-1")
    clock.at = link.expires_at - timedelta(seconds=1)
    assert links.caller(link.token).link_record_id == "r-1"
    clock.at = link.expires_at + timedelta(minutes=1)
    with pytest.raises(LinkError):
        links.caller(link.token)


@pytest.mark.parametrize(
    "change",
    [
        {"record_id": None},
        {"record_id": 7},
        {"scope": "staff"},
        {"scope": None},
        {"aud": "another"},
        {"iss": "https://issuer.test"},
        {"exp": None},
        {"exp": int((NOW - timedelta(hours=1)).timestamp())},
        {"iat": int((NOW + timedelta(hours=1)).timestamp())},
        {"jti": None},
    ],
)
def test_a_link_lacks_nothing(links: Links, change: Mapping[str, object]) -> None:
    with pytest.raises(LinkError):
        links.caller(made(PRIVATE, {}, **change))


@pytest.mark.parametrize(
    ("header", "private"),
    [
        ({"kid": "link-0"}, RETIRED),
        ({"kid": "link-1"}, RETIRED),
        ({"kid": "link-2"}, PRIVATE),
        ({"typ": "at+jwt"}, PRIVATE),
    ],
    ids=["a retired key", "another key's name", "an unknown key", "another type"],
)
def test_only_keys_in_force_sign_links(
    links: Links, header: Mapping[str, str], private: Ed25519PrivateKey
) -> None:
    with pytest.raises(LinkError):
        links.caller(made(private, header))


def test_every_changed_character_is_seen(signer: LinkSigner, links: Links) -> None:
    token = signer.issue("r-1").token
    parts = token.split(".")
    payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
    other = json.dumps(payload | {"record_id": "r-2"}).encode()
    forged = base64.urlsafe_b64encode(other).decode().rstrip("=")
    unsigned = (
        base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": TYPE, "kid": "link-1"}).encode())
        .decode()
        .rstrip("=")
    )
    for tampered in (
        f"{parts[0]}.{forged}.{parts[2]}",
        f"{unsigned}.{forged}.",
        f"{parts[0]}.{parts[1]}.",
        token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB"),
        token[:40],
        "",
    ):
        with pytest.raises(LinkError):
            links.caller(tampered)


def test_a_link_ends_with_the_key_that_signed_it(tmp_path: Path, clock: SetClock) -> None:
    end = NOW + timedelta(days=3)
    links = read(tmp_path, clock, [listed("link-1", PRIVATE, end)])
    signer = signing("link-1", PRIVATE, links, clock)
    assert signer.issue("r-1").expires_at == end
    clock.at = end + timedelta(days=1)
    with pytest.raises(LinkKeyError):
        signer.issue("r-1")


@pytest.mark.parametrize(
    ("keyid", "private"), [("link-9", PRIVATE), ("link-1", RETIRED), ("link-0", RETIRED)]
)
def test_a_key_whose_links_nobody_would_take_is_told_at_the_start(
    links: Links, clock: SetClock, keyid: str, private: Ed25519PrivateKey
) -> None:
    with pytest.raises(LinkKeyError):
        signing(keyid, private, links, clock)


def test_a_key_of_links_signs_no_event(tmp_path: Path, clock: SetClock) -> None:
    read(tmp_path, clock, KEYS)
    path = tmp_path / "principals.json"
    assert Principals.from_file(path)._keys == {}
    assert parse_event_keys(json.loads(path.read_bytes())) == ()


CRITICAL = (
    "eyJhbGciOiJFZDI1NTE5IiwidHlwIjoiZGlyZWN0MzExLWxpbmsrand0Iiwia2lkIjoibGluay0xIiwiY3JpdCI6MX0"
)
"""A link's header whose `crit` is a number (RFC 7515 section 4.1.11 wants a list)."""


def test_a_link_whose_header_has_wrong_types_is_none(links: Links) -> None:
    with pytest.raises(LinkError):
        links.caller(f"{CRITICAL}.e30.e30")


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é", "a.b"])
def test_what_is_no_token_is_no_link(token: str) -> None:
    assert not is_link(token)


# ---------------------------------------------------------------- at the door


class NoKeys(Issuer):
    """An issuer that knows nobody."""

    def __init__(self) -> None:
        pass

    async def keys(self, *, newer_than: float = 0.0) -> Any:
        raise AssertionError("a link is no business of the issuer's")


class Written(Ledger):
    def __init__(self) -> None:
        self.written: list[tuple[Access, Decision, str]] = []

    async def write(
        self,
        access: Access,
        decision: Decision,
        outcome: ev.AccessOutcome,
        *,
        reason: str | None = None,
        cause: str | None = None,
    ) -> str:
        self.written.append((access, decision, outcome))
        return "event"

    async def refuse(self, access: Access, decision: Decision) -> int | None:
        await self.write(access, decision, "denied")
        return None


async def test_a_link_is_no_sign_in_and_leaves_no_address_and_a_bad_one_is_a_failure(
    signer: LinkSigner, links: Links, clock: SetClock
) -> None:
    ledger = Written()
    sign_ins = SignIns(ledger, clock)
    authenticator = Authenticator(
        NoKeys(), "https://issuer.test", services_of("intake"), sign_ins, links
    )
    token = signer.issue("r-1").token
    caller = await authenticator.caller(f"Bearer {token}", None, "203.0.113.9")
    assert (caller.link_record_id, caller.address) == ("r-1", None)
    with pytest.raises(UnauthenticatedError):
        await authenticator.caller(f"Bearer {token[:-4]}AAAA", None, "203.0.113.9")
    # Nobody but a service brings another's token.
    with pytest.raises(UnauthenticatedError):
        await authenticator.caller(f"Bearer {token}", f"Bearer {token}", "203.0.113.9")
    clock.at += timedelta(minutes=2)
    await sign_ins.flush()
    assert [
        (access.action, access.result_count, outcome) for access, _, outcome in ledger.written
    ] == [("sign_in", 2, "denied")]


def test_a_link_is_let_in_only_where_residents_are(signer: LinkSigner, links: Links) -> None:
    ledger = Written()
    authenticator = Authenticator(
        NoKeys(), "https://issuer.test", services_of("intake"), None, links
    )
    app, router = FastAPI(), APIRouter()
    a_person, anybody = (
        Depends(caller_of(authenticator)),
        Depends(caller_of(authenticator, residents=True)),
    )

    @router.get("/staff")
    async def staff(found: Caller = a_person) -> str:
        return found.sub

    @router.get("/residents")
    async def residents(found: Caller = anybody) -> str:
        return found.sub

    app.include_router(router)
    install(app, Readiness(), Metrics(), ledger)
    headers = {"Authorization": f"Bearer {signer.issue('r-1').token}"}
    client = TestClient(app)
    assert client.get("/residents", headers=headers).json() == "link:r-1"
    assert ledger.written == []
    refused = client.get("/staff", headers=headers)
    assert refused.status_code == 403
    ((access, _, outcome),) = ledger.written
    assert (access.operation, access.caller.sub, outcome) == ("GET /staff", "link:r-1", "denied")
    assert client.get("/staff?token=x").status_code == 401
