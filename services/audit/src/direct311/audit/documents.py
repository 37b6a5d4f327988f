"""Writes shared by the adapters of several capabilities: new documents, and rows."""

from collections.abc import Sequence

from direct311.audit.index_row import IndexRow
from direct311.runtime.storage.database import (
    BulkError,
    Collection,
    Document,
    DuplicateError,
)

_DUPLICATE = 11000


async def insert_new(collection: Collection, documents: Sequence[Document]) -> bool:
    """Insert those whose keys are new; returns whether all of them were."""
    try:
        await collection.insert_many(documents, ordered=False)
    except BulkError as error:
        if any(each.get("code") != _DUPLICATE for each in error.details["writeErrors"]):
            raise
        return False
    except DuplicateError:
        # How the local server reports a second unique index, for the whole command.
        return False
    return True


def row_fields(row: IndexRow) -> Document:
    """The content of an entry's document besides its index."""
    fields = row.facts.model_dump(exclude_defaults=True) if row.facts else {}
    if fields.pop("opens", False):
        fields["opened"] = False
    return {
        **fields,
        "event_id": row.event_id,
        "logged_at": row.logged_at,
        "data": row.data,
        "leaf": row.leaf,
        "tag": row.tag,
    }
