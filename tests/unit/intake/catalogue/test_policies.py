"""Versions of the privacy policy."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from direct311.intake.catalogue.adapters import load_policies
from direct311.intake.language import LANGUAGES
from direct311.runtime.datafile import DataFileError, packaged
from tests.support.data_files import changed

SOURCE = packaged("direct311.intake", "policies.yaml")


def add_version(tree: dict[str, Any]) -> None:
    tree["policies"].append(
        {**tree["policies"][1], "version": "2027-1", "effective_from": date(2027, 1, 1)}
    )


@pytest.mark.policy("P2")
def test_the_version_in_force_is_the_newest_that_has_begun(tmp_path: Path) -> None:
    policies = load_policies(changed(SOURCE, tmp_path, add_version)).content
    in_force = [
        policies.in_force(day)
        for day in (date(2024, 12, 31), date(2025, 1, 1), date(2026, 12, 31), date(2027, 1, 1))
    ]
    assert [each.version if each else None for each in in_force] == [
        None,
        "2025-1",
        "2026-1",
        "2027-1",
    ]
    earlier = policies.by_version("2025-1")
    assert earlier is not None
    assert earlier.effective_from == date(2025, 1, 1)


@pytest.mark.policy("P1", "P23")
def test_policy_and_notice_come_in_three_languages_with_a_contact() -> None:
    for policy in load_policies().content.policies:
        assert set(policy.texts) == set(policy.email_notice.texts) == set(LANGUAGES)
        assert "668.6076" in policy.email_notice.citation
        assert policy.contact.name == "311 Contact Center"
        assert policy.contact.street
        assert policy.contact.telephone
        assert not policy.express_consent
        assert (policy.wording, policy.translations_reviewed) == ("development", False)


def test_the_email_notice_is_the_statutes_own_sentence() -> None:
    for policy in load_policies().content.policies:
        assert policy.email_notice.texts["en"] == (
            "Under Florida law, e-mail addresses are public records. If you do not want your "
            "e-mail address released in response to a public records request, do not send "
            "electronic mail to this entity. Instead, contact this office by phone or in writing."
        )


def drop_creole(tree: dict[str, Any]) -> None:
    del tree["policies"][0]["texts"]["ht"]


def same_number(tree: dict[str, Any]) -> None:
    add_version(tree)
    tree["policies"][2]["version"] = "2026-1"


def same_day(tree: dict[str, Any]) -> None:
    add_version(tree)
    tree["policies"][2]["effective_from"] = date(2025, 1, 1)


def no_changes(tree: dict[str, Any]) -> None:
    del tree["policies"][1]["changes"]["es"]


def other_notice(tree: dict[str, Any]) -> None:
    notice = tree["policies"][1]["email_notice"]
    texts = notice["texts"] | {"en": "Something else."}
    tree["policies"][1]["email_notice"] = notice | {"texts": texts}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (drop_creole, ("2025-1", "texts.ht")),
        (no_changes, ("2026-1", "changes.es")),
        (other_notice, ("2026-1", "email_notice.version")),
        (same_number, ("2026-1", "version")),
        (same_day, ("2027-1", "effective_from")),
    ],
)
def test_a_bad_version_is_refused_by_number_and_field(
    tmp_path: Path, change: Any, problem: tuple[str, str]
) -> None:
    with pytest.raises(DataFileError) as refused:
        load_policies(changed(SOURCE, tmp_path, change))
    assert problem in [each[:2] for each in refused.value.problems]
