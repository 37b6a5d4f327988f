"""The roles that there are, and who may ask what opens nothing: `data/roles.yaml`, read once.

What a role may open is for the rules of access.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from direct311.runtime.datafile import Problem, load, packaged
from direct311.schemas import Model

SERVICE = "service"

Roles = Annotated[tuple[str, ...], Field(min_length=1)]
"""In the order in which a refusal names them."""


class RolesFile(Model, extra="forbid"):
    """`people`: the roles of persons. The others: who may ask for it."""

    roles: str
    version: str
    people: Roles
    files: Roles
    places: Roles
    jobs: Roles
    job_counts: Roles
    records: Roles
    record_counts: Roles
    request_counts: Roles
    app_counts: Roles


def problems(file: RolesFile) -> Iterable[Problem]:
    """Roles that there are not, or twice."""
    known = {*file.people, SERVICE}
    for name, roles in file:
        if not isinstance(roles, tuple):
            continue
        for role in roles:
            if role not in known:
                yield name, "", f"{role} is no role"
        for role, times in Counter(roles).items():
            if times > 1:
                yield name, "", f"{role} is there twice"


ROLES = load(RolesFile, packaged("direct311.runtime", "roles.yaml"), problems).content
