"""Tags vouch for what the query index says about an entry, so that an edit in the database is
found.

The sealed leaf proves itself by its hash. The cleartext beside it (actor, purpose, records) could
be compared only with the body, which would open every entry again and again. So each row has a tag,
HMAC-SHA-256 under a key that the database has only in wrapped form: somebody who can edit only the
index cannot make one. The tag covers the whole row except the mark of reconciliation, also for rows
whose facts were removed: nobody can hide an entry as one whose record is destroyed.
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
    """What a row says, in one fixed form, as long as fields are only added.

    As the database returns it, so without `opens`; written by hand for speed, since each append
    waits for it.
    """
    told = vars(row.facts) if row.facts else {}
    facts = {name: value for name, value in told.items() if value and name not in _NOT_SAID}
    said = (row.index, row.event_id, row.logged_at, row.leaf.hex(), facts)
    return _LABEL + _spelt(said).encode()


def is_right(row: IndexRow | None, leaf: bytes, tag: Tagger) -> bool:
    """Whether the index has the entry with this hash in the tree, and says the right things about
    it."""
    return (
        row is not None
        and row.leaf == leaf == leaf_hash(row.data)
        and hmac.compare_digest(row.tag, tag(row))
    )
