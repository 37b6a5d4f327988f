"""A file of rules is loaded only with two persons behind it."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from direct311.cli.rules import app
from direct311.runtime.access.approvals import NotApprovedError, approve, approvers_of
from direct311.runtime.access.rules import SUBJECT, load_access_policy
from direct311.runtime.datafile import packaged
from direct311.verifier.note import Signer


def person(name: str) -> Signer:
    return Signer(name, Ed25519PrivateKey.generate())


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "access.yaml"
    path.write_text("access: test\n")
    return path


def known(rules: Path, *persons: Signer) -> Path:
    path = rules.with_name("approvers")
    path.write_text("# who may approve\n\n" + "".join(f"{each.key}\n" for each in persons))
    return path


@pytest.mark.policy("P12")
def test_two_persons_make_it_valid(rules: Path) -> None:
    rosa, tom = person("rosa"), person("tom")
    approvers = known(rules, rosa, tom)
    for signer in (tom, rosa):
        approve(SUBJECT, rules, signer)
    assert approvers_of(SUBJECT, rules, approvers) == ("rosa", "tom")


def test_the_countys_own_rules_are_loaded_with_both_names(tmp_path: Path) -> None:
    rules = tmp_path / "access.yaml"
    rules.write_bytes(packaged("direct311.runtime", "access.yaml").read_bytes())
    rosa, tom = person("rosa"), person("tom")
    approvers = known(rules, rosa, tom)
    approve(SUBJECT, rules, rosa)
    with pytest.raises(NotApprovedError, match="1 of the 2"):
        load_access_policy(rules, approvers)
    with pytest.raises(NotApprovedError, match="file of approvers"):
        load_access_policy(rules)
    approve(SUBJECT, rules, tom)
    assert load_access_policy(rules, approvers).approved_by == ("rosa", "tom")


@pytest.mark.parametrize("name_of_file", ["access.yaml", "exemptions.yaml"])
def test_the_command_makes_keys_approves_and_checks(tmp_path: Path, name_of_file: str) -> None:
    rules, approvers = tmp_path / name_of_file, tmp_path / "approvers"
    rules.write_bytes(packaged("direct311.runtime", name_of_file).read_bytes())
    run, lines = CliRunner(), ""
    for name in ("rosa", "tom"):
        made = run.invoke(app, ["key", name, "--out", str(tmp_path / name)])
        assert made.exit_code == 0, made.output
        lines += made.output
    approvers.write_text(lines)
    assert run.invoke(app, ["key", "rosa", "--out", str(tmp_path / "rosa")]).exit_code == 2
    check = ["check", str(rules), "--approvers", str(approvers)]
    for name in ("rosa", "tom"):
        assert run.invoke(app, check).exit_code == 1
        signed = run.invoke(app, ["approve", str(rules), "--key", str(tmp_path / name)])
        assert signed.exit_code == 0, signed.output
    good = run.invoke(app, check)
    assert good.exit_code == 0, good.output
    assert "approved by rosa, tom" in good.output
    rules.write_text("access: broken\n")
    refused = run.invoke(app, ["approve", str(rules), "--key", str(tmp_path / "tom")])
    assert refused.exit_code == 1


def test_one_person_is_not_enough_however_often(rules: Path) -> None:
    rosa, tom = person("rosa"), person("tom")
    second_key = person("rosa")
    approvers = known(rules, rosa, tom, second_key)
    with pytest.raises(NotApprovedError, match="0 of the 2"):
        approvers_of(SUBJECT, rules, approvers)
    approve(SUBJECT, rules, rosa)
    approve(SUBJECT, rules, rosa)
    approve(SUBJECT, rules, second_key)
    with pytest.raises(NotApprovedError, match="1 of the 2"):
        approvers_of(SUBJECT, rules, approvers)


def test_a_stranger_does_not_count(rules: Path) -> None:
    rosa, tom, mallory = person("rosa"), person("tom"), person("mallory")
    approvers = known(rules, rosa, tom)
    approve(SUBJECT, rules, rosa)
    approve(SUBJECT, rules, mallory)
    with pytest.raises(NotApprovedError, match="1 of the 2"):
        approvers_of(SUBJECT, rules, approvers)


def test_a_change_after_the_approval_voids_it(rules: Path) -> None:
    rosa, tom = person("rosa"), person("tom")
    approvers = known(rules, rosa, tom)
    approve(SUBJECT, rules, rosa)
    approve(SUBJECT, rules, tom)
    rules.write_text("access: changed\n")
    with pytest.raises(NotApprovedError, match="different content"):
        approvers_of(SUBJECT, rules, approvers)
    # Whoever approves the new content begins anew.
    approve(SUBJECT, rules, tom)
    with pytest.raises(NotApprovedError, match="1 of the 2"):
        approvers_of(SUBJECT, rules, approvers)


def test_an_approval_of_another_file_does_not_count(rules: Path) -> None:
    rosa, tom = person("rosa"), person("tom")
    approvers = known(rules, rosa, tom)
    approve("principals", rules, rosa)
    approve("principals", rules, tom)
    with pytest.raises(NotApprovedError, match="different content"):
        approvers_of(SUBJECT, rules, approvers)


def test_a_forged_signature_spoils_the_note(rules: Path) -> None:
    rosa, tom = person("rosa"), person("tom")
    approvers = known(rules, rosa, tom)
    approve(SUBJECT, rules, rosa)
    beside = approve(SUBJECT, rules, tom)
    text = beside.read_text()
    at = text.index("— tom ") + 20
    beside.write_text(text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :])
    with pytest.raises(NotApprovedError, match="does not verify"):
        approvers_of(SUBJECT, rules, approvers)
