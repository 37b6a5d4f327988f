"""A department's own system: its token, and what it is not."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import Request

from deploy.local import identity
from deploy.local.topology import Topology
from direct311.runtime.access.identity import Authenticator, Issuer, UnauthenticatedError
from direct311.runtime.access.services import DepartmentSystem, Services, ServicesError
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import caller_of
from direct311.runtime.peers import HttpClient
from direct311.schemas.claims import SEALING, SERVICES
from tests.support.identity import audience_of

pytestmark = pytest.mark.anyio
URL = "https://issuer.test"
ROUTING = audience_of("routing")
ISSUER = identity.Issuer(URL, "identity-1", bytes(range(32)))
PARKS = {"client_id": "dept-parks", "department": "parks"}
CLAIMS = {
    "sub": "dept-parks",
    "client_id": "dept-parks",
    "roles": ["department_system"],
    "department": "parks",
    "aud": ROUTING,
}


def principals(folder: Path, departments: object) -> Path:
    services = [
        {
            "service": each.name,
            "client_id": each.client,
            "audience": each.audience,
            "seals": each.name in SEALING,
        }
        for each in Topology.read().services
    ]
    assert {each["service"] for each in services} == set(SERVICES)
    path = folder / "principals.json"
    path.write_text(json.dumps({"services": services, "departments": departments}))
    return path


@pytest.fixture
def authenticator(tmp_path: Path) -> Authenticator:
    app = identity.create_app(ISSUER, {}, "operator")
    http = HttpClient(transport=httpx.ASGITransport(app=app))
    services = Services.from_file(principals(tmp_path, [PARKS]), "routing")
    return Authenticator(Issuer(URL, http), URL, services)


def bearer(**said: object) -> str:
    given = {name: value for name, value in (CLAIMS | said).items() if value is not None}
    return f"Bearer {ISSUER._token(given, 60)}"


async def test_its_token_gives_the_role_and_the_department_and_nothing_else(
    authenticator: Authenticator,
) -> None:
    caller = await authenticator.caller(bearer(roles=["admin", "custodian"]))
    assert (caller.sub, caller.roles, caller.department) == (
        "dept-parks",
        ("department_system",),
        "parks",
    )


@pytest.mark.parametrize(
    "said",
    [
        {"department": "animal_services"},
        {"department": None},
        {"sub": "maria"},
        {"client_id": "dept-elsewhere", "sub": "dept-elsewhere"},
        {"client_id": None},
        {"client_id": "browser", "sub": "maria"},
        {"aud": audience_of("intake")},
        {"act": {"client_id": "svc-intake"}},
    ],
)
async def test_no_other_token_is_taken_for_it(
    authenticator: Authenticator, said: Mapping[str, Any]
) -> None:
    with pytest.raises(UnauthenticatedError):
        await authenticator.caller(bearer(**said))


async def test_only_where_it_is_let_in_is_it_answered(authenticator: Authenticator) -> None:
    headers = [(b"authorization", bearer().encode())]
    scope = {"type": "http", "headers": headers, "method": "GET", "path": "/", "state": {}}
    with pytest.raises(RefusedError, match="role"):
        await caller_of(authenticator)(Request(scope))
    found = await caller_of(authenticator, systems=True)(Request(scope))
    assert found.department == "parks"


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "dept-parks"},
        PARKS | {"department": "Parks"},
        PARKS | {"client_id": "svc-intake"},
        PARKS | {"client_id": "svc-parks"},
        PARKS | {"subject": "svc-intake"},
        PARKS | {"client_id": ""},
        PARKS | {"client_id": 7},
        "dept-parks",
    ],
)
def test_a_wrong_list_is_refused_at_start(tmp_path: Path, wrong: object) -> None:
    for listed in ([wrong], wrong):
        with pytest.raises(ServicesError):
            Services.from_file(principals(tmp_path, listed), "routing")


def test_two_departments_never_have_one_client(tmp_path: Path) -> None:
    twice = [PARKS, PARKS | {"department": "regulatory"}]
    with pytest.raises(ServicesError):
        Services.from_file(principals(tmp_path, twice), "routing")
    found = Services.from_file(principals(tmp_path, [PARKS]), "routing")
    assert found.system_of("dept-parks") == DepartmentSystem("dept-parks", "dept-parks", "parks")
    assert found.reserves("Dept-Parks")
