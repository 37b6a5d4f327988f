"""What is wrong with a submission: a stable code and the field, under the domain's own name.

Each API has its own names for the fields, and its own words for the rest
(`submission/api/naming.py`).
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Code = Literal[
    "address_id_form",
    "answer_kind",
    "answer_name",
    "app_fact",
    "asked_only_if",
    "contact_missing",
    "control_characters",
    "degrees",
    "email_form",
    "file_required",
    "file_too_large",
    "files_not_taken",
    "key_form",
    "missing",
    "missing_if",
    "not_a_choice",
    "not_a_file",
    "not_a_number",
    "not_a_place",
    "not_a_time",
    "notice_required",
    "phone_form",
    "place_required",
    "plain_text",
    "point_incomplete",
    "sent_once",
    "time_out_of_range",
    "too_long",
    "too_many",
    "too_many_values",
    "unknown_answer",
    "unknown_jurisdiction",
    "unknown_service",
    "version_form",
    "web_address",
]
"""A promise to callers: a code never gets another meaning."""

FieldName = Literal[
    "account_id",
    "address",
    "address_id",
    "answers",
    "app",
    "client_request_id",
    "contact_by",
    "description",
    "device_id",
    "email",
    "email_notice_version",
    "file_ids",
    "files",
    "first_name",
    "idempotency_key",
    "jurisdiction_id",
    "last_name",
    "latitude",
    "longitude",
    "media_urls",
    "phone",
    "policy_version",
    "service_code",
]


class Field(NamedTuple):
    """A field of a submission. `item`: the code of an answer, or the position in a list."""

    name: FieldName
    item: str | int | None = None


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong. `most`: the limit that was exceeded. `other`: a field that decides
    whether this one is right, with the `values` that it must have."""

    code: Code
    field: Field
    most: int | None = None
    other: Field | None = None
    values: tuple[str, ...] = ()
