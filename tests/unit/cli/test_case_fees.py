"""`direct311 case estimate` and `deny`: what they send, and that nobody approves what was not
shown."""

import asyncio
from collections.abc import Callable, Coroutine
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from direct311.cli import approvals, case_fees
from direct311.cli.fresh_sign_in import FreshSignIn
from direct311.cli.screen import Screen
from direct311.runtime.access.fresh_sign_in import nonce_of
from tests.support.disclosures import Provider
from tests.support.runtime import NOW
from tests.unit.cli.test_cases import FakeHttp, FakeStack

CASE = "01a213de-31f0-7245-a5e0-10ea754957f7"
WORDS = "The address is exempt."
CONTENT = {
    "denial_id": "d-1",
    "outcome": "denied",
    "items": [{"reason": "exempt", "exemption": "protected_person", "citation": "119.071(4)(d)"}],
    "statement": sha256(WORDS.encode()).hexdigest(),
}
CHARGES = {
    "version": 7,
    "state": "awaiting_payment",
    "estimate": {
        "charge": {
            "lines": [
                {
                    "code": "special_service_charge",
                    "citation": "119.07(4)(d)",
                    "units": 60,
                    "cents": 2350,
                    "confirmed": False,
                }
            ],
            "total_cents": 2350,
        }
    },
    "paid_cents": 5,
    "owed_cents": 2345,
}


class CaseSession:
    """Retention with one case, its fees and one denial."""

    def __init__(self) -> None:
        self.stack, self.http = FakeStack(), FakeHttp()
        self.posted: list[tuple[str, Any]] = []
        self.nonce = nonce_of(case_fees.DENIAL, CONTENT)
        self.statement = WORDS

    async def get(self, service: str, path: str, role: str, name: str) -> Any:
        answers: dict[str, Any] = {
            "charges": CHARGES,
            "denials": {
                "version": 7,
                "denials": [
                    {
                        "denial_id": "d-1",
                        "version": 1,
                        "state": "prepared",
                        "denial": CONTENT,
                        "nonce": self.nonce,
                        "missing": ["counsel"],
                    }
                ],
            },
            "denials/d-1/statement": {"statement": self.statement},
        }
        return answers[path.removeprefix(f"/v1/cases/{CASE}/")]

    async def post(self, service: str, path: str, body: Any, role: str, name: str) -> Any:
        self.posted.append((path.removeprefix(f"/v1/cases/{CASE}/"), body))
        return {**CHARGES, "denial_id": "d-2"}


@pytest.fixture
def session() -> CaseSession:
    return CaseSession()


def called(session: CaseSession, *words: str) -> Any:
    app = typer.Typer()

    def run(work: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        asyncio.run(work(session))

    case_fees.register(app, run, Screen(), Screen(), print)
    return CliRunner().invoke(app, words)


def test_an_estimate_is_made_from_the_newest_version_and_shown_in_dollars(
    session: CaseSession,
) -> None:
    done = called(
        session, "estimate", CASE, "--medium", "paper", "--work", "search=90", "--pages",
        "one_sided=40", "--deposit", "500",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert session.posted == [
        (
            "estimate",
            {
                "version": 7,
                "medium": "paper",
                "work": [{"work": "search", "minutes": 90}],
                "pages": [{"kind": "one_sided", "number": 40}],
                "deposit_cents": 500,
            },
        )
    ]
    for shown in ("23.50", "0.05", "23.45", "awaiting_payment", "not confirmed"):
        assert shown in done.output


def test_an_invoice_and_a_payment(session: CaseSession) -> None:
    assert called(session, "invoice", CASE).exit_code == 0
    assert called(session, "payment", CASE, "MDC-2026-004417", "2345").exit_code == 0
    assert session.posted == [
        ("invoice", {"version": 7, "medium": "electronic", "work": [], "pages": []}),
        ("payments", {"receipt": "MDC-2026-004417", "cents": 2345}),
    ]
    assert called(session, "estimate", CASE, "--work", "search").exit_code == 2


def test_a_denial_names_the_law_of_each_item(session: CaseSession, tmp_path: Path) -> None:
    text = tmp_path / "statement"
    text.write_text(WORDS)
    law = "protected_person=119.071(4)(d),r-1,phone"
    done = called(
        session, "deny", CASE, str(text), "--exempt", law, "--reason", "not_held", "--part"
    )
    assert (done.exit_code, done.output.strip()) == (0, "d-2")
    ((path, body),) = session.posted
    assert (path, body["outcome"], body["statement"]) == ("denial", "part", WORDS)
    assert body["items"] == [
        {
            "reason": "exempt",
            "exemption": "protected_person",
            "citation": "119.071(4)(d)",
            "record_id": "r-1",
            "field": "phone",
        },
        {"reason": "not_held"},
    ]
    assert called(session, "deny", CASE, str(text)).exit_code == 2
    assert called(session, "deny", CASE, str(text), "--exempt", "code").exit_code == 2


def test_what_is_shown_is_what_is_approved(
    session: CaseSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def signed_in(_: Any, __: Any, ___: Any, nonce: str, *____: Any, **_____: Any) -> Any:
        asked.append(nonce)
        return FreshSignIn(Provider().approval("olga", nonce, NOW), "at")

    monkeypatch.setattr(approvals, "sign_in_again", signed_in)
    done = called(session, "approve-denial", CASE, "d-1", "--no-browser")
    assert done.exit_code == 0, done.output
    assert asked == [session.nonce]
    assert WORDS in done.output
    ((url, body, headers),) = session.http.sent
    assert url.endswith(f"/v1/cases/{CASE}/denials/d-1/approve")
    assert (body["version"], headers["Authorization"]) == (1, "Bearer at")
    session.statement = "Something else."
    assert called(session, "approve-denial", CASE, "d-1", "--no-browser").exit_code == 1
    session.statement, session.nonce = WORDS, "another"
    assert called(session, "approve-denial", CASE, "d-1", "--no-browser").exit_code == 1
    assert len(asked) == 1
    assert "counsel" in called(session, "denials", CASE).output
