"""Tokens where they were not made for: of a person at another service, of a service as a person, of
one who brings what is not theirs to bring.

Whoever attacks here has even the issuer's key, and signs what the issuer never would: what is
refused is refused by the services, whatever a provider is talked into.
"""

import base64
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from itertools import permutations
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey

from deploy.local.stack import Stack
from direct311.geo.settings import GeoSettings
from direct311.runtime.access.identity import Authenticator, Issuer, UnauthenticatedError
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RuntimeFaultError
from direct311.runtime.peers import HttpClient
from direct311.runtime.process import Resources
from tests.support.county import County, until
from tests.support.identity import services_of
from tests.support.submissions import submission

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
ROLES = ["admin", "agent", "auditor"]
SOMETHING = {
    "intake": "/v1/counts",
    "media": f"/internal/media/{uuid4()}",
    "geo": "/v1/counts",
    "routing": "/v1/counts",
    "retention": "/v1/counts",
    "audit": "/v1/reconciliation",
}
"""What a token of `ROLES` may ask."""
FETCHES = "/internal/key-fetches?after=2030-01-01T00:00:00Z"
"""What services ask of services that seal."""
PERSON = {"phone": "305-555-0199", "purpose": "authorised_audit", "reference": "L-1"}


class Forger:
    """Somebody who has taken over what signs tokens, and knows every name."""

    def __init__(self, county: County) -> None:
        self.county = county
        self.dev = county.stack.dev
        self._key = _key(county.stack.root / "keys" / "identity.json")
        self._link_key = _key(county.stack.root / "keys" / "intake-link.json")

    def audience(self, service: str) -> str:
        return str(self.dev.get("audiences", {}).get(service, "direct311"))

    def token(self, to: str = "intake", *, typ: str | None = "at+jwt", **said: Any) -> str:
        """A token under the issuer's key, of a person with many roles unless said otherwise. What
        is said to be `None` is left out."""
        now = int(time.time())
        claims = {
            "iss": self.dev["issuer"],
            "aud": self.audience(to),
            "sub": "ana",
            "roles": ROLES,
            "jti": str(uuid4()),
            "iat": now,
            "exp": now + 60,
            **said,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": "Ed25519", "kid": str(self._key.kid), "typ": typ}
        header = {name: value for name, value in header.items() if value is not None}
        return jwt.encode(header, claims, self._key, algorithms=["Ed25519"])

    def exchanged(self, actor: str = "audit", to: str = "intake", **said: Any) -> str:
        """What the issuer would make of a person's token for this service."""
        client = f"svc-{actor}"
        act = {"client_id": client, "sub": client}
        return self.token(to, **{"client_id": client, "act": act, "origin_jti": "o", **said})

    def link(self, record_id: str, audience: str) -> str:
        now = int(time.time())
        claims = {
            "iss": "/direct311/intake",
            "aud": audience,
            "iat": now,
            "exp": now + 600,
            "jti": str(uuid4()),
            "record_id": record_id,
            "scope": "subject",
        }
        header = {"alg": "Ed25519", "kid": str(self._link_key.kid), "typ": "direct311-link+jwt"}
        return jwt.encode(header, claims, self._link_key, algorithms=["Ed25519"])

    async def asked(self, form: Mapping[str, Any], client: str | None) -> httpx.Response:
        """What the issuer says to a client, or to nobody."""
        secrets = self.county.stack.credentials.clients
        own = {"client_id": client, "client_secret": secrets[client]} if client else {}
        return await self.county.http.post(f"{self.dev['issuer']}/token", data={**form, **own})

    async def service(self, name: str, to: str) -> str:
        """The real token of a service for another."""
        form = {"grant_type": "client_credentials", "resource": self.audience(to)}
        answer = await self.asked(form, f"svc-{name}")
        return str(answer.raise_for_status().json()["access_token"])

    async def exchange(
        self, client: str | None, subject_token: str, **said: object
    ) -> httpx.Response:
        form = {
            "grant_type": EXCHANGE,
            "subject_token": subject_token,
            "subject_token_type": ACCESS_TOKEN,
            "audience": self.audience("intake"),
            **said,
        }
        return await self.asked({k: v for k, v in form.items() if v is not None}, client)

    async def at(
        self, service: str, token: str, path: str | None = None, behind: str | None = None
    ) -> httpx.Response:
        """What a service says to a token, and to that of a person behind it."""
        url = self.dev["services"][service] + (path or SOMETHING[service])
        headers = {"Authorization": f"Bearer {token}"}
        if behind is None:
            return await self.county.http.get(url, headers=headers)
        headers["X-On-Behalf-Of"] = f"Bearer {behind}"
        url = f"{self.dev['services'][service]}/internal/persons/resolve"
        return await self.county.http.post(url, headers=headers, json=PERSON)


def _key(path: Path) -> OKPKey:
    document = json.loads(path.read_text())
    seed = base64.b64decode(document["private"])
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    parts = {"x": public, "d": seed}
    text = {k: base64.urlsafe_b64encode(v).rstrip(b"=").decode() for k, v in parts.items()}
    told = {"kty": "OKP", "crv": "Ed25519", "kid": document["keyid"], "alg": "Ed25519"}
    return OKPKey.import_key({**told, **text})


@pytest.fixture
async def forger(county: County) -> Forger:
    return Forger(county)


# ---------------------------------------------------------------- what is good stays good


@pytest.mark.parametrize("service", SOMETHING)
@pytest.mark.e2e
@pytest.mark.anyio
async def test_a_token_is_good_where_it_was_made_for(forger: Forger, service: str) -> None:
    # Or the refusals below would be for another reason.
    answer = await forger.at(service, forger.token(service))
    assert answer.status_code in (200, 404), answer.text


@pytest.mark.e2e
@pytest.mark.anyio
async def test_a_service_may_bring_the_person_whose_token_it_exchanged(forger: Forger) -> None:
    own = await forger.service("audit", "intake")
    made = await forger.exchange("svc-audit", forger.token("audit"))
    assert made.status_code == 200, made.text
    assert made.json()["expires_in"] <= 60
    for token in (made.json()["access_token"], forger.exchanged()):
        assert (await forger.at("intake", own, behind=token)).status_code == 200


# ---------------------------------------------------------------- at the services

Attack = Callable[[Forger], Awaitable[httpx.Response]]


def _replay(made_for: str, used_at: str) -> Attack:
    return lambda forger: forger.at(used_at, forger.token(made_for))


def _signed(to: str = "intake", **said: Any) -> Attack:
    return lambda forger: forger.at(to, forger.token(to, **said))


def _audiences(*services: str, **more: Any) -> Attack:
    def named(forger: Forger) -> list[str]:
        return [forger.audience(each) for each in services]

    return lambda forger: forger.at("intake", forger.token(aud=named(forger), **more))


def _machine(name: str, to: str, at: str) -> Attack:
    async def attack(forger: Forger) -> httpx.Response:
        return await forger.at(at, await forger.service(name, to), FETCHES)

    return attack


def _brought(by: str = "audit", **said: Any) -> Attack:
    async def attack(forger: Forger) -> httpx.Response:
        own = await forger.service(by, "intake")
        return await forger.at("intake", own, behind=forger.exchanged(**said))

    return attack


async def _persons_own(forger: Forger) -> httpx.Response:
    """The token that the person showed to audit."""
    own = await forger.service("audit", "intake")
    return await forger.at("intake", own, behind=forger.token("audit"))


async def _persons_own_for_the_callee(forger: Forger) -> httpx.Response:
    own = await forger.service("audit", "intake")
    return await forger.at("intake", own, behind=forger.token("intake"))


async def _two_services(forger: Forger) -> httpx.Response:
    own = await forger.service("audit", "intake")
    return await forger.at("intake", own, behind=await forger.service("audit", "intake"))


async def _a_person_brings(forger: Forger) -> httpx.Response:
    return await forger.at("intake", forger.token(), behind=forger.exchanged())


async def _exchanged_brings_itself(forger: Forger) -> httpx.Response:
    token = forger.exchanged()
    return await forger.at("intake", token, behind=token)


async def _exchanged_at_a_third(forger: Forger) -> httpx.Response:
    return await forger.at("media", forger.exchanged())


async def _a_link_behind(forger: Forger) -> httpx.Response:
    own = await forger.service("audit", "intake")
    return await forger.at("intake", own, behind=forger.link(str(uuid4()), "direct311"))


SERVICE: dict[str, Any] = {"roles": ["service"]}
ATTACKS: dict[str, Attack] = {
    **{f"token for {a} at {b}": _replay(a, b) for a, b in permutations(SOMETHING, 2)},
    # Audiences.
    "aud of two services": _audiences("intake", "media"),
    "aud of two services, ours last": _audiences("audit", "intake"),
    "aud of all services": _audiences(*SOMETHING),
    "aud of links": _signed(aud="direct311"),
    "aud of links too": _signed(aud=["direct311"]),
    "aud a client id": _signed(aud="svc-intake"),
    "aud empty": _signed(aud=""),
    "aud no text": _signed(aud=[["urn:direct311:intake"]]),
    "aud a mapping": _signed(aud={"urn:direct311:intake": True}),
    "aud with what is no text": _signed(aud=["urn:direct311:intake", ["urn:direct311:media"]]),
    "service's token for intake at media": _machine("audit", "intake", "media"),
    "service's token for media at intake": _machine("audit", "media", "intake"),
    "service's token for geo at media": _machine("intake", "geo", "media"),
    "service's token for media at audit": _machine("intake", "media", "audit"),
    # What the log could not be asked for.
    "no jti": _signed(jti=None),
    "jti empty": _signed(jti=""),
    "sub not in NFC": _signed(sub="e\u0301va"),
    "sub of a link": _signed(sub="link:zzz"),
    "jti with what is not seen": _signed(jti="t\u200b1"),
    "jti of a page": _signed(jti="J" * 32_000),
    "department with an override": _signed(department="\u202epolice"),
    "a role with an override": _signed(roles=["agent", "\u202eagent"]),
    "roles without end": _signed(roles=["agent", *(f"g{n:05}" for n in range(4_800))]),
    # What is no access token.
    "an ID token": _signed(aud="svc-intake", typ="JWT", nonce="n"),
    "an ID token with our audience": _signed(typ="JWT", nonce="n"),
    "no type": _signed(typ=None),
    "type of a logout token": _signed(typ="logout+jwt"),
    # Who says to be a service.
    "role service, a person": _signed(roles=["service"]),
    "role service beside others": _signed(roles=["agent", "service"]),
    "role service, a service's name for sub": _signed(sub="svc:audit", **SERVICE),
    "role service, a client id for sub": _signed(sub="svc-audit", **SERVICE),
    "role service, a person through a service's client": _signed(client_id="svc-audit", **SERVICE),
    "role service, an unknown client": _signed(sub="svc-x", client_id="svc-x", **SERVICE),
    "two clients": _signed(sub="svc-audit", client_id="svc-audit", azp="svc-geo", **SERVICE),
    "another client's name for sub": _signed(sub="svc-audit", client_id="svc-geo", **SERVICE),
    "a service with an actor": _signed(
        sub="svc-audit", client_id="svc-audit", act={"sub": "svc-audit"}, **SERVICE
    ),
    "a person by a service's name": _signed(sub="svc:audit"),
    "a person by a service's name in capitals": _signed(sub="SVC:Audit"),
    "a person by a service's name in wide letters": _signed(sub="\uff53vc:audit"),
    "a person by a service's name after a blank": _signed(sub=" svc:audit"),
    "a person by a service's client id": _signed(sub="svc-audit"),
    "a machine as an agent": _signed(sub="batch", client_id="batch"),
    "a person's token that another service got": _signed(client_id="svc-audit"),
    # Who is brought, and by whom.
    "the person's own token brought": _persons_own,
    "the person's own token for the callee brought": _persons_own_for_the_callee,
    "a service brought": _two_services,
    "a link brought": _a_link_behind,
    "brought by a person": _a_person_brings,
    "an exchanged token alone": lambda forger: forger.at("intake", forger.exchanged()),
    "an exchanged token by itself": _exchanged_brings_itself,
    "an exchanged token at a third service": _exchanged_at_a_third,
    "brought by another service than its actor": _brought("geo"),
    "actor may not bring anybody": _brought("geo", actor="geo"),
    "actor another service": _brought(actor="media"),
    "actor unknown": _brought(actor="nobody"),
    "actor another than its client": _brought(client_id="svc-geo"),
    "actor by the log's name": _brought(act={"sub": "svc:audit"}),
    "actor a text": _brought(act="svc-audit"),
    "actor nobody": _brought(act={}),
    "a chain of actors": _brought(
        act={"client_id": "svc-audit", "sub": "svc-audit", "act": {"sub": "svc-intake"}}
    ),
    "exchanged for an hour": _brought(exp=int(time.time()) + 3600),
    "exchanged without a beginning": _brought(iat=None),
    "exchanged and expired": _brought(iat=1_700_000_000, exp=1_700_000_060),
    "exchanged for another service": _brought(to="media"),
    "exchanged for two": _brought(aud=["urn:direct311:intake", "urn:direct311:media"]),
    "exchanged by an ID token": _brought(typ="JWT"),
    "an exchanged token of a service": _brought(sub="svc-audit", roles=["service"]),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
@pytest.mark.e2e
@pytest.mark.anyio
async def test_it_is_refused(forger: Forger, attack: Attack) -> None:
    answer = await attack(forger)
    assert answer.status_code == 401, answer.text
    assert answer.json()["type"] == "urn:direct311:problem:unauthenticated"


@pytest.mark.e2e
@pytest.mark.anyio
async def test_a_service_has_no_role_but_its_own(forger: Forger) -> None:
    """Whatever the provider lets its token say."""
    said: dict[str, Any] = {"sub": "svc-audit", "client_id": "svc-audit", "roles": [*ROLES]}
    token = forger.token(**said)
    assert (await forger.at("intake", token, FETCHES)).status_code == 200
    assert (await forger.at("intake", token, "/v1/clients")).status_code == 403


# ---------------------------------------------------------------- what the log can be asked for


class Claimed(Authenticator):
    """Takes what is said for what a token says that was checked."""

    def __init__(self, **said: Any) -> None:
        issuer = Issuer("https://issuer.test", HttpClient())
        super().__init__(issuer, "https://issuer.test", services_of("intake"))
        claims = {"sub": "ana", "roles": ["agent"], "jti": "t-1", "exp": 60, "iat": 0, **said}
        self._said = {name: value for name, value in claims.items() if value is not None}

    async def _decode(self, token: str) -> Mapping[str, Any]:
        return self._said

    async def comes(self) -> Caller:
        return await self.caller("Bearer x")


UNCLEAN = {
    "not in NFC": "e\u0301va",
    "not in NFC, hangul": "\u1112\u1161\u11ab",
    "the ohm sign": "\u2126hm",
    "a blank": "a b",
    "a blank behind": "ab ",
    "a no-break space": "a\u00a0b",
    "a line end": "ab\n",
    "a null": "a\x00b",
    "an override": "\u202eab",
    "an isolate": "a\u2066b",
    "a zero width space": "a\u200bb",
    "a soft hyphen": "a\u00adb",
    "a filler": "a\u3164b",
    "a tag": "ab\U000e0041",
    "private use": "a\ue000b",
    "what no character is assigned to": "a\U000e1000b",
    "a surrogate": "a\ud800b",
    "a mark without a letter": "\u0301",
    "marks on marks": "a" + "\u0323\u0324\u0325\u0326\u0327\u0328",
    "too long": "a" * 256,
    "a page": "J" * 32_000,
    "nothing": "",
    "a number": 7,
    "a list": ["a"],
    "a mapping": {"a": 1},
    "true": True,
}


@pytest.mark.parametrize("claim", ["sub", "jti", "client_id", "azp"])
@pytest.mark.parametrize("text", UNCLEAN.values(), ids=UNCLEAN)
@pytest.mark.anyio
async def test_an_identifier_that_a_question_would_not_find_is_refused(
    claim: str, text: object
) -> None:
    with pytest.raises(UnauthenticatedError) as refused:
        await Claimed(**{claim: text}).comes()
    assert str(text) not in refused.value.detail or text in ("", True, 7)


@pytest.mark.parametrize("name", ["sub", "jti"])
@pytest.mark.anyio
async def test_a_token_names_somebody_and_itself(name: str) -> None:
    with pytest.raises(UnauthenticatedError):
        await Claimed(**{name: None}).comes()


@pytest.mark.anyio
async def test_nor_is_one_with_a_good_signature_taken_without_jti() -> None:
    signer = OKPKey.generate_key("Ed25519", {"kid": "k"})
    now = int(time.time())
    url = "https://issuer.test"
    said: dict[str, Any] = {
        "iss": url, "aud": services_of("intake").own.audience, "sub": "ana", "roles": ["agent"],
        "iat": now, "exp": now + 60,
    }  # fmt: skip

    class Known(Issuer):
        async def keys(self, *, newer_than: float = 0.0) -> KeySet:
            return KeySet([signer])

    authenticator = Authenticator(Known(url, HttpClient()), url, services_of("intake"))

    def token(**more: Any) -> str:
        header = {"alg": "Ed25519", "kid": "k", "typ": "at+jwt"}
        return "Bearer " + jwt.encode(header, {**said, **more}, signer, algorithms=["Ed25519"])

    assert (await authenticator.caller(token(jti="t-1"))).token_id == "t-1"
    for more in ({}, {"jti": ""}, {"jti": None}):
        with pytest.raises(UnauthenticatedError):
            await authenticator.caller(token(**more))


DEPARTMENTS = {
    **{name: text for name, text in UNCLEAN.items() if text is not None},
    "an override before a name": "\u202epolice\n=1+1",
    "capitals": "Parks",
    "a formula": "=1+1",
    "one letter": "p",
    "a digit first": "1parks",
    "a line end behind": "parks\n",
}


@pytest.mark.parametrize("text", DEPARTMENTS.values(), ids=DEPARTMENTS)
@pytest.mark.anyio
async def test_a_department_is_a_code(text: object) -> None:
    with pytest.raises(UnauthenticatedError):
        await Claimed(department=text).comes()


ROLES_OF = {
    **{name: [text] for name, text in UNCLEAN.items()},
    "one good, one not": ["agent", "\u202eagent"],
    "a line end behind": ["agent\n"],
    "a text": "agent",
    "a mapping of roles": {"agent": True},
    "thousands": ["agent", *(f"g{n:05}" for n in range(4_800))],
    "a formula": ["=1+1"],
}


@pytest.mark.parametrize("roles", ROLES_OF.values(), ids=ROLES_OF)
@pytest.mark.anyio
async def test_roles_are_short_codes(roles: object) -> None:
    with pytest.raises(UnauthenticatedError):
        await Claimed(roles=roles).comes()


@pytest.mark.parametrize(
    "said",
    [
        {"sub": "josé"},
        {"sub": "auth0|5f7c"},
        {"sub": "\u039c\u03b1\u03c1\u03af\u03b1"},
        {"sub": "a" * 255},
        {"jti": "AT:onrtro:9f-3c"},
        {"roles": ["agent", "default-roles-county", "uma_authorization", "app:case.read"]},
        {"roles": ["department"], "department": "public_works"},
        {"client_id": "front-end"},
    ],
)
@pytest.mark.anyio
async def test_what_providers_say_is_taken(said: dict[str, Any]) -> None:
    caller = await Claimed(**said).comes()
    assert (caller.sub, caller.token_id) == (said.get("sub", "ana"), said.get("jti", "t-1"))


# ---------------------------------------------------------------- links


@pytest.mark.parametrize("service", ["intake", "audit"])
@pytest.mark.parametrize("made_for", ["intake", "audit", "svc-intake", "direct312", ""])
@pytest.mark.e2e
@pytest.mark.anyio
async def test_a_link_for_another_audience_is_none(
    forger: Forger, service: str, made_for: str
) -> None:
    record_id = await forger.county.accepted(submission(811))
    path = {
        "intake": f"/v1/requests/{record_id}/subject",
        "audit": f"/v1/subject/{record_id}/accesses",
    }[service]
    good = forger.link(record_id, "direct311")

    async def taken() -> bool:
        return (await forger.at(service, good, path)).status_code == 200

    await until(taken, "the resident sees their request")
    audience = forger.audience(made_for) if made_for in SOMETHING else made_for
    answer = await forger.at(service, forger.link(record_id, audience), path)
    assert answer.status_code == 401, answer.text


# ---------------------------------------------------------------- at the issuer

INVALID, TARGET = "invalid_request", "invalid_target"


def _exchange(
    client: str | None = "svc-audit",
    to: str = "audit",
    *,
    form: Mapping[str, Any] | None = None,
    **said: Any,
) -> Attack:
    return lambda forger: forger.exchange(client, forger.token(to, **said), **(form or {}))


async def _again(forger: Forger) -> httpx.Response:
    """For a second minute."""
    made = await forger.exchange("svc-audit", forger.token("audit"))
    return await forger.exchange("svc-audit", str(made.json().get("access_token")))


async def _onwards(forger: Forger) -> httpx.Response:
    """By who was called."""
    made = await forger.exchange("svc-audit", forger.token("audit"))
    token = str(made.json().get("access_token"))
    return await forger.exchange("svc-intake", token, audience=forger.audience("media"))


async def _for_another_actor(forger: Forger) -> httpx.Response:
    actor = await forger.service("geo", "intake")
    return await forger.exchange("svc-audit", forger.token("audit"), actor_token=actor)


async def _for_a_person(forger: Forger) -> httpx.Response:
    actor = forger.token("audit")
    return await forger.exchange("svc-audit", forger.token("audit"), actor_token=actor)


def _to(*services: str) -> Attack:
    return lambda forger: forger.exchange(
        "svc-audit", forger.token("audit"), audience=[forger.audience(each) for each in services]
    )


EXCHANGES: dict[str, tuple[Attack, str]] = {
    "by a client that may not": (_exchange("svc-geo", "geo"), TARGET),
    "by the callee": (_exchange("svc-intake", "intake"), TARGET),
    "of a token for another service": (_exchange(to="media"), INVALID),
    "of a token for the callee": (_exchange(to="intake"), INVALID),
    "of one for two": (
        _exchange(aud=["urn:direct311:audit", "urn:direct311:media"]),
        INVALID,
    ),
    "of an ID token": (_exchange(typ="JWT"), INVALID),
    "of an expired one": (_exchange(exp=int(time.time()) - 300), INVALID),
    "of a service's": (_exchange(sub="svc-intake", roles=["service"]), INVALID),
    "of an exchanged one": (_again, INVALID),
    "of an exchanged one, onwards": (_onwards, TARGET),
    "of nothing": (lambda forger: forger.exchange("svc-audit", "x"), INVALID),
    "for a service that it does not call": (_to("media"), TARGET),
    "for itself": (_to("audit"), TARGET),
    "for two": (_to("intake", "media"), TARGET),
    "for nobody": (_exchange(form={"audience": None}), TARGET),
    "for a client id": (_exchange(form={"audience": "svc-intake"}), TARGET),
    "for another resource too": (_exchange(form={"resource": "urn:direct311:media"}), TARGET),
    "for an ID token": (
        _exchange(form={"requested_token_type": "urn:ietf:params:oauth:token-type:id_token"}),
        INVALID,
    ),
    "for an actor that is none": (_exchange(form={"actor_token": "x"}), INVALID),
    "for another actor": (_for_another_actor, INVALID),
    "for a person as the actor": (_for_a_person, INVALID),
    "by nobody": (_exchange(None), "invalid_client"),
    "with a wrong secret": (
        _exchange(None, form={"client_id": "svc-audit", "client_secret": "x"}),
        "invalid_client",
    ),
}


@pytest.mark.parametrize(("attack", "error"), EXCHANGES.values(), ids=EXCHANGES)
@pytest.mark.e2e
@pytest.mark.anyio
async def test_no_token_is_exchanged(forger: Forger, attack: Attack, error: str) -> None:
    answer = await attack(forger)
    assert (answer.status_code // 100, answer.json()["error"]) == (4, error)
    assert "access_token" not in answer.json()


# ---------------------------------------------------------------- a call for a person, all the way


@pytest.mark.policy("P20")
@pytest.mark.e2e
@pytest.mark.anyio
async def test_an_auditors_search_reaches_intake_as_theirs_and_under_their_session(
    forger: Forger,
) -> None:
    session = str(uuid4())
    token = forger.token("audit", sub="ines-of-tokens", roles=["auditor"], jti=session)
    url = f"{forger.dev['services']['audit']}/v1/persons/timeline"
    question = {"phone": "305-555-0198", "reference": "L-311"}
    headers = {"Authorization": f"Bearer {token}"}
    answer = await forger.county.http.post(url, headers=headers, json=question)
    assert answer.status_code == 200, answer.text

    async def written() -> list[dict[str, Any]]:
        entries = [
            json.loads(each.value or b"{}") for each in await forger.county.messages("pii.accessed")
        ]
        return [
            each
            for each in entries
            if each["agent"].get("session") == session and each["where"]["service"] == "intake"
            if each["action"] == "search"
        ]

    (entry,) = await until(written, "intake wrote the search down")
    agent = entry["agent"]
    assert (agent["id"], agent["on_behalf_of"]) == ("ines-of-tokens", "svc:audit")
    assert agent["authentication"] == "oidc"


# ---------------------------------------------------------------- at the start


def _own(name: str, **change: object) -> Callable[[dict[str, Any]], None]:
    """A change of one service's entry."""

    def changed(document: dict[str, Any]) -> None:
        for entry in document.get("services", []):
            if entry["service"] == name:
                entry.update(change)

    return changed


def _without(document: dict[str, Any]) -> None:
    document.pop("services", None)


def _same(_: dict[str, Any]) -> None:
    pass


Change = Callable[[dict[str, Any]], None]
STARTS: dict[str, tuple[Change, dict[str, str]]] = {
    "the audience of before": (_same, {"GEO_AUDIENCE": "direct311"}),
    "the principals of before": (_without, {"GEO_AUDIENCE": "direct311"}),
    "an audience equal to the own client id": (_same, {"GEO_AUDIENCE": "svc-geo"}),
    "an audience equal to another's client id": (_same, {"GEO_AUDIENCE": "svc-intake"}),
    "an audience that is blank": (_same, {"GEO_AUDIENCE": " "}),
    "another service's audience": (_same, {"GEO_AUDIENCE": "urn:direct311:audit"}),
    "a client id for an audience": (_own("geo", audience="svc-geo"), {}),
    "a client id for another's audience": (_own("media", audience="svc-geo"), {}),
    "no audience": (_own("geo", audience=""), {}),
    "no text for an audience": (_own("geo", audience=["urn:direct311:geo"]), {}),
    "one audience for two": (_own("geo", audience="urn:direct311:audit"), {}),
    "one client for two": (_own("geo", client_id="svc-audit"), {"GEO_CLIENT_ID": "svc-audit"}),
    "another client id": (_same, {"GEO_CLIENT_ID": "svc-audit"}),
    "links for a service's audience": (_same, {"GEO_LINK_AUDIENCE": "urn:direct311:intake"}),
    "links for a client id": (_same, {"GEO_LINK_AUDIENCE": "svc-intake"}),
}


@pytest.mark.parametrize(("change", "settings"), STARTS.values(), ids=STARTS)
@pytest.mark.anyio
async def test_a_service_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Change, settings: Mapping[str, str]
) -> None:
    stack = Stack.create(tmp_path / "s", ports="free", kind="test")
    lines = (stack.root / "env" / "geo.env").read_text().splitlines()
    told = dict(line.split("=", 1) for line in lines if "=" in line)
    principals = stack.root / "principals.json"
    document = json.loads(principals.read_text())
    change(document)
    principals.write_text(json.dumps(document))
    for name, value in {**told, **settings}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RuntimeFaultError) as refused:
        Resources.open("geo", GeoSettings())
    assert "principals file" in str(refused.value) or "LINK_AUDIENCE" in str(refused.value)


@pytest.mark.parametrize("audience", [None, ""])
@pytest.mark.anyio
async def test_a_service_that_is_told_no_audience_has_that_of_the_principals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, audience: str | None
) -> None:
    stack = Stack.create(tmp_path / "s", ports="free", kind="test")
    lines = (stack.root / "env" / "geo.env").read_text().splitlines()
    told = dict(line.split("=", 1) for line in lines if "=" in line)
    del told["GEO_AUDIENCE"]
    if audience is not None:
        told["GEO_AUDIENCE"] = audience
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    resources = Resources.open("geo", GeoSettings())
    assert resources.services.own.audience == "urn:direct311:geo"
    await resources.http.close()
