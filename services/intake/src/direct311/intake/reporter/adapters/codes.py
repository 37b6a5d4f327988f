"""One-time codes in MongoDB: one document for each request for which a code was requested."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from direct311.intake.reporter.ports import WaitingCode
from direct311.runtime.storage.database import Collection, Document, DuplicateError, Index

GOOD_FOR = timedelta(minutes=10)
MOST_TRIES = 5
WINDOW = timedelta(hours=1)
MOST_ASKED = 10
"""How many codes may be requested for one request in a window, with the right address or a wrong
one."""


class MongoCodes:
    """`Codes`, and the outbox of their messages: `mail_after` is when to try to send one next."""

    INDEXES = (
        Index([("mail_after", 1)], name="mail", sparse=True),
        Index([("since", 1)], name="since"),
    )

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def prepare(self) -> None:
        await self._collection.create_indexes(list(self.INDEXES))

    async def ask(
        self, record_id: str, at: datetime, nonce: str | None, language: str
    ) -> datetime | None:
        fresh: Document = {}
        if nonce is not None:
            fresh = {
                "nonce": nonce,
                "language": language,
                "good_until": at + GOOD_FOR,
                "tries": 0,
                "mail_after": at,
                "mail_tries": 0,
            }
        begun = {"_id": record_id, "since": {"$gt": at - WINDOW}, "asked": {"$lt": MOST_ASKED}}
        counted = await self._collection.update_one(
            begun, {"$inc": {"asked": 1}, "$set": {"asked_at": at, **fresh}}
        )
        if counted.matched_count:
            return None
        try:
            await self._collection.update_one(
                {"_id": record_id, "since": {"$lte": at - WINDOW}},
                {"$set": {"since": at, "asked": 1, "asked_at": at, **fresh}},
                upsert=True,
            )
        except DuplicateError:
            # Its window is still open, so it was full. Requests counted since then count as full
            # too.
            found = await self._collection.find_one({"_id": record_id}, {"since": 1})
            return (found["since"] if found else at) + WINDOW
        return None

    async def attempt(self, record_id: str, at: datetime) -> str | None:
        found = await self._collection.find_one_and_update(
            {"_id": record_id, "good_until": {"$gt": at}, "tries": {"$lt": MOST_TRIES}},
            {"$inc": {"tries": 1}},
        )
        return found["nonce"] if found else None

    async def use(self, record_id: str, nonce: str) -> bool:
        result = await self._collection.update_one(
            {"_id": record_id, "nonce": nonce}, {"$unset": _OF_A_CODE}
        )
        return bool(result.modified_count)

    async def forget(self, record_id: str) -> None:
        await self._collection.delete_one({"_id": record_id})

    async def forget_old(self, before: datetime) -> None:
        """Drop those whose window began before then."""
        await self._collection.delete_many({"since": {"$lt": before}})

    async def due(self, at: datetime, limit: int) -> Sequence[WaitingCode]:
        """Codes whose message is due."""
        found = self._collection.find({"mail_after": {"$lte": at}}).limit(limit)
        return [
            WaitingCode(
                each["_id"],
                each["nonce"],
                each["language"],
                each["mail_after"],
                each["good_until"],
                each["mail_tries"],
            )
            async for each in found
        ]

    async def trying(self, code: WaitingCode, again: datetime) -> bool:
        """Called before each try. Sets the time of the next try, so that nothing is lost if the
        process is killed. Returns whether this process may make the try."""
        result = await self._collection.update_one(
            {"_id": code.record_id, "nonce": code.nonce, "mail_after": code.mail_after},
            {"$set": {"mail_after": again}, "$inc": {"mail_tries": 1}},
        )
        return bool(result.modified_count)

    async def sent(self, code: WaitingCode) -> None:
        """There is nothing more to send for this code."""
        await self._collection.update_one(
            {"_id": code.record_id, "nonce": code.nonce}, {"$unset": {"mail_after": 1}}
        )


_OF_A_CODE = dict.fromkeys(
    ("nonce", "language", "good_until", "tries", "mail_after", "mail_tries"), 1
)
