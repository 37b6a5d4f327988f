"""A stored request in which every field holds a word of its own, which says where it is from."""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from direct311.intake.catalogue.adapters import load_catalogue
from direct311.intake.request import ServiceRequest
from tests.support.runtime import NOW

CATALOGUE = load_catalogue().content
SERVICE = CATALOGUE.services[0]

CANARY = re.compile(r"canary-([a-z_0-9.]+)-")


def planted(wanted: Any, path: str, numbers: dict[str, str]) -> Any:
    """A value of a type that says in which field it stands. Numbers, which cannot say so, are noted
    as text, with the field that each stands in."""
    origin, parts = get_origin(wanted), get_args(wanted)
    if origin is Annotated:
        return planted(parts[0], path, numbers)
    if origin in (Union, UnionType):
        return planted(next(each for each in parts if each is not NoneType), path, numbers)
    if origin is Literal:
        return parts[0]
    if origin is tuple:
        return (planted(parts[0], path, numbers),)
    if origin in (dict, Mapping):
        return {f"canary-{path}-key": planted(parts[1], path, numbers)}
    if isinstance(wanted, type) and issubclass(wanted, BaseModel):
        return planted_model(wanted, f"{path}.", numbers)
    if wanted is bool:
        return True
    if wanted in (int, float):
        value = 41_000_000 + 1000 * len(numbers) + 7
        number = value if wanted is int else value / 1_000_000
        numbers[str(number)] = path
        return number
    if wanted is datetime:
        return NOW
    if wanted is date:
        return NOW.date()
    if wanted is bytes:
        return f"canary-{path}-".encode()
    if wanted is str:
        return f"canary-{path}-"
    raise AssertionError(f"{path}: say here how a {wanted} is planted")


def planted_model(model: type[BaseModel], prefix: str, numbers: dict[str, str]) -> Any:
    values = {
        name: planted(field.annotation, f"{prefix}{name}", numbers)
        for name, field in model.model_fields.items()
    }
    return model.model_construct(**values)


NUMBERS: dict[str, str] = {}
PLANTED: ServiceRequest = planted_model(ServiceRequest, "", NUMBERS)


def stored(**fields: object) -> ServiceRequest:
    usual = {
        "service_code": SERVICE.service_code,
        "received_at": NOW - timedelta(hours=1),
        "lifecycle": "active",
        "protected": False,
        "place_checked": True,
        "listed": True,
    }
    return PLANTED.model_copy(update={**usual, **fields})


def shown(text: str) -> set[str]:
    """The fields of which an answer shows what is planted there."""
    found = set(CANARY.findall(text))
    return found | {path for number, path in NUMBERS.items() if number in text}
