"""The bounds of a case on the wire."""

from typing import Annotated, Any

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from direct311.retention.holds.domain import Bounds, HoldQuery
from direct311.retention.holds.wire import HoldScope
from direct311.schemas import Model, RecordId

_SOMETHING: dict[str, Any] = {
    "anyOf": [
        {"required": ["record_ids"], "properties": {"record_ids": {"minItems": 1}}},
        {"required": ["query"], "properties": {"query": {"type": "object"}}},
    ]
}


class BoundsScope(Model, extra="forbid", json_schema_extra=_SOMETHING):
    """Within what a case stops destruction: these records, or those that the query finds, or
    both."""

    record_ids: Annotated[tuple[RecordId, ...], Field(max_length=500)] = ()
    query: HoldScope | None = None

    @model_validator(mode="after")
    def _something(self) -> "BoundsScope":
        if not self.record_ids and self.query is None:
            raise PydanticCustomError("invalid", "Give record_ids, query or both.")
        return self

    def bounds(self) -> Bounds:
        """What the domain knows of them."""
        query = HoldQuery(**self.query.model_dump()) if self.query else None
        return Bounds(record_ids=tuple(dict.fromkeys(self.record_ids)), query=query)
