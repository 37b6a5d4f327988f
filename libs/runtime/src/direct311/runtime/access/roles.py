"""The existing roles, and who may make calls that open no sealed data: `data/roles.yaml`, read
once.

The access rules say what a role may open.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from direct311.runtime.datafile import Problem, load, packaged
from direct311.schemas import Model

SERVICE = "service"
DEPARTMENT_SYSTEM = "department_system"
"""The role of a department's own system. No person has it, and it opens nothing."""

Roles = Annotated[tuple[str, ...], Field(min_length=1)]
"""Roles in the order in which a refusal names them."""


class RolesFile(Model, extra="forbid"):
    """`people`: the roles of people. The others: who may make each call."""

    roles: str
    version: str
    people: Roles
    files: Roles
    places: Roles
    boundary_proposers: Roles
    boundary_approvers: Roles
    jobs: Roles
    job_counts: Roles
    records: Roles
    record_counts: Roles
    request_counts: Roles
    app_counts: Roles
    case_searches: Roles
    breach_notices: Roles
    work: Roles
    calls: Roles


def problems(file: RolesFile) -> Iterable[Problem]:
    """Unknown roles, and duplicates."""
    known = {*file.people, SERVICE}
    for name, roles in file:
        if not isinstance(roles, tuple):
            continue
        for role in roles:
            if role not in known:
                yield name, "", f"{role} is not a role"
        for role, times in Counter(roles).items():
            if times > 1:
                yield name, "", f"{role} appears twice"


ROLES = load(RolesFile, packaged("direct311.runtime", "roles.yaml"), problems).content
