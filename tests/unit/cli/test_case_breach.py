"""`direct311 case breach-notice`: the scope from audit, e-mails by intake, letters by retention."""

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anyio
import typer
from rich.console import Console
from typer.testing import CliRunner, Result

from direct311.cli import case_breach

RECORDS: list[dict[str, Any]] = [
    {
        "record_id": f"record-{number}",
        "held": held,
        "person": number if held == "person" else None,
        "first": f"2026-11-2{number}T23:00:00Z",
        "last": f"2026-11-2{number}T23:30:00Z",
        "fields": ["email", "phone"],
    }
    for number, held in enumerate(("person", "person", "without_contact", "gone"))
]


class Services:
    """The three services, and what they were asked."""

    def __init__(self, outcomes: Mapping[str, str], owed: str = "no") -> None:
        self.outcomes, self.owed = outcomes, owed
        self.records = RECORDS
        self.asked: list[tuple[str, str, Any, str, str]] = []
        self.saved: list[tuple[str, Any]] = []

    async def post(self, service: str, path: str, body: Any, role: str, name: str) -> Any:
        self.asked.append((service, path, body, role, name))
        if service == "intake":
            told = [
                {"record_id": each["record_id"], "outcome": self.outcomes[each["record_id"]]}
                for each in body["records"]
            ]
            return {"notice_id": body["notice_id"], "told": told, "counts": {}}
        return {
            "persons": 2,
            "persons_at_most": 4,
            "records_touched": len(self.records),
            "records_gone": 1,
            "law": "section 501.171, Florida Statutes",
            "notices": [
                duty("individuals", "each individual", 1, "yes", "2026-12-31"),
                duty("legal_affairs", "the Department", 500, self.owed, "2026-12-31"),
                duty("credit_bureaus", "the bureaus", 1001, "no", None),
            ],
            "records": self.records,
            "access_event": "event-1",
        }

    async def save(
        self, service: str, path: str, body: Any, role: str, name: str, out: Path
    ) -> None:
        assert (service, path, role, name) == ("retention", "/v1/breach-letters", "counsel", "cora")
        self.saved.append((out.name, body))


def duty(notice: str, to: str, at_least: int, owed: str, due_on: str | None) -> dict[str, Any]:
    return {"notice": notice, "to": to, "at_least": at_least, "owed": owed, "due_on": due_on}


def invoked(services: Any, *arguments: str) -> tuple[Result, str]:
    screen = io.StringIO()

    def run(work: Callable[[Any], Any]) -> None:
        anyio.run(work, services)

    app = typer.Typer()
    console = Console(file=screen, width=160)
    case_breach.register(app, run, console, console)
    return CliRunner().invoke(app, [*arguments]), screen.getvalue()


def said(services: Services, out: Path, *arguments: str) -> tuple[Result, str]:
    given = ("breach-notice", str(out), "--session", "token-1", "--reference", "Letter 12")
    return invoked(services, *given, "--as", "cora", *arguments)


def listed(out: Path) -> dict[str, str]:
    with (out / "records.csv").open(newline="") as file:
        return {row["record_id"]: row["outcome"] for row in csv.DictReader(file)}


def test_without_sending_there_is_a_letter_for_each_record_that_exists(tmp_path: Path) -> None:
    services = Services({})
    answer, screen = said(services, tmp_path)
    assert answer.exit_code == 0, answer.output
    assert [each[:2] for each in services.asked] == [("audit", "/v1/breaches")]
    assert services.asked[0][2] == {"session": "token-1", "reference": "Letter 12"}
    ((name, body),) = services.saved
    assert name == "letters-1.pdf"
    assert (body["notice_id"], body["began_on"], body["ended_on"]) == (
        "event-1",
        "2026-11-20",
        "2026-11-23",
    )
    assert [each["record_id"] for each in body["records"]] == ["record-0", "record-1", "record-2"]
    assert "2 to 4 persons in 4 records" in screen
    assert listed(tmp_path)["record-3"] == "gone"


def test_who_was_told_by_mail_gets_no_letter(tmp_path: Path) -> None:
    services = Services({"record-0": "sent", "record-1": "sent_before", "record-2": "no_email"})
    answer, screen = said(services, tmp_path, "--send", "--notice", "breach-7")
    assert answer.exit_code == 0, answer.output
    intake = services.asked[1]
    assert (intake[0], intake[1], intake[3]) == ("intake", "/v1/breach-notices", "counsel")
    assert intake[2]["notice_id"] == "breach-7"
    ((_, body),) = services.saved
    assert [each["record_id"] for each in body["records"]] == ["record-2"]
    assert "sent: 1" in screen
    assert listed(tmp_path) == {
        "record-0": "sent",
        "record-1": "sent_before",
        "record-2": "no_email",
        "record-3": "gone",
    }


def test_what_must_wait_is_said_with_how_to_go_on(tmp_path: Path) -> None:
    services = Services(dict.fromkeys(("record-0", "record-1", "record-2"), "later"))
    answer, screen = said(services, tmp_path, "--send")
    assert answer.exit_code == 1
    assert "--notice event-1" in " ".join(screen.split())
    assert services.saved == []


def test_an_authority_to_whom_notice_is_owed_has_a_letter(tmp_path: Path) -> None:
    synopsis = tmp_path / "synopsis.txt"
    synopsis.write_text("A token was stolen.")
    services = Services({}, owed="possibly")
    answer, _ = said(services, tmp_path, "--synopsis", str(synopsis))
    assert answer.exit_code == 0, answer.output
    name, body = services.saved[-1]
    assert name == "legal_affairs.pdf"
    assert body["authority"] == {
        "to": "legal_affairs",
        "persons": 2,
        "persons_at_most": 4,
        "records": 4,
        "synopsis": "A token was stolen.",
        "told_by": "2026-12-31",
    }
    assert [name for name, _ in services.saved] == ["letters-1.pdf", "legal_affairs.pdf"]


def test_a_breach_that_touched_nothing_makes_no_notice(tmp_path: Path) -> None:
    services = Services({})
    services.records = []
    answer, screen = said(services, tmp_path / "none")
    assert answer.exit_code == 0, answer.output
    assert "nobody is told" in screen
    assert not (tmp_path / "none").exists()


def test_a_package_is_recalled_with_its_reason() -> None:
    asked: list[tuple[Any, ...]] = []

    class Retention:
        async def post(self, *call: Any) -> Any:
            asked.append(call)
            return {"recalled_at": "2026-12-01T10:00:00Z"}

    package = "ab" * 32
    given = ("recall", "case-1", package, "--reason", "wrong_record", "--as", "carla")
    answer, screen = invoked(Retention(), *given)
    assert answer.exit_code == 0, answer.output
    path = f"/v1/cases/case-1/packages/{package}/recall"
    assert asked == [("retention", path, {"reason": "wrong_record"}, "custodian", "carla")]
    assert "recalled at 2026-12-01" in screen
