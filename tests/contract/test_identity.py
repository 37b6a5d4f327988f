"""Who is calling, as a real issuer's tokens say."""

import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.jwk import OKPKey

from deploy.local.stack import Stack
from direct311.runtime.access.identity import Authenticator, Issuer, Tokens, UnauthenticatedError
from direct311.runtime.errors import TransientError
from direct311.runtime.http.problem_codes import status_of
from direct311.runtime.peers import HttpClient
from tests.support.identity import audience_of, services_of
from tests.support.runtime import claims, service_environment

pytestmark = [pytest.mark.wire, pytest.mark.anyio]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@dataclass(frozen=True)
class Desk:
    """The issuer, and a service that checks its tokens."""

    servers: Stack
    http: httpx.AsyncClient
    client: HttpClient
    issuer: Issuer
    authenticator: Authenticator

    @property
    def url(self) -> str:
        return str(self.servers.dev["issuer"])

    async def person(self, sub: str, *roles: str, at: str = "intake", **more: Any) -> str:
        """A person's token for the service `at`."""
        answer = await self.http.post(
            f"{self.url}/dev/token",
            headers={"X-Operator-Secret": self.servers.dev["operator_secret"]},
            json={"sub": sub, "roles": list(roles), "audience": audience_of(at), **more},
        )
        return str(answer.json()["access_token"])

    def service(self, name: str, to: str = "intake") -> Tokens:
        """What the service `name` shows to the service `to`."""
        told = service_environment(self.servers, name)
        own = (told["CLIENT_ID"], told["CLIENT_SECRET"])
        return Tokens(self.issuer, self.client, *own, services_of(to).own)

    def forged(self, key: OKPKey, token: str, **changed: Any) -> str:
        """What a token says, changed, under this key."""
        header = {"alg": "Ed25519", "kid": key.kid, "typ": "at+jwt"}
        return jwt.encode(header, claims(token) | changed, key, algorithms=["Ed25519"])

    def own_key(self) -> OKPKey:
        """The issuer's own, as only a test can have it."""
        document = json.loads((self.servers.root / "keys" / "identity.json").read_text())
        return _key(document["keyid"], base64.b64decode(document["private"]))


def _key(keyid: str, seed: bytes) -> OKPKey:
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    parts = {"x": public, "d": seed}
    text = {k: base64.urlsafe_b64encode(v).rstrip(b"=").decode() for k, v in parts.items()}
    return OKPKey.import_key(
        {"kty": "OKP", "crv": "Ed25519", "kid": keyid, "alg": "Ed25519", **text}
    )


@pytest.fixture
async def desk(servers: Stack) -> AsyncIterator[Desk]:
    client = HttpClient()
    url = servers.dev["issuer"]
    issuer = Issuer(url, client)
    async with httpx.AsyncClient(trust_env=False) as http:
        yield Desk(servers, http, client, issuer, Authenticator(issuer, url, services_of("intake")))
    await client.close()


async def test_a_person_is_known_by_name_roles_and_department(desk: Desk) -> None:
    token = await desk.person("maria", "department", "inspector", department="animal_services")
    caller = await desk.authenticator.caller(f"Bearer {token}")
    assert (caller.sub, caller.roles) == ("maria", ("department", "inspector"))
    assert (caller.department, caller.authentication) == ("animal_services", "oidc")
    assert caller.token_id
    assert caller.via is None


async def test_a_service_is_known_by_its_own_token(desk: Desk) -> None:
    token = await desk.service("audit").get()
    caller = await desk.authenticator.caller(f"Bearer {token}")
    assert (caller.sub, caller.roles, caller.authentication) == (
        "svc:audit",
        ("service",),
        "service",
    )


async def test_a_service_keeps_its_token_while_it_lives(desk: Desk) -> None:
    service = desk.service("audit")
    assert await service.get() == await service.get()


async def test_a_service_may_bring_a_person_and_nobody_else_may(desk: Desk) -> None:
    audit = desk.service("audit")
    service = f"Bearer {await audit.get()}"
    hers = await desk.person("ana", "auditor", at="audit")
    ana = f"Bearer {await audit.exchanged(f'Bearer {hers}')}"
    agent = f"Bearer {await desk.person('agent', 'agent')}"
    caller = await desk.authenticator.caller(service, ana)
    assert (caller.sub, caller.roles, caller.via) == ("ana", ("auditor",), "svc:audit")
    assert caller.token_id == claims(hers)["jti"]
    for authorization, behind in ((agent, ana), (None, ana), (service, "Bearer x"), (service, "")):
        with pytest.raises(UnauthenticatedError):
            await desk.authenticator.caller(authorization, behind)


async def test_a_token_for_somebody_else_is_refused(desk: Desk) -> None:
    token = await desk.person("maria", "agent")
    elsewhere = Authenticator(desk.issuer, desk.url, services_of("media"))
    with pytest.raises(UnauthenticatedError):
        await elsewhere.caller(f"Bearer {token}")
    stranger = Authenticator(desk.issuer, "https://elsewhere.example", services_of("intake"))
    with pytest.raises(UnauthenticatedError):
        await stranger.caller(f"Bearer {token}")


async def test_a_token_that_has_expired_or_was_changed_is_refused(desk: Desk) -> None:
    token = await desk.person("maria", "agent")
    own = desk.own_key()
    same = desk.forged(own, token, sub="maria")
    assert (await desk.authenticator.caller(f"Bearer {same}")).sub == "maria"
    now = int(time.time())
    header, body, signature = token.split(".")
    more = json.dumps(claims(token) | {"roles": ["admin"]}).encode()
    changed = base64.urlsafe_b64encode(more).rstrip(b"=").decode()
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    refused = [
        desk.forged(own, token, exp=now - 3600),
        desk.forged(own, token, aud=["another"]),
        desk.forged(own, token, roles="admin"),
        desk.forged(own, token, department=["parks"]),
        desk.forged(own, token, exp=None),
        desk.forged(own, token, exp="never"),
        desk.forged(own, token, sub=None),
        desk.forged(own, token, nbf=now + 3600),
        f"{header}.{changed}.{signature}",
        f"{unsigned}.{body}.",
        f"{header}.{body}.",
    ]
    taken = []
    for number, wrong in enumerate(refused):
        with contextlib.suppress(UnauthenticatedError):
            taken.append((number, await desk.authenticator.caller(f"Bearer {wrong}")))
    assert taken == []


async def test_a_token_under_a_foreign_key_is_refused(desk: Desk) -> None:
    token = await desk.person("maria", "agent")
    for keyid in ("another", desk.own_key().kid or ""):
        with pytest.raises(UnauthenticatedError):
            await desk.authenticator.caller(f"Bearer {desk.forged(_key(keyid, bytes(32)), token)}")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Bearer x",
        "Bearer a.b.c",
        "Bearer e30.e30.e30",
        "Bearer W10.W10.W10",
        "Bearer bnVsbA.bnVsbA.",
        "Bearer " + "." * 50,
        "Bearer \xff.\xff.\xff",
        "Bearer " + "A" * 20_000,
        "Bearer eyJhbGciOjF9.e30.e30",
        "Bearer eyJhbGciOiJFZDI1NTE5Iiwia2lkIjpbXX0.e30.e30",
        "Bearer eyJhbGciOiJFZDI1NTE5IiwiY3JpdCI6WyJ4Il19.e30.e30",
        "Bearer eyJhbGciOiJFZERTQSIsImNyaXQiOjF9.e30.e30",
    ],
)
async def test_what_is_no_token_is_refused(desk: Desk, header: str | None) -> None:
    with pytest.raises(UnauthenticatedError) as refused:
        await desk.authenticator.caller(header)
    assert status_of(refused.value) == 401


async def test_a_key_that_the_issuer_has_since_is_read(desk: Desk, servers: Stack) -> None:
    token = await desk.person("maria", "agent")
    await desk.issuer.keys()
    old = _key("retired", bytes(range(32)))
    desk.issuer._keys = type(await desk.issuer.keys())([old])
    desk.issuer._read_at -= 11
    assert (await desk.authenticator.caller(f"Bearer {token}")).sub == "maria"


class Away(httpx.AsyncBaseTransport):
    """An issuer that does not answer any more; `asked` counts who tries."""

    def __init__(self) -> None:
        self.asked = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        raise httpx.ConnectTimeout("away")


@pytest.fixture
def away() -> Away:
    return Away()


async def test_known_keys_are_used_while_the_issuer_is_away(desk: Desk, away: Away) -> None:
    """And it is not asked again for every token, valid or not."""
    token = await desk.person("maria", "agent")
    await desk.authenticator.caller(f"Bearer {token}")
    desk.issuer._http = HttpClient(transport=away)
    desk.issuer._read_at -= Issuer.KEYS_FOR_SECONDS + 1
    foreign = desk.forged(_key("another", bytes(32)), token)
    for _ in range(20):
        assert (await desk.authenticator.caller(f"Bearer {token}")).sub == "maria"
        with pytest.raises(UnauthenticatedError):
            await desk.authenticator.caller(f"Bearer {foreign}")
    assert away.asked <= 2


async def test_a_token_is_used_as_long_as_it_lives_while_the_issuer_is_away(
    desk: Desk, away: Away
) -> None:
    service = desk.service("audit")
    token = await service.get()
    service._http = HttpClient(transport=away)
    service._until = time.monotonic() + 10
    assert await service.get() == token
    service._until = time.monotonic() - 1
    with pytest.raises(TransientError):
        await service.get()


class Nonsense(httpx.AsyncBaseTransport):
    """Something else that answers at the issuer's address."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=self._body)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"jwks_uri":1,"token_endpoint":2}'])
async def test_an_issuer_that_talks_nonsense_is_one_that_does_not_answer(
    desk: Desk, body: bytes
) -> None:
    http = HttpClient(transport=Nonsense(body))
    issuer = Issuer(desk.url, http)
    with pytest.raises(TransientError):
        await Authenticator(issuer, desk.url, services_of("intake")).caller("Bearer a.b.c")
    with pytest.raises(TransientError):
        await Tokens(issuer, http, "svc", "secret", services_of("intake").own).get()
    mixed = Issuer(desk.url, http)
    mixed._document = await desk.issuer.document()
    with pytest.raises(TransientError):
        await mixed.keys()
    with pytest.raises(TransientError):
        await Tokens(mixed, http, "svc", "secret", services_of("intake").own).get()
