"""What may be withheld, by which law, and from which day on."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from direct311.runtime.access.approvals import NotApprovedError, approve
from direct311.runtime.access.exemptions import (
    SUBJECT,
    citations_in,
    load_exemptions,
    mark_of,
)
from direct311.runtime.access.rules import load_access_policy
from direct311.runtime.datafile import DataFileError, packaged
from direct311.verifier.note import Signer
from tests.support.data_files import changed, entry

SOURCE = packaged("direct311.runtime", "exemptions.yaml")
LOCAL = load_exemptions(local=True)
PRODUCTION = load_exemptions(local=False)
TODAY = date(2026, 12, 1)


def problems_of(folder: Path, change: Callable[[dict[str, Any]], None]) -> set[tuple[str, str]]:
    with pytest.raises(DataFileError) as refused:
        load_exemptions(changed(SOURCE, folder, change), local=True, rules_only=True)
    return {(where, field) for where, field, _ in refused.value.problems}


def change_of(code: str, /, **values: object) -> Callable[[dict[str, Any]], None]:
    return lambda tree: entry(tree, "entries", "code", code).update(values)


@pytest.mark.policy("P13")
@pytest.mark.parametrize(
    ("code", "citation"),
    [
        ("protected_person", "119.071(4)(d)"),
        ("social_security_number", "119.071(5)(a)"),
        ("bank_or_card_number", "119.071(5)(b)"),
        ("active_criminal_intelligence", "119.071(2)(c)"),
        ("attorney_work", "119.071(1)(d)"),
    ],
)
def test_an_exemption_that_counsel_confirmed_is_in_force_everywhere(
    code: str, citation: str
) -> None:
    for loaded in (LOCAL, PRODUCTION):
        found = loaded.in_force(code, TODAY)
        assert found is not None
        assert found.citation == citation
        assert found.mark == f"[■ {citation}]"


@pytest.mark.parametrize("code", ["victim", "emergency_call", "cybersecurity"])
def test_an_exemption_that_counsel_has_not_confirmed_loads_on_a_local_stack_only(
    code: str,
) -> None:
    assert LOCAL.in_force(code, TODAY) is not None
    assert PRODUCTION.find(code) is None
    assert PRODUCTION.in_force(code, TODAY) is None


def test_nothing_that_is_marked_unconfirmed_loads_in_production() -> None:
    assert {each.code for each in LOCAL.entries if not each.confirmed} == {
        each.code for each in LOCAL.entries
    } - {each.code for each in PRODUCTION.entries}
    assert all(each.confirmed for each in PRODUCTION.entries)


def test_an_exemption_is_in_force_from_its_first_to_its_last_day() -> None:
    def in_force(on: date) -> bool:
        return LOCAL.in_force("cybersecurity", on) is not None

    assert not in_force(date(2024, 12, 31))
    assert in_force(date(2025, 1, 1))
    assert in_force(date(2027, 10, 1))
    assert not in_force(date(2027, 10, 2))


def test_an_exemption_is_for_its_own_fields_only() -> None:
    assert LOCAL.in_force("attorney_work", TODAY, "work_notes") is not None
    assert LOCAL.in_force("attorney_work", TODAY, "phone") is None
    assert LOCAL.in_force("no_such_code", TODAY, "phone") is None


def test_every_field_of_an_exemption_is_one_of_the_access_rules() -> None:
    known = {each.field for each in load_access_policy().rules.fields}
    for each in LOCAL.entries:
        assert set(each.fields) <= known, each.code


def test_what_is_confidential_is_preset_and_lifted_by_counsel_alone() -> None:
    confidential = [each for each in LOCAL.entries if each.class_ == "confidential_and_exempt"]
    assert confidential
    for each in confidential:
        assert each.preset
        assert each.lifted_by == ("counsel",)


def test_a_trigger_finds_the_exemption_in_force() -> None:
    found = LOCAL.for_trigger("social_security_number", TODAY)
    assert found is not None
    assert found.code == "social_security_number"
    assert PRODUCTION.for_trigger("emergency_call", TODAY) is None
    assert LOCAL.for_trigger("protected_person", date(2024, 1, 1)) is None


def test_a_mark_names_the_citation_and_is_found_again() -> None:
    text = f"Call {mark_of('119.071(4)(d)')} or {mark_of('119.071(5)(a)')}, [■ ] and [■]."
    assert list(citations_in(text)) == ["119.071(4)(d)", "119.071(5)(a)"]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (change_of("victim", lifted_by=["clerk"]), ("victim", "lifted_by")),
        (change_of("victim", lifted_by=[]), ("victim", "lifted_by")),
        (change_of("victim", fields=[]), ("victim", "fields")),
        (change_of("victim", code="attorney_work"), ("attorney_work", "code")),
        (change_of("emergency_call", preset=False), ("emergency_call", "preset")),
        (
            change_of("emergency_call", lifted_by=["counsel", "custodian"]),
            ("emergency_call", "lifted_by"),
        ),
        (change_of("victim", effective_until="2024-01-01"), ("victim", "effective_until")),
        (change_of("victim", **{"class": "secret"}), ("victim", "class")),
        (change_of("victim", trigger="always"), ("victim", "trigger")),
        (change_of("victim", citation="section 119"), ("victim", "citation")),
    ],
)
def test_a_file_with_a_mistake_is_refused_by_entry_and_field(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], where: tuple[str, str]
) -> None:
    assert where in problems_of(tmp_path, change)


def test_the_countys_own_file_needs_two_people(tmp_path: Path) -> None:
    path = changed(SOURCE, tmp_path, change_of("victim", confirmed=True))
    with pytest.raises(NotApprovedError):
        load_exemptions(path, local=False)
    rosa, tom = (Signer(name, Ed25519PrivateKey.generate()) for name in ("rosa", "tom"))
    approvers = tmp_path / "approvers"
    approvers.write_text(f"{rosa.key}\n{tom.key}\n")
    approve(SUBJECT, path, rosa)
    with pytest.raises(NotApprovedError, match="1 of the 2"):
        load_exemptions(path, approvers, local=False)
    approve(SUBJECT, path, tom)
    found = load_exemptions(path, approvers, local=False)
    assert found.approved_by == ("rosa", "tom")
    assert found.in_force("victim", TODAY) is not None
