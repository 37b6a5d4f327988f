"""`direct311 case verify|legal-scope|exigent|refer`: what the commands send."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from direct311.cli import case_legal
from direct311.cli.screen import Screen

CASE = "01a213de-31f0-7245-a5e0-10ea754957f7"
AGENCY = {"agency": "sample_police", "name": "Sample Police", "number": "+1 305 555 0142"}


class Putting:
    def __init__(self) -> None:
        self.put: list[tuple[str, bytes]] = []

    async def put_bytes(self, url: str, body: bytes, headers: Any) -> None:
        self.put.append((url, body))


class LegalStack:
    services = {"retention": "http://retention.test"}  # noqa: RUF012


class LegalSession:
    """Retention with one case of law enforcement."""

    def __init__(self) -> None:
        self.stack, self.http = LegalStack(), Putting()
        self.posted: list[tuple[str, Any, str, str]] = []
        self.scopes: list[Any] = []

    async def headers(self, service: str, role: str, name: str) -> dict[str, str]:
        return {}

    async def get(self, service: str, path: str, role: str, name: str) -> Any:
        if path == "/v1/legal-instruments":
            return {
                "agencies": [AGENCY],
                "instruments": [
                    {"instrument": "warrant", "documents": ["instrument"]},
                    {"instrument": "exigent_request", "documents": []},
                ],
            }
        assert path == f"/v1/cases/{CASE}/legal-process"
        return {"version": 7, "state": "scoped", "narrowed": False, "scopes": self.scopes}

    async def post(self, service: str, path: str, body: Any, role: str, name: str) -> Any:
        self.posted.append((path, body, role, name))
        return {"state": "verifying", "missing": ["officer"], "referral_id": "case-2"}


@pytest.fixture
def session() -> LegalSession:
    return LegalSession()


def called(session: LegalSession, *words: str, typed: str = "") -> Any:
    app = typer.Typer()

    def run(work: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        asyncio.run(work(session))

    case_legal.register(app, run, print, Screen())
    return CliRunner().invoke(app, words, input=typed)


def test_the_number_is_shown_before_the_outcome_is_asked(
    session: LegalSession, tmp_path: Path
) -> None:
    paper = tmp_path / "warrant.pdf"
    paper.write_bytes(b"a warrant")
    digest = sha256(b"a warrant").hexdigest()
    words = ("--about", "instrument", "--instrument", "warrant", "--agency", "sample_police")
    said = called(session, "verify", CASE, *words, "--document", str(paper), typed="confirmed\n")
    assert said.exit_code == 0, said.output
    assert said.output.index("+1 305 555 0142") < said.output.index("What did they say")
    assert "still to confirm: officer" in said.output
    ((url, body),) = session.http.put
    assert (url.endswith(f"/documents/{digest}?kind=instrument"), body) == (True, b"a warrant")
    ((path, order, role, _),) = session.posted
    assert (path, role) == (f"/v1/cases/{CASE}/verification", "liaison")
    assert order == {
        "version": 7,
        "subject": "instrument",
        "instrument": "warrant",
        "agency": "sample_police",
        "outcome": "confirmed",
        "document": digest,
    }


@pytest.mark.parametrize(
    ("agency", "typed"), [("number_in_the_letter", ""), ("sample_police", "perhaps\n")]
)
def test_no_other_number_is_called_and_no_other_outcome_recorded(
    session: LegalSession, agency: str, typed: str
) -> None:
    words = ("--about", "officer", "--instrument", "warrant", "--agency", agency)
    assert called(session, "verify", CASE, *words, typed=typed).exit_code == 2
    assert session.posted == []


def test_what_was_asked_is_said_the_first_time_only(session: LegalSession, tmp_path: Path) -> None:
    asked = tmp_path / "asked.json"
    asked.write_text(json.dumps({"record_ids": ["r1", "r2"], "fields": ["phone"]}))
    words = ("legal-scope", CASE, "--record", "r1", "--field", "phone")
    assert called(session, *words, "--asked", str(asked)).exit_code == 0
    session.scopes = [{}]
    assert called(session, *words).exit_code == 0
    first, later = (json.loads(body) for _, body in session.http.put)
    assert first["asked"] == {"record_ids": ["r1", "r2"], "fields": ["phone"]}
    assert "asked" not in later
    assert first["granted"] == later["granted"]
    assert later["version"] == 7


def test_a_referral_has_a_key_of_its_own(session: LegalSession, tmp_path: Path) -> None:
    words = tmp_path / "seen.txt"
    words.write_text("what I saw")
    for _ in range(2):
        said = called(session, "refer", "r1", str(words), "--reason", "fraud", "--as", "ivan")
        assert said.output == "case-2\n"
    (_, first, role, name), (_, second, *_) = session.posted
    assert (role, name, first["words"]) == ("inspector", "ivan", "what I saw")
    assert first["key"] != second["key"]
    assert len(first["key"]) >= 16
