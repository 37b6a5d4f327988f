"""Who may ask geo, and how callers are identified."""

from collections.abc import Awaitable, Callable

from fastapi import Request

from direct311.runtime.access.roles import ROLES
from direct311.runtime.access.rules import Caller

STAFF = ROLES.places
"""Who may look up places: everybody with a token. It is public data."""
PROPOSERS = ROLES.boundary_proposers
APPROVERS = ROLES.boundary_approvers
"""Who may propose a boundary set, and who may approve it and roll it back."""
CallerOf = Callable[[Request], Awaitable[Caller]]
