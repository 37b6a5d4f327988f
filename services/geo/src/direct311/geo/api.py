"""Who may ask geo, and how it is known who asks."""

from collections.abc import Awaitable, Callable

from fastapi import Request

from direct311.runtime.access.roles import ROLES
from direct311.runtime.access.rules import Caller

STAFF = ROLES.places
"""Who may ask what lies where: everybody with a token. It is public data."""
CallerOf = Callable[[Request], Awaitable[Caller]]
