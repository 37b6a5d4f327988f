"""Filling a collection faster than the local database may like."""

import asyncio
from collections.abc import Sequence

from direct311.runtime.storage import database as mongo
from direct311.runtime.storage.database import Collection, Document

PAUSE = 5.0
"""Seconds: a full cache stalls the local server for longer than a connection waits."""


async def store(collection: Collection, documents: Sequence[Document]) -> None:
    """Insert all, however often it takes."""
    while True:
        try:
            await collection.insert_many(documents, ordered=False)
        except mongo.BulkError as error:
            mongo.duplicates(error)  # Nothing but what an attempt before this one stored.
        except mongo.DatabaseError:
            await asyncio.sleep(PAUSE)
            continue
        return
