"""`/v1/policy`: the versions, in three languages, with what caches need."""

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from direct311.intake.catalogue.adapters import load_policies
from direct311.intake.language import LANGUAGES
from direct311.intake.submission.api.policy import policy_router
from direct311.intake.submission.handlers.agreement import Agreement
from direct311.runtime.http.api import install
from direct311.runtime.http.health import Readiness
from direct311.runtime.telemetry import Metrics
from tests.support.runtime import SetClock


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    install(app, Readiness(), Metrics())
    app.include_router(policy_router(Agreement(load_policies().content, SetClock())))
    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.policy("P1", "P2")
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_one_in_force_says_since_when_in_which_language_and_what_is_new(
    client: TestClient, language: str
) -> None:
    by_query = client.get("/v1/policy", params={"language": language})
    by_header = client.get("/v1/policy", headers={"Accept-Language": f"{language}-US"})
    assert by_query.json() == by_header.json()
    found = by_query.json()
    assert (found["version"], found["effective_from"], found["in_force"]) == (
        "2026-1",
        "2026-01-01",
        True,
    )
    assert found["language"] == language == by_query.headers["content-language"]
    assert found["changes"]
    assert found["email_notice"]


@pytest.mark.policy("P2")
def test_every_version_stays_to_be_read(client: TestClient) -> None:
    lines = client.get("/v1/policy/versions").json()["versions"]
    assert [(each["version"], each["in_force"]) for each in lines] == [
        ("2026-1", True),
        ("2025-1", False),
    ]
    for line in lines:
        found = client.get(f"/v1/policy/{line['version']}").json()
        assert found["body"]
        assert {name: found[name] for name in line} == line
    missing = client.get("/v1/policy/1999-9")
    assert missing.status_code == 404
    assert "1999-9" not in missing.text


@pytest.mark.parametrize("path", ["", "/versions", "/2025-1"])
def test_an_answer_that_is_known_is_not_sent_again(client: TestClient, path: str) -> None:
    first = client.get(f"/v1/policy{path}")
    tag = first.headers["etag"]
    assert "max-age" in first.headers["cache-control"]
    assert first.headers["vary"] == "Accept-Language"
    again = client.get(f"/v1/policy{path}", headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    spanish = {"If-None-Match": tag, "Accept-Language": "es"}
    assert client.get(f"/v1/policy{path}", headers=spanish).status_code == 200


def test_another_language_is_refused_by_field(client: TestClient) -> None:
    refused = client.get("/v1/policy", params={"language": "zz-secret"})
    assert refused.status_code == 422
    assert "zz-secret" not in refused.text
