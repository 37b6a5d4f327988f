"""The base class of every event, and the types that events share."""

from datetime import UTC, date, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field


class Model(BaseModel):
    """A frozen value. Unknown fields are ignored, so that an old reader can read a newer writer."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="null")


M = TypeVar("M", bound=Model)


def replaced(model: M, /, **changes: Any) -> M:
    """A copy with new values in these fields; the values are not validated.

    Only a model's own methods call this, on `self`; they say what happened, in typed parameters.
    mypy checks the names and values here too (`tools/replaced_fields.py`).

    :raises TypeError: the model has no such field.
    """
    fields = model.__pydantic_fields__
    for name in changes:
        if name not in fields:
            raise TypeError(f"{type(model).__name__} has no field {name!r}")
    return model.model_copy(update=changes)


def _milliseconds_utc(value: datetime) -> datetime:
    if value.tzinfo is UTC and value.microsecond % 1000 == 0:
        # The stored form, which nearly every value read has.
        return value
    whole = value.microsecond // 1000 * 1000
    if not value.utcoffset():
        # Already UTC, as databases and our own clocks return it.
        return value.replace(microsecond=whole, tzinfo=UTC)
    try:
        return value.astimezone(UTC).replace(microsecond=whole)
    except OverflowError:
        raise ValueError("not between the years 1 and 9999 in UTC") from None


def nothing() -> Any:
    """The default of a mapping: a new empty one. Pydantic would deep-copy a `{}` each time."""
    return Field(default_factory=dict)


_NUMBERS = (int, float, bool)


def _written(value: Any) -> Any:
    """Reject a number: it would be read as seconds since 1970."""
    # Compares exact types for speed: states have many times, and most are already parsed.
    kind = type(value)
    if kind in _NUMBERS or (kind is str and value[4:5] != "-"):
        raise ValueError("must be written as ISO 8601 says")
    return value


# Milliseconds, because databases keep no more; a value survives the round trip.
Instant = Annotated[
    datetime, AwareDatetime, AfterValidator(_milliseconds_utc), BeforeValidator(_written)
]
OnDate = Annotated[date, BeforeValidator(_written)]

RecordId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
DepartmentCode = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,40}$")]
Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:()-]{0,63}$")]
"""A word from a list, such as a state or an exemption: too short for a text, and without spaces."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]

# How long a text or list in an event may be. The limits are wider than anything our edges accept or
# redaction produces, yet an event still fits into a message, and what it leads to fits into a
# document.
Word = Annotated[str, Field(max_length=200)]
"""A code, a name, a version, or another system's id."""
Line = Annotated[str, Field(max_length=2_000)]
"""A line that somebody wrote, or a URL."""
Prose = Annotated[str, Field(max_length=100_000)]
"""Lines of text."""

T = TypeVar("T")
Few = Annotated[tuple[T, ...], Field(max_length=200)]
"""Items of one record: answers, files, fields."""
Many = Annotated[tuple[T, ...], Field(max_length=10_000)]
"""The records of one case, hold or certificate."""
Words = Annotated[dict[Word, Line], Field(max_length=200)]
"""One line per name."""
