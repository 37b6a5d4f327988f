"""What a service shows another: its own token, and a person's that was exchanged for the call."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from deploy.local import identity
from direct311.runtime.access.identity import Authenticator, Issuer, Tokens, UnauthenticatedError
from direct311.runtime.access.services import Service, Services, ServicesError
from direct311.runtime.errors import TransientError
from direct311.runtime.peers import HttpClient, Peer
from direct311.schemas.claims import SEALING, SERVICES
from tests.support.identity import audience_of, services_of
from tests.support.runtime import claims

pytestmark = pytest.mark.anyio
URL = "https://issuer.test"
INTAKE = audience_of("intake")
ISSUER = identity.Issuer(URL, "identity-1", bytes(range(32)))


class Provider(httpx.AsyncBaseTransport):
    """The development issuer, until it says something else; `asked` are the forms that it got."""

    def __init__(self) -> None:
        audit = identity.Client("audit", "s3cret", audience_of("audit"), exchanges=[INTAKE])
        intake = identity.Client("intake", "0ther", INTAKE)
        app = identity.create_app(ISSUER, {"svc-audit": audit, "svc-intake": intake}, "operator")
        self._issuer = httpx.ASGITransport(app=app)
        self.asked: list[dict[str, str]] = []
        self.says: Callable[[], httpx.Response] | None = None
        self.says_to = [identity.EXCHANGE, identity.CREDENTIALS]

    @property
    def exchanges(self) -> list[dict[str, str]]:
        return [form for form in self.asked if form["grant_type"] == identity.EXCHANGE]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/token":
            form = dict(parse_qsl((await request.aread()).decode()))
            self.asked.append(form)
            if self.says is not None and form["grant_type"] in self.says_to:
                return self.says()
        return await self._issuer.handle_async_request(request)


class Desk:
    """Audit, which calls intake."""

    def __init__(self, to: Service | None = None) -> None:
        self.provider = Provider()
        self.http = HttpClient(transport=self.provider)
        self.issuer = Issuer(URL, self.http)
        to = to or services_of("intake").own
        self.tokens = Tokens(self.issuer, self.http, "svc-audit", "s3cret", to)
        self.intake = Authenticator(self.issuer, URL, services_of("intake"))

    def person(self, sub: str = "ines", **wanted: Any) -> str:
        said = {"sub": sub, "roles": ["auditor"], **wanted}
        return f"Bearer {ISSUER.person_token(said, audience_of('audit'))}"


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_the_callee_sees_the_person_the_service_and_the_session(desk: Desk) -> None:
    hers = desk.person()
    own, brought = await desk.tokens.get(), await desk.tokens.exchanged(hers)
    caller = await desk.intake.caller(f"Bearer {own}", f"Bearer {brought}")
    assert (caller.sub, caller.roles, caller.via) == ("ines", ("auditor",), "svc:audit")
    session = claims(hers.removeprefix("Bearer "))["jti"]
    assert caller.token_id == session != claims(brought)["jti"]


async def test_an_exchanged_token_is_used_again_and_is_one_persons(desk: Desk) -> None:
    ines, iris = desk.person("ines"), desk.person("iris")
    first = await desk.tokens.exchanged(ines)
    assert await desk.tokens.exchanged(ines) == first
    assert claims(await desk.tokens.exchanged(iris))["sub"] == "iris"
    # Another sign-in of the same person is another session.
    assert await desk.tokens.exchanged(desk.person("ines")) != first
    assert len(desk.provider.exchanges) == 3


async def test_one_with_little_to_live_is_exchanged_anew(desk: Desk) -> None:
    hers = desk.person(expires_in=5)
    for _ in range(2):
        said = claims(await desk.tokens.exchanged(hers))
        assert said["exp"] <= claims(hers.removeprefix("Bearer "))["exp"]  # type: ignore[operator]
    assert len(desk.provider.exchanges) == 2


async def test_a_provider_that_says_a_longer_life_is_not_believed(desk: Desk) -> None:
    body = {"access_token": "x", "expires_in": 86_400}
    desk.provider.says = lambda: httpx.Response(200, json=body)
    await desk.tokens.exchanged(desk.person())
    ((_, until),) = desk.tokens._exchanged.values()
    assert until <= time.monotonic() + 60


async def test_only_so_many_are_kept(desk: Desk) -> None:
    desk.tokens.MOST_KEPT = 3
    people = [desk.person(f"p{number}") for number in range(5)]
    for each in people:
        await desk.tokens.exchanged(each)
    assert len(desk.tokens._exchanged) == 3
    await desk.tokens.exchanged(people[-1])
    assert len(desk.provider.exchanges) == 5
    await desk.tokens.exchanged(people[0])
    assert len(desk.provider.exchanges) == 6


async def test_no_token_of_a_person_lies_in_memory_as_it_is(desk: Desk) -> None:
    hers = desk.person()
    await desk.tokens.exchanged(hers)
    assert hers.removeprefix("Bearer ").encode() not in list(desk.tokens._exchanged)


def _away() -> httpx.Response:
    raise httpx.ConnectTimeout("away")


NOT_NOW: dict[str, Callable[[], httpx.Response]] = {
    "away": _away,
    "broken": lambda: httpx.Response(500),
    "busy": lambda: httpx.Response(429, json={"error": "slow_down"}),
    "nonsense": lambda: httpx.Response(200, content=b"<html>"),
    "no token": lambda: httpx.Response(200, json={}),
    "a list": lambda: httpx.Response(200, json=[]),
    "may not": lambda: httpx.Response(400, json={"error": "unauthorized_client"}),
    "not for that": lambda: httpx.Response(400, json={"error": "invalid_target"}),
    "knows no exchange": lambda: httpx.Response(400, json={"error": "unsupported_grant_type"}),
    "who is that": lambda: httpx.Response(401, json={"error": "invalid_client"}),
}


@pytest.mark.parametrize("says", NOT_NOW.values(), ids=NOT_NOW)
async def test_a_provider_that_exchanges_nothing_is_one_to_ask_again(
    desk: Desk, says: Callable[[], httpx.Response]
) -> None:
    await desk.issuer.document()
    desk.provider.says = says
    with pytest.raises(TransientError):
        await desk.tokens.get()
    # Whether that is all that it says, or it still knows the service.
    for grants in (desk.provider.says_to, [identity.EXCHANGE]):
        desk.provider.says_to = grants
        with pytest.raises(TransientError):
            await desk.tokens.exchanged(desk.person())


@pytest.mark.parametrize("error", ["invalid_request", "invalid_grant"])
async def test_a_person_whose_token_is_not_good_any_more_is_told_so(desk: Desk, error: str) -> None:
    desk.provider.says = lambda: httpx.Response(400, json={"error": error})
    desk.provider.says_to = [identity.EXCHANGE]
    with pytest.raises(UnauthenticatedError):
        await desk.tokens.exchanged(desk.person())


@pytest.mark.parametrize("header", ["", "Bearer ", "Basic YTpi", "x"])
async def test_what_is_no_bearer_header_is_not_exchanged(desk: Desk, header: str) -> None:
    with pytest.raises(UnauthenticatedError):
        await desk.tokens.exchanged(header)
    assert desk.provider.asked == []


async def test_the_provider_is_asked_for_one_audience_and_its_scope() -> None:
    desk = Desk(replace(services_of("intake").own, scope="direct311-intake"))
    await desk.tokens.get()
    await desk.tokens.exchanged(desk.person())
    own, theirs = desk.provider.asked
    assert (own["resource"], own["scope"]) == (INTAKE, "direct311-intake")
    assert (theirs["audience"], theirs["scope"]) == (INTAKE, "direct311-intake")
    assert "resource" not in theirs
    assert claims(theirs["actor_token"])["client_id"] == "svc-audit"
    assert theirs["subject_token_type"] == theirs["requested_token_type"] == identity.ACCESS_TOKEN


async def test_a_peer_brings_the_exchanged_token_and_never_the_persons(desk: Desk) -> None:
    seen: list[Mapping[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(200, json={})

    peer = Peer("http://i", HttpClient(transport=httpx.MockTransport(answer)), desk.tokens)
    hers = desk.person()
    await peer.post("/x", {}, on_behalf_of=hers)
    await peer.get("/x")
    first, second = seen
    assert claims(first["x-on-behalf-of"].removeprefix("Bearer "))["aud"] == INTAKE
    assert hers.removeprefix("Bearer ") not in str(first)
    assert "x-on-behalf-of" not in second
    # An empty header is nobody, not a call of the service's own.
    with pytest.raises(UnauthenticatedError):
        await peer.get("/x", on_behalf_of="")
    assert len(seen) == 2


# ---------------------------------------------------------------- the list of services

GOOD = {"service": "geo", "client_id": "c-geo", "audience": "urn:geo"}
OTHER = {"service": "audit", "client_id": "c-audit", "audience": "urn:audit"}


def _listed(folder: Path, *entries: object) -> Services:
    path = folder / "principals.json"
    path.write_text(json.dumps({"services": entries}))
    return Services.from_file(path, "geo")


def test_a_service_is_its_client_id_unless_the_provider_says_otherwise(tmp_path: Path) -> None:
    found = _listed(
        tmp_path, GOOD, OTHER | {"subject": "0b7e", "for_people": ["geo"], "scope": "s"}
    )
    assert found.own.subject == "c-geo"
    assert found.at("audit").subject == "0b7e"
    assert found.of_client("c-audit") is found.at("audit")
    assert found.of_client(["c-audit"]) is None
    assert [found.reserves(each) for each in ("0B7E", "svc:x", "C-GEO", "ines")] == [
        True,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    "entry",
    [
        {},
        "geo",
        None,
        GOOD | {"audience": None},
        GOOD | {"client_id": ""},
        GOOD | {"client_id": 7},
        GOOD | {"audience": " urn:geo"},
        GOOD | {"audience": "c-audit"},
        GOOD | {"audience": "urn:audit"},
        GOOD | {"subject": "c-audit"},
        GOOD | {"for_people": "audit"},
        GOOD | {"for_people": ["nobody"]},
        GOOD | {"for_people": ["geo"]},
        GOOD | {"service": "other"},
        GOOD | {"seals": True},
        GOOD | {"seals": "no"},
        OTHER,
    ],
)
def test_a_list_that_lets_two_be_one_is_refused(tmp_path: Path, entry: object) -> None:
    with pytest.raises(ServicesError):
        _listed(tmp_path, entry, OTHER)


def test_the_list_says_which_services_have_a_vault(tmp_path: Path) -> None:
    media = {"service": "media", "client_id": "c-media", "audience": "urn:media", "seals": True}
    found = _listed(tmp_path, GOOD | {"seals": False}, media, OTHER | {"seals": True})
    assert found.sealing == ("media", "audit")


def test_an_older_list_that_says_nothing_of_vaults_leaves_none_out(tmp_path: Path) -> None:
    listed = [
        {"service": each, "client_id": f"c-{each}", "audience": f"urn:{each}"} for each in SERVICES
    ]
    assert set(_listed(tmp_path, *listed).sealing) == set(SEALING)


def test_a_list_that_leaves_out_a_vault_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ServicesError, match="audit: `seals`"):
        _listed(tmp_path, GOOD, OTHER | {"seals": False})
