"""`direct311 case collect|package|fetch|approve-package|release`: what they send, and that nobody
approves bytes that are not in their own file."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from direct311.cli import approvals, case_packages
from direct311.cli.fresh_sign_in import FreshSignIn
from direct311.cli.screen import Screen
from direct311.runtime.access.disclosures import nonce_of_package
from direct311.runtime.peers import HttpError, Streamed
from tests.support.disclosures import Provider
from tests.support.runtime import NOW

CASE = "01a213de-31f0-7245-a5e0-10ea754957f7"
BYTES = b"PK\x03\x04 package"
HASH = sha256(BYTES).hexdigest()


class PackagesHttp:
    def __init__(self) -> None:
        self.sent: list[tuple[str, Any, Any]] = []
        self.content = BYTES
        self.breaks_off = False

    async def post_json(self, url: str, body: Any, headers: Any) -> Any:
        self.sent.append((url, body, headers))
        return {"missing": ["counsel"], "state": "built"}

    @asynccontextmanager
    async def get_for_pieces(
        self, url: str, headers: Any, *, seconds: float
    ) -> AsyncIterator[Streamed]:
        assert seconds == case_packages.LONGEST
        self.sent.append((url, None, headers))
        yield Streamed({"content-length": str(len(BYTES))}, self._pieces())

    async def _pieces(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self.content), 4):
            yield self.content[at : at + 4]
        if self.breaks_off:
            raise HttpError(None)


class PackagesStack:
    issuer = "http://issuer.test"
    approval_client = "direct311-approvals"
    services = {"retention": "http://retention.test"}  # noqa: RUF012
    audiences = {"retention": "urn:direct311:retention"}  # noqa: RUF012


class PackagesSession:
    """Retention with 70 records, some of which cannot go out now."""

    def __init__(self) -> None:
        self.stack, self.http = PackagesStack(), PackagesHttp()
        self.posted: list[tuple[str, Any]] = []
        self.missing: list[dict[str, str]] = []

    async def headers(self, service: str, role: str, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {role}:{name}"}

    async def get(self, service: str, path: str, role: str, name: str) -> Any:
        assert (service, path) == ("retention", f"/v1/cases/{CASE}/packages")
        return {"version": 7, "packages": [self._package()]}

    async def post(
        self,
        service: str,
        path: str,
        body: Any,
        role: str,
        name: str,
        *,
        seconds: float | None = None,
    ) -> Any:
        self.posted.append((path.removeprefix(f"/v1/cases/{CASE}/"), body))
        # Both may take longer than other calls.
        is_long = path.endswith(("/collection", "/packages"))
        assert seconds == (case_packages.LONGEST if is_long else None)
        if path.endswith("/collection"):
            first = "after" not in body
            more = {"next": "record-50"} if first else {}
            state = "collecting" if first or self.missing else "reviewing"
            collected = 50 if first else 70 - len(self.missing)
            return {
                "state": state,
                "collected": collected,
                "remaining": 70 - collected,
                "not_collected": [] if first else self.missing,
                **more,
            }
        if path.endswith("/release"):
            return {"state": "released"}
        return {"packages": [self._package()]}

    def _package(self) -> dict[str, Any]:
        return {
            "sha256": HASH,
            "state": "built",
            "records": 70,
            "withheld": 3,
            "missing": ["records_officer", "counsel"],
        }


@pytest.fixture
def session() -> PackagesSession:
    return PackagesSession()


def called(session: PackagesSession, *words: str) -> Any:
    app = typer.Typer()

    def run(work: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        asyncio.run(work(session))

    case_packages.register(app, run, Screen(width=200), Screen(width=200), print)
    return CliRunner().invoke(app, words)


def test_collecting_loops_to_the_end_and_shows_how_far_it_is(session: PackagesSession) -> None:
    done = called(session, "collect", CASE, "--again")
    assert done.exit_code == 0, done.output
    assert [body for _, body in session.posted] == [
        {"again": True},
        {"again": True, "after": "record-50"},
    ]
    assert "70 collected, 0 remaining; the case is reviewing." in done.output


def test_records_that_are_not_collected_are_listed_and_the_command_fails(
    session: PackagesSession,
) -> None:
    session.missing = [{"record_id": "record-60", "reason": "not_reviewed"}]
    done = called(session, "collect", CASE)
    assert done.exit_code == 1
    assert "record-60" in done.output
    assert "Not collected: 1 not_reviewed." in done.output


def test_a_package_is_built_from_the_newest_version(session: PackagesSession) -> None:
    done = called(session, "package", CASE, "--partial")
    assert session.posted == [("packages", {"version": 7, "partial": True})]
    assert done.output.strip() == HASH
    assert called(session, "packages", CASE).output == (
        f"{HASH}\n  built: 70 records, 3 withheld; still to approve: records_officer, counsel\n"
    )


def test_what_is_fetched_has_the_hash_that_was_asked_for(
    session: PackagesSession, tmp_path: Path
) -> None:
    out = tmp_path / "package.zip"
    done = called(session, "fetch", CASE, str(out))
    assert (done.exit_code, out.read_bytes()) == (0, BYTES)
    assert session.http.sent[0][0].endswith(f"/packages/{HASH}")
    assert f"{len(BYTES)} bytes, SHA-256 {HASH}" in done.output
    assert [each.name for each in tmp_path.iterdir()] == ["package.zip"]


@pytest.mark.parametrize(("content", "breaks_off"), [(b"other", False), (BYTES[:8], True)])
def test_a_file_changes_only_once_all_its_bytes_came_and_have_the_hash(
    session: PackagesSession, tmp_path: Path, content: bytes, breaks_off: bool
) -> None:
    out = tmp_path / "package.zip"
    out.write_bytes(b"before")
    session.http.content, session.http.breaks_off = content, breaks_off
    assert called(session, "fetch", CASE, str(out)).exit_code == 1
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [
        ("package.zip", b"before")
    ]


def test_somebody_signs_in_for_exactly_the_bytes_of_the_file(
    session: PackagesSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, asked = tmp_path / "package.zip", []
    file.write_bytes(b"what I have read")
    mine = sha256(b"what I have read").hexdigest()

    async def sign_in(*given: Any, audience: str) -> FreshSignIn:
        asked.append((given[3], audience))
        return FreshSignIn(Provider().approval("olga", given[3], NOW), "access-token")

    monkeypatch.setattr(approvals, "sign_in_again", sign_in)
    done = called(session, "approve-package", CASE, str(file), "--as", "olga")
    assert done.exit_code == 0, done.output
    assert asked == [(nonce_of_package(CASE, mine), "urn:direct311:retention")]
    ((url, body, headers),) = session.http.sent
    assert url == f"http://retention.test/v1/cases/{CASE}/packages/{mine}/approve"
    assert set(body) == {"id_token"}
    assert headers == {"Authorization": "Bearer access-token"}
    assert mine in done.output
    assert "Still to approve: counsel" in done.output


def test_a_package_is_released_by_its_hash(session: PackagesSession) -> None:
    done = called(session, "release", CASE, HASH)
    assert session.posted == [(f"packages/{HASH}/release", {})]
    assert done.output.strip() == "released"
