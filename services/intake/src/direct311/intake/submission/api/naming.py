"""What is wrong with a submission, in the words of an API.

The rules have their own names for fields and codes (`submission/domain/wrong.py`). Each API has one
`Naming`: the table of its names for the fields, and the messages that it words differently.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from direct311.intake import fields
from direct311.intake.submission.domain.wrong import Code, Field, FieldName, Wrong
from direct311.intake.submission.handlers.check import LONGEST_AGO, LONGEST_AHEAD

WORDS: Mapping[Code, str] = {
    "control_characters": fields.WORDS["control_characters"],
    "email_form": fields.WORDS["email_form"],
    "phone_form": fields.WORDS["phone_form"],
    "plain_text": fields.WORDS["plain_text"],
    "too_long": fields.WORDS["too_long"],
    "address_id_form": "{field} may have 100 letters, digits and any of . _ : / -",
    "answer_kind": "{field} must be texts, numbers or lists of them",
    "answer_name": "an answer must be sent as {field}[CODE]",
    "app_fact": "{field} must be {values}",
    "asked_only_if": "{field} is asked only if {other} is {values}",
    "contact_missing": "{field} may name {values} only with {other}",
    "degrees": "{field} must be decimal degrees from -{most} to {most} (WGS 84)",
    "file_required": "this type needs a file",
    "file_too_large": "{field} may have {most} bytes a file",
    "files_not_taken": "this type takes no media",
    "key_form": "{field} may have 200 printable ASCII characters",
    "not_a_file": "{field} must be a file, in multipart/form-data",
    "not_a_choice": "{field} must be one of the keys in the type's definition",
    "not_a_number": "{field} must be a number",
    "not_a_place": (
        "{field} must be the id of a place, such as a folio, and not what could be the number of a "
        "card, a bank account, social security or a telephone; or send {latitude} and {longitude}, "
        "or {address}"
    ),
    "not_a_time": "{field} must be a time such as 2026-01-31T12:00:00Z",
    "notice_required": (
        "{field} is required with an e-mail address: show the notice from GET /v1/policy first "
        "(section 668.6076, F.S.)"
    ),
    "place_required": "{latitude} and {longitude}, {address} or {address_id} is required",
    "point_incomplete": "{latitude} and {longitude} must be sent together",
    "missing": "{field} is required",
    "missing_if": "{field} is required if {other} is {values}",
    "sent_once": "{field} may be sent once",
    "time_out_of_range": (
        f"{{field}} must be a time at most {LONGEST_AGO.days // 365} years ago and at most "
        f"{LONGEST_AHEAD.days} days ahead"
    ),
    "too_many": "{field} may be sent {most} times",
    "too_many_values": "{field} may have {most} values",
    "unknown_answer": "{field} codes must be those of GET /services/{{service_code}}",
    "unknown_jurisdiction": "{field} must be miamidade",
    "unknown_service": "{field} must be one of those in GET /services",
    "version_form": "{field} must be a version from GET /v1/policy",
    "web_address": "{field} must be an http or https address",
}
"""What would be right, for each code. The text never contains anything that was sent."""


@dataclass(frozen=True, slots=True)
class Naming:
    """What an API calls the fields, where its name differs from the rules' name, and what it calls
    an item of a field, such as the answer to a question. `words`: the messages that it words
    differently."""

    names: Mapping[FieldName, str]
    item: str
    words: Mapping[Code, str] = field(default_factory=dict)

    def of(self, named: Field) -> str:
        """The name of a field."""
        name = self.names.get(named.name, named.name)
        return name if named.item is None else self.item.format(name=name, item=named.item)

    def said(self, wrong: Wrong) -> str:
        """What would be right."""
        words = self.words.get(wrong.code) or WORDS[wrong.code]
        place: tuple[FieldName, ...] = ("latitude", "longitude", "address", "address_id")
        return words.format(
            field=self.of(wrong.field),
            most=wrong.most,
            other=self.of(wrong.other) if wrong.other else "",
            values=" or ".join(wrong.values),
            **{name: self.of(Field(name)) for name in place},
        )
