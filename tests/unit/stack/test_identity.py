"""The development issuer: who gets which token, and where it refuses to be."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from starlette.testclient import TestClient

from deploy.local import identity
from deploy.local.identity import Client, Issuer, NotDevelopmentError

URL = "http://127.0.0.1:8310"
OPERATOR = "operator-secret"
GEO, MEDIA = "urn:direct311:geo", "urn:direct311:media"
PERSON = {
    "sub": "maria",
    "roles": ["department"],
    "department": "animal_services",
    "audience": GEO,
}


@pytest.fixture
def issuer() -> Iterator[TestClient]:
    app = identity.create_app(
        Issuer(URL, "identity-1", bytes(range(32))),
        {
            "svc-geo": Client("geo", "s3cret", GEO, exchanges=[MEDIA]),
            "svc-media": Client("media", "0ther", MEDIA),
            "dept-parks": Client(secret="th1rd", department="parks", resources=[GEO]),
        },
        OPERATOR,
    )
    with TestClient(app, base_url=URL) as client:
        yield client


def _claims(client: TestClient, token: str, audience: str = GEO) -> dict[str, Any]:
    keys = KeySet.import_key_set(client.get("/jwks").json())
    decoded = jwt.decode(token, keys, algorithms=["Ed25519"])
    registry = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": URL}, aud={"essential": True, "value": audience}
    )
    registry.validate(decoded.claims)
    return decoded.claims


def _person(client: TestClient, person: object, secret: str = OPERATOR) -> Any:
    return client.post("/dev/token", json=person, headers={"X-Operator-Secret": secret})


def test_discovery_leads_to_keys_and_tokens(issuer: TestClient) -> None:
    document = issuer.get("/.well-known/openid-configuration").json()
    assert document["issuer"] == URL
    assert document["jwks_uri"] == f"{URL}/jwks"
    assert document["token_endpoint"] == f"{URL}/token"


def test_the_published_keys_hold_nothing_private(issuer: TestClient) -> None:
    (key,) = issuer.get("/jwks").json()["keys"]
    assert "d" not in key
    assert key["kid"] == "identity-1"


def test_a_service_gets_a_token_for_itself_alone(issuer: TestClient) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_id": "svc-geo",
        "client_secret": "s3cret",
        "scope": "admin",
        "resource": MEDIA,
    }
    answer = issuer.post("/token", data=form)
    claims = _claims(issuer, answer.json()["access_token"], MEDIA)
    assert claims["sub"] == "svc-geo"
    assert claims["client_id"] == "svc-geo"
    assert claims["roles"] == ["service"]
    assert claims["exp"] - claims["iat"] == answer.json()["expires_in"]
    assert answer.headers["cache-control"] == "no-store"


def test_a_service_may_send_its_secret_as_basic_credentials(issuer: TestClient) -> None:
    form = {"grant_type": "client_credentials", "resource": MEDIA}
    answer = issuer.post("/token", data=form, auth=("svc-geo", "s3cret"))
    assert _claims(issuer, answer.json()["access_token"], MEDIA)["sub"] == "svc-geo"


def test_a_departments_system_gets_only_its_own_tokens(issuer: TestClient) -> None:
    form = {"grant_type": "client_credentials", "roles": "admin", "department": "regulatory"}
    own = ("dept-parks", "th1rd")
    answer = issuer.post("/token", data={**form, "resource": GEO}, auth=own)
    claims = _claims(issuer, answer.json()["access_token"])
    assert (claims["sub"], claims["client_id"]) == ("dept-parks", "dept-parks")
    assert (claims["roles"], claims["department"]) == (["department_system"], "parks")
    for resource in (MEDIA, "", URL):
        answer = issuer.post("/token", data={**form, "resource": resource}, auth=own)
        assert answer.json()["error"] == "invalid_target"


@pytest.mark.parametrize(
    ("client_id", "secret"), [("svc-geo", "wrong"), ("svc-none", "s3cret"), ("svc-geo", "")]
)
def test_a_wrong_secret_gets_nothing(issuer: TestClient, client_id: str, secret: str) -> None:
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    answer = issuer.post("/token", data=form)
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    assert "s3cret" not in answer.text


def test_other_grants_are_refused(issuer: TestClient) -> None:
    answer = issuer.post("/token", data={"grant_type": "password", "username": "maria"})
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


def test_a_person_gets_roles_and_department(issuer: TestClient) -> None:
    claims = _claims(issuer, _person(issuer, PERSON).json()["access_token"])
    assert (claims["sub"], claims["roles"]) == ("maria", ["department"])
    assert claims["department"] == "animal_services"
    assert "client_id" not in claims


def test_two_tokens_never_have_the_same_id(issuer: TestClient) -> None:
    first, second = (_person(issuer, PERSON).json()["access_token"] for _ in range(2))
    assert _claims(issuer, first)["jti"] != _claims(issuer, second)["jti"]


def test_a_short_lived_token_can_be_asked_for(issuer: TestClient) -> None:
    answer = _person(issuer, {**PERSON, "expires_in": 2})
    claims = _claims(issuer, answer.json()["access_token"])
    assert claims["exp"] - claims["iat"] == 2 == answer.json()["expires_in"]


@pytest.mark.parametrize("secret", ["", "wrong"])
def test_people_need_the_operators_secret(issuer: TestClient, secret: str) -> None:
    assert _person(issuer, PERSON, secret).status_code == 401


@pytest.mark.parametrize(
    "person",
    [
        [],
        {},
        {"sub": "maria"},
        {"sub": "", "roles": ["agent"]},
        {"sub": "maria", "roles": []},
        {"sub": "maria", "roles": "agent"},
        {"sub": "maria", "roles": ["king"]},
        {"sub": "maria", "roles": ["service"]},
        {"sub": "svc:intake", "roles": ["agent"]},
        {"sub": "svc-geo", "roles": ["agent"]},
        {"sub": "maria", "roles": ["department"]},
        {"sub": "maria", "roles": ["agent"], "department": 7},
        {"sub": "maria", "roles": ["agent"], "expires_in": 0},
        {"sub": "maria", "roles": ["agent"], "expires_in": 1_000_000},
    ],
)
def test_a_person_that_makes_no_sense_is_refused(issuer: TestClient, person: object) -> None:
    wanted = {**person, "audience": GEO} if isinstance(person, dict) else person
    answer = _person(issuer, wanted)
    error = "invalid_request" if isinstance(person, dict) else "invalid_target"
    assert (answer.status_code, answer.json()["error"]) == (400, error)


@pytest.mark.parametrize("audience", [None, "", "direct311", "svc-geo", [GEO], [GEO, MEDIA], 7])
def test_a_person_gets_a_token_for_one_service(issuer: TestClient, audience: object) -> None:
    answer = _person(issuer, {**PERSON, "audience": audience})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_target")


def test_a_body_that_is_not_json_is_refused(issuer: TestClient) -> None:
    answer = issuer.post("/dev/token", content=b"{", headers={"X-Operator-Secret": OPERATOR})
    assert answer.status_code == 400


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health(issuer: TestClient, path: str) -> None:
    assert issuer.get(path).status_code == 200


@pytest.mark.parametrize("environment", [None, "", "production", "Local"])
def test_it_starts_nowhere_but_in_development(tmp_path: Path, environment: str | None) -> None:
    key = tmp_path / "identity.json"
    key.write_text(json.dumps({"keyid": "identity-1", "private": "A" * 43 + "="}))
    (tmp_path / "clients.json").write_text("{}")
    environ = {
        "IDENTITY_KEY_FILE": str(key),
        "IDENTITY_CLIENTS_FILE": str(tmp_path / "clients.json"),
        "IDENTITY_ISSUER_URL": URL,
        "IDENTITY_OPERATOR_SECRET": OPERATOR,
    }
    assert identity.from_environment(environ | {"DIRECT311_ENVIRONMENT": "test"}) is not None
    if environment is not None:
        environ["DIRECT311_ENVIRONMENT"] = environment
    with pytest.raises(NotDevelopmentError):
        identity.from_environment(environ)
