"""How a retry is known: by keyed hashes of its key and of what was sent under it."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from direct311.runtime.errors import RefusedError


class Marked(Protocol):
    """What was done under a key; `mark` is empty where there was none."""

    @property
    def mark(self) -> str: ...

    @property
    def content(self) -> str: ...


M = TypeVar("M", bound=Marked)


def done_before(
    done: Iterable[M],
    mark: str,
    content: str,
    *,
    field: str = "Idempotency-Key",
    detail: str = "This key was used for something else; send a new key.",
) -> M | None:
    """Which of these the call with this mark repeats.

    :raises RefusedError: 409, the key was used for other content.
    """
    found = next((each for each in done if mark and each.mark == mark), None)
    if found is not None and found.content != content:
        raise RefusedError(409, "idempotency_key", detail, field=field)
    return found
