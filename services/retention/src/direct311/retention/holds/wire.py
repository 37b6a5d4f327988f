"""What a hold, or the bounds of a case, may name on the wire."""

from typing import Annotated, Any

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from direct311.retention.holds.domain import HoldQuery
from direct311.runtime.parameters import AskedInstant, in_order
from direct311.runtime.text import Title
from direct311.schemas.model import DepartmentCode

_SOMETHING: dict[str, Any] = {
    "anyOf": [
        {"required": ["service_codes"], "properties": {"service_codes": {"minItems": 1}}},
        *(
            {"required": [name], "properties": {name: {"type": "string"}}}
            for name in ("municipality", "department", "since", "until")
        ),
    ]
}


class HoldScope(HoldQuery, json_schema_extra=_SOMETHING):
    """Needs at least one criterion, and `since` before `until`."""

    service_codes: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=40)], ...], Field(max_length=500)
    ] = ()
    municipality: Annotated[str, Field(max_length=100), Title] | None = None
    department: DepartmentCode | None = None
    since: AskedInstant | None = None
    until: AskedInstant | None = None

    @model_validator(mode="after")
    def _something(self) -> "HoldScope":
        if not self.model_dump(exclude_none=True, exclude_defaults=True):
            raise PydanticCustomError("invalid", "Give at least one criterion.")
        in_order(self.since, self.until, inclusive=False)
        return self
