"""What is wrong with which field, as callers of an API read it.

Handlers name a field by the domain's name. Callers know some of those as headers of HTTP
(`HEADERS`). pydantic reads bodies and parameters; its errors become our own words here, with the
member's path in the body as the caller wrote it, and one of the codes of `FIELD_CODES`. A name or a
value that the caller made up is never in an answer.
"""

import types
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel

from direct311.runtime.errors import FieldProblem
from direct311.runtime.http.problem_codes import UNREADABLE

MOST_PROBLEMS = 50
"""The most errors that one answer names."""

HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "api_key": "X-Api-Key",
        "idempotency_key": "Idempotency-Key",
        "origin": "Origin",
    }
)
"""Fields that come in an HTTP header, by the name that handlers use. All other fields have the same
name in handlers and in the API."""

_HEADER_NAMES: Final[Mapping[str, str]] = {name.lower(): name for name in HEADERS.values()}
"""The framework names headers in lower case."""

FIELD_CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "missing": "A required member or parameter is missing.",
        "unknown_member": "The object has a member that is not known here.",
        "wrong_type": "The value has the wrong type.",
        "wrong_format": "The text does not have the form that it must have.",
        "too_short": "The text or list has too few characters or entries.",
        "too_long": "The text or list has too many characters or entries.",
        "too_small": "The number is too small.",
        "too_large": "The number is too large.",
        "out_of_range": "The time or day is too early or too late.",
        "not_a_choice": "The value is not one of those that are allowed.",
        "reason": "The text does not say why in words.",
        "reference": "The text cannot be the number of a file, case, order or letter.",
        "authority": "The text names no case, order or law, and gives no reason in words.",
        "name": "The text has no letters or digits.",
        "invalid": "Something else is wrong; `detail` says what.",
    }
)
"""The codes of single errors (`errors[].code`). A validator of ours that raises pydantic's
`PydanticCustomError` with one of these as its type has its own message shown."""

_OBJECT = ("wrong_type", "must be a JSON object")
_LIST = ("wrong_type", "must be a list")
_TEXT = ("wrong_type", "must be text")
_NUMBER = ("wrong_type", "must be a number")
_WHOLE = ("wrong_type", "must be a whole number")
_TRUTH = ("wrong_type", "must be true or false")
_TIME = (
    "wrong_format",
    "must be a time with its offset from UTC, such as 2026-03-02T14:00:00Z",
)
_DAY = ("wrong_format", "must be a day, such as 2026-03-02")
_CHOICE = ("not_a_choice", "must be {expected}")
_OTHERWISE = ("invalid", "is not as this API describes it")

_OF_PYDANTIC: Final[Mapping[str, tuple[str, str]]] = {
    "missing": ("missing", "is required"),
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dataclass_type": _OBJECT,
    "dict_type": _OBJECT,
    "mapping_type": _OBJECT,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "iterable_type": _LIST,
    "string_type": _TEXT,
    "string_sub_type": _TEXT,
    "string_unicode": _TEXT,
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "datetime_type": _TIME,
    "datetime_parsing": _TIME,
    "datetime_from_date_parsing": _TIME,
    "datetime_object_invalid": _TIME,
    "timezone_aware": _TIME,
    "date_type": _DAY,
    "date_parsing": _DAY,
    "date_from_datetime_parsing": _DAY,
    "date_from_datetime_inexact": _DAY,
    "string_too_long": ("too_long", "must have at most {max_length} characters"),
    "string_too_short": ("too_short", "must have {min_length} or more characters"),
    "string_pattern_mismatch": ("wrong_format", "must be a text that matches {pattern}"),
    "too_long": ("too_long", "must have at most {max_length} entries"),
    "too_short": ("too_short", "must have {min_length} or more entries"),
    "greater_than": ("too_small", "must be more than {gt}"),
    "greater_than_equal": ("too_small", "must be {ge} or more"),
    "less_than": ("too_large", "must be less than {lt}"),
    "less_than_equal": ("too_large", "must be at most {le}"),
    "multiple_of": ("invalid", "must be a multiple of {multiple_of}"),
    "literal_error": _CHOICE,
    "enum": _CHOICE,
}
"""The code and our words for each type of pydantic's errors. The limits are the declared model's,
so nothing of the input is in them."""


def api_name(field: str | None) -> str | None:
    """What callers of the API call a field that a handler names."""
    return field if field is None else HEADERS.get(field, field)


def unreadable(error: RequestValidationError) -> str | None:
    """What to tell a caller whose body was not JSON, or was not sent as JSON."""
    for each in error.errors():
        if each["type"] == "json_invalid":
            return UNREADABLE
        if each["loc"][0] == "body" and isinstance(error.body, bytes):
            return "Send the body as JSON, with Content-Type: application/json."
    return None


def field_problems(
    errors: Sequence[Mapping[str, Any]], declared: Mapping[str, Any] = MappingProxyType({})
) -> tuple[FieldProblem, ...]:
    """What pydantic found, in our own words; at most `MOST_PROBLEMS`.

    :param errors: as FastAPI gives them; each `loc` begins with `body`, `query`, `path` or
        `header`.
    :param declared: for each of these, the declared type: of the body, or of the parameters by
        name.
    """
    found = (_field_problem(error, declared) for error in errors if not _has_enough(error))
    return tuple(dict.fromkeys(found))[:MOST_PROBLEMS]


def _has_enough(error: Mapping[str, Any]) -> bool:
    """Whether a list that is called too short only has wrong entries, each of which is reported:
    pydantic counts the right ones."""
    sent = error.get("input")
    return (
        error["type"] == "too_short"
        and isinstance(sent, list)
        and len(sent) >= error["ctx"]["min_length"]
    )


def _field_problem(error: Mapping[str, Any], declared: Mapping[str, Any]) -> FieldProblem:
    kind = str(error["type"])
    first, *where = error["loc"]
    if kind == "extra_forbidden":
        # The caller made this name up, so the answer has only its place in the declared model.
        where = where[:-1]
    path, at = _place(where, declared.get(first))
    field = ".".join(path)
    if first == "header":
        field = _HEADER_NAMES.get(field, field)
    code, detail = _words(kind, error, field or f"The {first}", at)
    return FieldProblem(field=field, detail=detail, code=code)


def _words(kind: str, error: Mapping[str, Any], name: str, declared: Any) -> tuple[str, str]:
    if kind in FIELD_CODES and kind not in _OF_PYDANTIC:
        # From a validator of ours.
        return kind, str(error["msg"])
    if kind == "extra_forbidden":
        known = ", ".join(dict(_fields(declared)))
        return "unknown_member", (
            f"{name} may have only these members: {known}."
            if known
            else f"{name} has a member that is not known."
        )
    code, words = _OF_PYDANTIC.get(kind) or _of_type(declared)
    return code, f"{name} {words.format(**error.get('ctx', {}))}."


def _of_type(declared: Any) -> tuple[str, str]:
    """What a value of the declared type must be, if the error does not say it."""
    if declared is datetime:
        return _TIME
    return _DAY if declared is date else _OTHERWISE


def _place(where: Sequence[int | str], declared: Any) -> tuple[list[str], Any]:
    """The path of declared members and entry numbers, and the type that is declared there.

    pydantic also names the variants of a union, which are not in the body, and the keys of a
    mapping, which the caller made up. The path leaves both out.
    """
    path: list[str] = []
    at = _plain(declared)
    for part in where:
        if isinstance(part, int):
            entry = _entry(at)
            if entry is None:
                break
            path.append(str(part))
            at = entry
        elif part in (names := dict(_fields(at))):
            path.append(part)
            at = _plain(names[part])
    return path, at


def _plain(declared: Any) -> Any:
    """The type without `Annotated`, and without `None` if that is the only other choice."""
    while get_origin(declared) is Annotated:
        declared = get_args(declared)[0]
    if get_origin(declared) in (Union, types.UnionType):
        others = [each for each in get_args(declared) if each is not type(None)]
        if len(others) == 1:
            return _plain(others[0])
    return declared


def _kinds(declared: Any) -> Iterator[Any]:
    """The variants of a union; else the type itself."""
    union = get_origin(declared) in (Union, types.UnionType)
    yield from map(_plain, get_args(declared) if union else (declared,))


def _entry(declared: Any) -> Any:
    """The type of a list's entries; `None` for a type without entries."""
    for kind in _kinds(declared):
        origin = get_origin(kind)
        if isinstance(origin, type) and issubclass(origin, Collection):
            if issubclass(origin, Mapping) or not get_args(kind):
                continue
            return _plain(get_args(kind)[0])
    return None


def _fields(declared: Any) -> Iterator[tuple[str, Any]]:
    """The members of a model by their names in a body, or the parameters of a route, with their
    types. If a model reads the whole query, its parameters are the query's own."""
    if isinstance(declared, Mapping):
        for name, kind in declared.items():
            inside = dict(_fields(_plain(kind))) if len(declared) == 1 else {}
            yield from (inside or {name: kind}).items()
        return
    for kind in _kinds(declared):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            for name, field in kind.model_fields.items():
                yield field.alias or name, field.annotation
