"""The rule that holds an anonymous complaint until its reporter gives a name and an address."""

from collections.abc import Mapping
from typing import Literal

from direct311.intake.catalogue.domain.types import ServiceType


def identified(fields: Mapping[str, object]) -> bool:
    """Whether enforcement may begin: a name and an address are given (sections 125.69, 162.06,
    F.S.)."""
    return all(fields.get(name) for name in ("first_name", "last_name", "reporter_address"))


def accepted_status(
    service: ServiceType, plain: Mapping[str, object]
) -> Literal["identity_required", "received"]:
    """The status with which a submission is accepted. `plain`: what the reporter gave, by field."""
    held = service.flags.enforcement and not identified(plain)
    return "identity_required" if held else "received"
