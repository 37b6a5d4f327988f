"""Roles come from one file, for services, issuer and rules alike."""

from pathlib import Path

import pytest

from direct311.runtime.access.roles import ROLES, SERVICE, RolesFile, problems
from direct311.runtime.access.rules import TIED, AccessRules
from direct311.runtime.datafile import DataFileError, load, packaged

SOURCE = packaged("direct311.runtime", "roles.yaml")


def test_the_rules_of_access_know_the_same_roles() -> None:
    rules = load(AccessRules, packaged("direct311.runtime", "access.yaml")).content
    assert {each.role for each in rules.roles} == {*ROLES.people, SERVICE, "resident"}
    assert {*ROLES.people} >= TIED


@pytest.mark.parametrize("role", ["clerk", "auditor"], ids=["unknown", "twice"])
def test_a_list_has_known_roles_once(tmp_path: Path, role: str) -> None:
    path = tmp_path / "roles.yaml"
    text = SOURCE.read_text(encoding="utf-8")
    path.write_text(text.replace("\njobs: [", f"\njobs: [{role}, "), encoding="utf-8")
    with pytest.raises(DataFileError, match=f"roles.yaml: jobs: {role}"):
        load(RolesFile, path, problems)
