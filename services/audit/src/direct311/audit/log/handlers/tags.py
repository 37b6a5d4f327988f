"""What the query index says of an entry is vouched for, so that an edit in the database is found.

The sealed leaf proves itself by its hash. What stands beside it in clear (actor, purpose, records)
could be compared with the body only, which would open every entry again and again. So each row has
a tag, HMAC-SHA-256 under a key that lies in the database wrapped alone: whoever can edit the index
and nothing more cannot make one. It covers the whole row but the mark of reconciliation, and rows
from which the facts were removed as well: an entry cannot be hidden as one whose record is gone.
"""

import hmac
import json
from datetime import datetime

from direct311.audit.index_row import IndexRow, Tagger
from direct311.audit.log.handlers.keyring import KeyRing
from direct311.schemas import isoformat
from direct311.verifier.merkle import leaf_hash

_NOT_SAID = ("event_id", "opens")
_spelt = json.JSONEncoder(default=isoformat, check_circular=False).encode
_LABEL = b"direct311-index-row-v1\n"


class Tags:
    """Makes the tags of rows. Keeps its key: it opens nothing."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys
        self._key: bytes | None = None

    async def tagger(self, at: datetime) -> Tagger:
        """:raises KeyProviderError: the key does not open."""
        if self._key is None:
            self._key = await self._keys.index_key(at)
        key = self._key

        def tag(row: IndexRow) -> bytes:
            return hmac.digest(key, _said(row), "sha256")

        return tag


def _said(row: IndexRow) -> bytes:
    """What a row says, in one spelling, for as long as fields are only added.

    As the database gives it back, so without `opens`; by hand, since each append waits for it.
    """
    told = vars(row.facts) if row.facts else {}
    facts = {name: value for name, value in told.items() if value and name not in _NOT_SAID}
    said = (row.index, row.event_id, row.logged_at, row.leaf.hex(), facts)
    return _LABEL + _spelt(said).encode()


def is_right(row: IndexRow | None, leaf: bytes, tag: Tagger) -> bool:
    """Whether the index has the entry with this hash in the tree, and says of it what it should."""
    return (
        row is not None
        and row.leaf == leaf == leaf_hash(row.data)
        and hmac.compare_digest(row.tag, tag(row))
    )
