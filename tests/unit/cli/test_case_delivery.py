"""`direct311 case minimise|encrypt|tell-code`: what they send and show."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import typer
from typer.testing import CliRunner

from direct311.cli import case_delivery
from direct311.cli.screen import Screen

CASE = "01a213de-31f0-7245-a5e0-10ea754957f7"
RECORD = "01a213de-0000-7245-a5e0-10ea754957f7"
HASH = "a" * 64
DELIVERY = f"/v1/cases/{CASE}/packages/{HASH}/delivery"
REVIEW: dict[str, Any] = {
    "version": 3,
    "texts": {"description": "Ask Ann."},
    "proposals": [
        {
            "item": "description:4-7",
            "field": "description",
            "code": "other_person",
            "citation": "P18",
            "class": "exempt",
            "because": "other_person",
            "preset": True,
            "lifted_by": ["liaison"],
            "public_elsewhere": False,
            "went_out": False,
        }
    ],
    "decisions": [],
    "earlier": [],
    "warnings": [],
    "undecided": ["description:4-7"],
    "flags": [],
    "reviewed": False,
}


class DeliverySession:
    """Answers, and remembers what was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, Any, str, str]] = []

    async def post(self, service: str, path: str, body: Any, role: str, name: str) -> Any:
        self.sent.append((service, path, body, role, name))
        if path.endswith("/review"):
            return REVIEW
        return {
            "code": "ABCD-EFGH-JKMN-PQRS-TVWX",
            "agency": "sample_police",
            "name": "Sample Police Department",
            "number": "+1 305 555 0142",
            "valid_until": "2026-12-02T09:00:00Z",
        }

    async def put(self, service: str, path: str, body: Any, role: str, name: str) -> Any:
        self.sent.append((service, path, body, role, name))
        if path == DELIVERY:
            made = {"package": HASH, "sha256": "b" * 64}
            return {**made, "passphrase": "WXYZ-1234"} if body.get("passphrase") else made
        return {"decisions": [], "undecided": [], "reviewed": True, "version": 3}


def run_on(session: DeliverySession, *arguments: str) -> Any:
    app = typer.Typer()

    def run(work: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        asyncio.run(work(session))

    case_delivery.register(app, run, Screen(width=200))
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def test_the_liaison_leaves_out_what_is_proposed_and_what_they_name() -> None:
    session = DeliverySession()
    run_on(
        session, "minimise", CASE, RECORD, "--accept", "--drop", "comments/0", "--cover", "phone"
    )
    (_, path, body, role, name) = session.sent[-1]
    assert path == f"/v1/cases/{CASE}/records/{RECORD}/decisions"
    assert (role, name) == ("liaison", "liaison-1")
    assert body == {
        "version": 3,
        "decisions": [
            {"item": "description:4-7", "decision": "withhold", "code": "other_person"},
            {"item": "comments/0", "decision": "withhold", "code": "other_person"},
            {"item": "phone", "decision": "release"},
        ],
    }


def test_looking_decides_nothing() -> None:
    session = DeliverySession()
    run_on(session, "minimise", CASE, RECORD)
    assert [path.rpartition("/")[2] for _, path, *_ in session.sent] == ["review"]


def test_a_package_is_encrypted_to_a_key_in_a_file_or_with_a_passphrase(tmp_path: Path) -> None:
    key = tmp_path / "officer.pub"
    key.write_text("age1abc\n")
    session = DeliverySession()
    run_on(session, "encrypt", CASE, HASH, "--key", str(key))
    run_on(session, "encrypt", CASE, HASH, "--passphrase")
    assert [body for _, path, body, *_ in session.sent if path == DELIVERY] == [
        {"key": "age1abc"},
        {"passphrase": True},
    ]
    for arguments in ((), ("--key", str(key), "--passphrase")):
        assert run_on(session, "encrypt", CASE, HASH, *arguments).exit_code == 2


def test_the_code_is_shown_with_the_published_number() -> None:
    session = DeliverySession()
    shown = run_on(session, "tell-code", CASE, HASH).output
    assert "Call Sample Police Department at +1 305 555 0142, and no other number." in shown
    assert "ABCD-EFGH-JKMN-PQRS-TVWX" in shown
    assert session.sent == [("retention", f"{DELIVERY}/code", {}, "liaison", "liaison-1")]
