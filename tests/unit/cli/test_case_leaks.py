"""`direct311 case leaks|clear-leak`: what stopped a package, and a sign-in for exactly one leak."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from direct311.cli import approvals, case_leaks
from direct311.cli.fresh_sign_in import FreshSignIn
from direct311.cli.screen import Screen
from direct311.runtime.access.disclosures import nonce_of_clearance
from tests.support.disclosures import Provider
from tests.support.runtime import NOW
from tests.unit.cli.test_case_packages import CASE, PackagesStack

FIRST, SECOND = "ab" * 32, "ac" * 32
PLACE = "data/records/r-2.json"


class LeaksHttp:
    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []

    async def post_json(self, url: str, body: Any, headers: Any) -> Any:
        self.sent.append((url, body))
        return {"leaks": [{}]}


class LeaksSession:
    """Retention with three leaks, one of which cannot be cleared, and one that was."""

    def __init__(self) -> None:
        self.stack, self.http = PackagesStack(), LeaksHttp()

    async def get(self, service: str, path: str, role: str, name: str) -> Any:
        assert (service, path) == ("retention", f"/v1/cases/{CASE}/leaks")
        leak = {"number": 4, "entry": PLACE, "record_id": "r-1", "kind": "name", "places": 2}
        broken = {"number": 5, "entry": "data/media/r-2/m.bin", "kind": "not_extractable"}
        cleared = {"reason": "other_person", "cleared_by": "cole", "role": "counsel"}
        return {
            "leaks": [
                {**leak, "leak_id": FIRST},
                {**leak, "leak_id": SECOND, "entry": None, "places": 1},
                {**broken, "places": 1},
            ],
            "cleared": [{**leak, **cleared}],
            "reasons": ["other_person", "examined"],
        }


@pytest.fixture
def session() -> LeaksSession:
    return LeaksSession()


def run(session: LeaksSession, *arguments: str) -> tuple[int, str]:
    screen = Screen(width=200)
    app = typer.Typer()

    def work(given: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        asyncio.run(given(session))

    case_leaks.register(app, work, screen, screen, list)
    result = CliRunner().invoke(app, list(arguments), terminal_width=200)
    return result.exit_code, result.output


def test_what_stops_a_package_is_told_without_a_value(session: LeaksSession) -> None:
    code, said = run(session, "leaks", CASE)
    assert code == 0
    lines = said.splitlines()
    assert lines == [
        FIRST,
        f"  {PLACE}: name 2 times, withheld of r-1",
        SECOND,
        "  the name of file 4: name once, withheld of r-1",
        "cannot be cleared",
        "  data/media/r-2/m.bin: cannot be searched",
        f"cleared: {PLACE}: name 2 times, withheld of r-1; other_person, by cole (counsel)",
    ]


def test_counsel_signs_in_for_exactly_this_leak_and_reason(
    session: LeaksSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    nonces: list[str] = []
    approval = Provider().approval

    async def signed_in(
        _a: object, _i: object, _h: object, nonce: str, _page: object, **_: Any
    ) -> FreshSignIn:
        nonces.append(nonce)
        return FreshSignIn(approval("cole", nonce, NOW), "hers")

    monkeypatch.setattr(approvals, "sign_in_again", signed_in)
    code, said = run(session, "clear-leak", CASE, "abab", "--reason", "other_person")
    assert code == 0, said
    assert nonces == [nonce_of_clearance(CASE, FIRST, "other_person")]
    ((url, body),) = session.http.sent
    assert url.endswith(f"/v1/cases/{CASE}/leaks/{FIRST}/clearance")
    assert (body["reason"], bool(body["id_token"])) == ("other_person", True)
    assert said.splitlines()[-1] == "cleared; 1 left"


@pytest.mark.parametrize(
    ("leak", "reason", "says"),
    [
        ("a", "other_person", "or there are several"),
        ("ff", "other_person", "or there are several"),
        ("abab", "because", "A reason is one of: other_person, examined."),
    ],
)
def test_what_is_not_clear_is_not_sent(
    session: LeaksSession, leak: str, reason: str, says: str
) -> None:
    code, said = run(session, "clear-leak", CASE, leak, "--reason", reason)
    assert code == 1
    assert says in said
    assert not session.http.sent
