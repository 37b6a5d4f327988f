"""`direct311 case review`: what it shows, and what it sends against the version that it showed."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from direct311.cli import case_review
from direct311.cli.screen import Screen

CASE, RECORD = "case-1", "record-1"
PATH = f"/v1/cases/{CASE}/records/{RECORD}"
NUMBER = "work_notes/parks-1:4-15"


def decision(item: str, code: str | None, by: str = "carla") -> dict[str, Any]:
    citation = "119.071(5)(a)" if code else None
    return {"item": item, "code": code, "citation": citation, "decided_by": by}


class ReviewedRecord:
    """Intake with one record under review."""

    def __init__(self) -> None:
        self.put_: list[tuple[str, Any, str, str]] = []
        self.shown: dict[str, Any] = {
            "version": 7,
            "texts": {"phone": "305-555-0142", "work_notes/parks-1": "SSN 078-05-1120, ok"},
            "proposals": [
                {
                    "item": NUMBER,
                    "code": "social_security_number",
                    "citation": "119.071(5)(a)",
                    "preset": True,
                    "lifted_by": ["counsel"],
                    "public_elsewhere": True,
                    "went_out": True,
                }
            ],
            "decisions": [],
            "earlier": [decision("phone", None, "ann")],
            "warnings": [],
            "undecided": [NUMBER],
            "flags": ["protected"],
            "reviewed": False,
        }

    async def post(self, service: str, path: str, body: Any, role: str, name: str) -> Any:
        assert (service, path, role, name) == ("intake", f"{PATH}/review", "custodian", "wanda")
        return self.shown

    async def put(self, service: str, path: str, body: Any, role: str, name: str) -> Any:
        assert (service, path) == ("intake", f"{PATH}/decisions")
        self.put_.append((path, body, role, name))
        made = [decision(each["item"], each.get("code")) for each in body["decisions"]]
        return {"version": 7, "decisions": made, "undecided": [], "reviewed": True}


@pytest.fixture
def session() -> ReviewedRecord:
    return ReviewedRecord()


def called(session: ReviewedRecord, *words: str) -> Any:
    app = typer.Typer()

    @app.callback()
    def group() -> None:
        """Several commands, as `direct311 case` has."""

    def run(work: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        asyncio.run(work(session))

    case_review.register(app, run, Screen(width=140))
    return CliRunner().invoke(app, ["review", CASE, RECORD, "--as", "wanda", *words])


def test_it_shows_texts_and_items_and_sends_nothing(session: ReviewedRecord) -> None:
    made = called(session)
    assert made.exit_code == 0, made.output
    for shown in (
        "305-555-0142",
        NUMBER,
        "078-05-1120",
        "119.071(5)(a)",
        "released by counsel only",
        "public elsewhere",
        "went out before",
        "before: released by ann",
        "version 7 (protected): not reviewed, 1 undecided",
    ):
        assert shown in made.output, shown
    assert not session.put_


def test_a_withheld_item_that_others_know_is_warned_of(session: ReviewedRecord) -> None:
    session.shown["decisions"] = [decision("phone", "victim")]
    session.shown["warnings"] = [{"item": "phone", "public_elsewhere": True, "went_out": False}]
    session.shown["proposals"] = []
    made = called(session)
    assert "public elsewhere" in made.output
    assert "went out before" not in made.output


def sent(session: ReviewedRecord) -> dict[str, str | None]:
    ((_, body, _, _),) = session.put_
    assert body["version"] == 7
    return {each["item"]: each.get("code") for each in body["decisions"]}


def test_proposals_are_accepted_against_the_version_that_was_shown(session: ReviewedRecord) -> None:
    made = called(session, "--accept")
    assert sent(session) == {NUMBER: "social_security_number"}
    assert "119.071(5)(a) by carla" in made.output
    assert "version 7 (protected): reviewed" in made.output


def test_earlier_decisions_are_made_again_and_named_ones_win(session: ReviewedRecord) -> None:
    called(session, "--accept", "--again", "--withhold", "phone=protected_person")
    assert sent(session) == {NUMBER: "social_security_number", "phone": "protected_person"}


def test_items_are_withheld_and_released_by_name(session: ReviewedRecord) -> None:
    called(session, "--withhold", "phone:0-3=victim", "--release", NUMBER)
    ((_, body, _, _),) = session.put_
    assert body["decisions"] == [
        {"item": "phone:0-3", "decision": "withhold", "code": "victim"},
        {"item": NUMBER, "decision": "release"},
    ]


def test_a_record_is_done_without_any_decision(session: ReviewedRecord) -> None:
    called(session, "--done")
    assert sent(session) == {}


@pytest.mark.parametrize("word", ["phone", "=victim", "phone="])
def test_an_item_to_withhold_needs_its_code(session: ReviewedRecord, word: str) -> None:
    assert called(session, "--withhold", word).exit_code == 2
    assert not session.put_


def test_it_explains_itself(session: ReviewedRecord) -> None:
    made = called(session, "--help")
    assert made.exit_code == 0
    assert "--accept" in made.output
