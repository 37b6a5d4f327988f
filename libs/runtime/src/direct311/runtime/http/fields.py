"""How an answer names the fields that are wrong."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "api_key": "X-Api-Key",
        "idempotency_key": "Idempotency-Key",
        "origin": "Origin",
    }
)
"""Fields that come in a header of HTTP, by the name that handlers use. All others have the same
name in handlers and in the API."""


def api_name(field: str | None) -> str | None:
    """What callers of the API call a field that a handler names."""
    return field if field is None else HEADERS.get(field, field)
