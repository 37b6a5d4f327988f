"""Reads the form of `POST /requests` of GeoReport v2 into a draft. No rule is applied here."""

import re
from collections.abc import Callable, Mapping, Sequence

from direct311.intake.fields import CONTACT_LIMITS
from direct311.intake.submission.api.texts import (
    of_contact,
    of_lines,
    of_one_line,
    with_line_ends,
)
from direct311.intake.submission.domain.draft import Draft
from direct311.intake.submission.domain.wrong import FieldName, Wrong
from direct311.runtime.parameters import read_number

_ATTRIBUTE = re.compile(r"attribute\[([A-Za-z0-9_-]{1,60})\](\[\])?")
_CLEANED: Mapping[str, Callable[[str], str]] = {
    "description": of_lines,
    "address_string": of_one_line,
    **dict.fromkeys(CONTACT_LIMITS, of_contact),
}
FIELDS: Mapping[str, FieldName] = {
    "jurisdiction_id": "jurisdiction_id",
    "service_code": "service_code",
    "lat": "latitude",
    "long": "longitude",
    "address_string": "address",
    "address_id": "address_id",
    "description": "description",
    "email": "email",
    "first_name": "first_name",
    "last_name": "last_name",
    "phone": "phone",
    "account_id": "account_id",
    "device_id": "device_id",
    "client_request_id": "client_request_id",
    "policy_version": "policy_version",
    "email_notice_version": "email_notice_version",
}
"""Fields of the form that may be sent only once, and their names in the draft."""


def draft_of(
    pairs: Sequence[tuple[str, str]], *, files: int = 0, wrong: Sequence[Wrong] = ()
) -> Draft:
    """What a form says. `files`: how many came with it; `wrong`: what was wrong with its parts."""
    given = sent(pairs)
    answers: dict[str, tuple[str, ...]] = {}
    repeated: list[FieldName] = []
    unnamed = False
    for name, values in given.items():
        if name.startswith("attribute"):
            if match := _ATTRIBUTE.fullmatch(name):
                found = tuple(value.strip() for value in values)
                answers[match[1]] = answers.get(match[1], ()) + found
            else:
                unnamed = True
        elif len(values) > 1 and name in FIELDS and is_repeated(values):
            repeated.append(FIELDS[name])
    one = {name: given[name][0].strip() for name in FIELDS if name in given}
    return Draft(
        jurisdiction_id=one.get("jurisdiction_id"),
        service_code=one.get("service_code"),
        latitude=_degrees(one.get("lat")),
        longitude=_degrees(one.get("long")),
        address=one.get("address_string"),
        address_id=one.get("address_id"),
        description=with_line_ends(one.get("description", "")),
        contact={name: one[name] for name in CONTACT_LIMITS if name in one},
        answers=answers,
        unnamed_answers=unnamed,
        media_urls=media_urls(given),
        files=files,
        client_request_id=one.get("client_request_id"),
        policy_version=one.get("policy_version"),
        email_notice_version=one.get("email_notice_version"),
        repeated=frozenset(repeated),
        wrong=tuple(wrong),
    )


def sent(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """The values of a form by field, cleaned. An empty value counts as not sent."""
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        clean = _CLEANED.get(name) or (of_lines if name.startswith("attribute") else None)
        shown = clean(value) if clean else value
        if shown.strip():
            given.setdefault(name, []).append(shown)
    return given


def is_repeated(values: Sequence[str]) -> bool:
    """Whether the values differ. Sending the same value twice, for example in the query and in the
    form, is not a contradiction."""
    return len(set(values)) > 1


def media_urls(given: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Links to media, in the order in which they were sent."""
    return tuple(
        value.strip() for name in ("media_url", "media_url[]") for value in given.get(name, ())
    )


def _degrees(text: str | None) -> float | None:
    return None if text is None else read_number(text)
