"""`direct311 case`: what it sends, and that nobody approves what the command did not show."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from direct311.cli import approvals, cases
from direct311.cli.fresh_sign_in import FreshSignIn
from direct311.cli.screen import Screen
from direct311.runtime.access.disclosures import nonce_of_grant
from direct311.schemas.codec import dump
from tests.support.disclosures import Provider, grant

CASE = "01a213de-31f0-7245-a5e0-10ea754957f7"
GRANT = grant(fields=("phone",))


class FakeHttp:
    def __init__(self) -> None:
        self.sent: list[tuple[str, Any, Any]] = []

    async def post_json(self, url: str, body: Any, headers: Any) -> Any:
        self.sent.append((url, body, headers))
        return {"missing": [], "state": "approved"}


class FakeStack:
    issuer = "http://issuer.test"
    approval_client = "direct311-approvals"
    services = {"retention": "http://retention.test"}  # noqa: RUF012
    audiences = {"retention": "urn:direct311:retention"}  # noqa: RUF012


class FakeSession:
    """Retention with one case and one grant."""

    def __init__(self) -> None:
        self.stack, self.http = FakeStack(), FakeHttp()
        self.posted: list[tuple[str, Any, str, str]] = []
        self.nonce = nonce_of_grant(GRANT)

    async def get(self, service: str, path: str, role: str, name: str) -> Any:
        assert (service, path) == ("retention", f"/v1/cases/{CASE}/grants")
        shown = {
            "grant_id": GRANT.grant_id,
            "version": 1,
            "state": "prepared",
            "grant": GRANT.model_dump(mode="json"),
            "nonce": self.nonce,
            "missing": ["records_officer"],
        }
        return {"case_id": CASE, "version": 7, "grants": [shown]}

    async def post(self, service: str, path: str, body: Any, role: str, name: str) -> Any:
        self.posted.append((path, body, role, name))
        return {"case_id": CASE, "grant_id": "grant-2", "state": "revoked"}


@pytest.fixture
def session() -> FakeSession:
    return FakeSession()


def called(session: FakeSession, *words: str, typed: str = "") -> Any:
    app = typer.Typer()

    def run(work: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        asyncio.run(work(session))

    cases.register(app, run, print, Screen(), Screen())
    return CliRunner().invoke(app, words, input=typed)


def test_a_grant_is_prepared_from_the_newest_version(session: FakeSession, tmp_path: Path) -> None:
    listed = tmp_path / "records"
    listed.write_text("r-2\nr-3\n")
    words = [
        "--field",
        "phone",
        "--worker",
        "wanda",
        "--record",
        "r-1",
        "--search",
        "person=2",
        "--days",
        "2",
    ]
    done = called(session, "grant", CASE, *words, "--records", str(listed))
    assert (done.exit_code, done.output.strip()) == (0, "grant-2"), done.output
    ((path, body, role, _),) = session.posted
    assert (path, role, body["version"]) == (f"/v1/cases/{CASE}/grants", "custodian", 7)
    assert body["record_ids"] == ["r-1", "r-2", "r-3"]
    assert body["searches"] == [{"kind": "person", "number": 2}]
    left = datetime.fromisoformat(body["valid_until"]) - datetime.now(UTC)
    assert timedelta(days=1.9) < left <= timedelta(days=2)


def test_what_was_asked_comes_from_a_file_or_is_typed(session: FakeSession) -> None:
    done = called(session, "open", "-", typed="All complaints about one bridge.")
    assert (done.exit_code, done.output.strip()) == (0, CASE)
    ((path, body, *_),) = session.posted
    assert (path, body["request"]) == ("/v1/cases", "All complaints about one bridge.")
    assert "contact" not in body


def test_a_grant_is_revoked_in_the_version_that_was_seen(session: FakeSession) -> None:
    done = called(session, "revoke", CASE, GRANT.grant_id, "--reason", "scope_changed")
    assert done.output.strip() == "revoked"
    assert session.posted[0][1] == {"version": 1, "reason": "scope_changed"}


@pytest.mark.parametrize("wrong", ["person", "person=", "person=x"])
def test_a_search_needs_its_number(session: FakeSession, wrong: str) -> None:
    words = ("--field", "phone", "--worker", "wanda", "--search", wrong)
    assert called(session, "grant", CASE, *words).exit_code == 2
    assert not session.posted


def test_somebody_signs_in_for_exactly_what_is_shown(
    session: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def sign_in(*given: Any, audience: str) -> FreshSignIn:
        asked.append(given[3])
        assert audience == "urn:direct311:retention"
        approval = Provider().approval("olga", given[3], datetime.now(UTC))
        return FreshSignIn(approval, "the-access-token")

    monkeypatch.setattr(approvals, "sign_in_again", sign_in)
    done = called(session, "approve", CASE, GRANT.grant_id)
    assert done.exit_code == 0, done.output
    for each in (*GRANT.record_ids, *GRANT.fields, *GRANT.workers, "person: 2"):
        assert each in done.output
    assert asked == [nonce_of_grant(GRANT)]
    ((url, body, headers),) = session.http.sent
    assert url.endswith(f"/v1/cases/{CASE}/grants/{GRANT.grant_id}/approve")
    assert (body["version"], headers) == (1, {"Authorization": "Bearer the-access-token"})
    assert body["id_token"] not in done.output


def test_nobody_signs_in_for_something_that_is_not_shown(
    session: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.nonce = nonce_of_grant(grant(fields=("phone", "email")))
    monkeypatch.setattr(approvals, "sign_in_again", None)
    done = called(session, "approve", CASE, GRANT.grant_id)
    assert done.exit_code == 1
    assert "not what would be approved" in done.output
    assert not session.http.sent


def test_the_hash_is_that_of_the_grant_as_the_service_shows_it() -> None:
    assert nonce_of_grant(type(GRANT).model_validate_json(dump(GRANT))) == nonce_of_grant(GRANT)
