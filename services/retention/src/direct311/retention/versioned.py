"""MongoDB documents that are replaced as a whole, only in the version that was read."""

from typing import Generic, TypeVar

from direct311.runtime.storage.database import Collection, Document, DuplicateError
from direct311.schemas import Model

V = TypeVar("V", bound=Model)


class Versioned(Generic[V]):
    """Documents replaced only in the version that was read; the model has a `version`."""

    def __init__(self, collection: Collection, model: type[V], key: str) -> None:
        self._collection = collection
        self._model: type[V] = model
        self._key = key

    async def get(self, key: str) -> V | None:
        document = await self._collection.find_one({"_id": key})
        return self._read(document) if document else None

    async def replace(self, value: V) -> bool:
        document = self._write(value)
        read = document["version"]
        result = await self._collection.replace_one(
            {"_id": document["_id"], "version": read}, {**document, "version": read + 1}
        )
        return result.matched_count == 1

    async def _insert(self, value: V) -> bool:
        try:
            await self._collection.insert_one(self._write(value))
        except DuplicateError:
            return False
        return True

    def _read(self, document: Document) -> V:
        return self._model.model_validate({**document, self._key: document["_id"]})

    def _write(self, value: V) -> Document:
        document = value.model_dump(mode="python", exclude_none=True)
        return {"_id": document.pop(self._key), **document}
