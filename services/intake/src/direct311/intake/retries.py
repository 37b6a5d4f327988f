"""How a retry is recognized: by keyed hashes of its key and of what was sent under it."""

import re
from collections.abc import Iterable
from typing import Protocol, TypeVar

from direct311.runtime.errors import FieldProblem, MalformedError, RefusedError


class Idempotent(Protocol):
    """What was done under a key; `mark` is the stored key digest, empty if there was no key."""

    @property
    def mark(self) -> str: ...

    @property
    def content(self) -> str: ...


M = TypeVar("M", bound=Idempotent)

_RANDOM_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_RANDOM_HEX = re.compile(r"[0-9a-f]{32,}")
FEWEST_DIGITS = 6
"""The fewest different hexadecimal digits of a random key; only one in a hundred thousand has
fewer."""


def unguessable(key: str) -> bool:
    """Whether a retry's key has the form of a random one: a UUID of version 4 or 7 (RFC 9562), or
    128 bits and more in hexadecimal digits. Other keys are counters, or derived from public
    data."""
    key = key.lower()
    if _RANDOM_UUID.fullmatch(key) is None and _RANDOM_HEX.fullmatch(key) is None:
        return False
    return len(set(key) - {"-"}) >= FEWEST_DIGITS


def checked_key(key: str | None) -> str | None:
    """The same key, or none.

    :raises MalformedError: it has not the form of a random one: anybody who guesses it could ask
        under it.
    """
    if key is None or unguessable(key):
        return key
    raise MalformedError(
        [
            FieldProblem(
                field="idempotency_key",
                detail="Idempotency-Key must be a random UUID, or 32 or more random"
                " hexadecimal digits.",
                code="wrong_format",
            )
        ]
    )


def done_before(
    done: Iterable[M],
    key_digest: str,
    content: str,
    *,
    field: str = "idempotency_key",
    detail: str = "This key was used for something else; send a new key.",
) -> M | None:
    """The earlier call that the call with this digest repeats.

    :raises RefusedError: the key was used for other content.
    """
    found = next((each for each in done if key_digest and each.mark == key_digest), None)
    if found is not None and found.content != content:
        raise RefusedError("idempotency_key", detail, field=field)
    return found
