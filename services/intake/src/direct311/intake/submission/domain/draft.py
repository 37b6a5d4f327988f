"""A submission as it was read from a form or from JSON, before any rule was applied."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from direct311.intake.request import ContactWay
from direct311.intake.submission.domain.wrong import FieldName, Wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What was sent, whatever its format was. A text that is empty or shows nothing was not sent.

    `latitude` and `longitude` are degrees; NaN stands for what is not a number. `answers` are texts
    by attribute code; an answer that was sent as a number is its text. `contact` has the contact
    fields by name. `file_ids`: files that were uploaded before. `files`: how many came along.
    `repeated`: fields that came several times, with different values; the first is taken here.
    `wrong`: what the reader has found wrong, which no rule below can see.
    """

    jurisdiction_id: str | None = None
    service_code: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    address: str | None = None
    address_id: str | None = None
    description: str = ""
    contact: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unnamed_answers: bool = False
    media_urls: tuple[str, ...] = ()
    files: int = 0
    file_ids: tuple[str, ...] = ()
    client_request_id: str | None = None
    policy_version: str | None = None
    email_notice_version: str | None = None
    contact_by: tuple[ContactWay, ...] | None = None
    repeated: frozenset[FieldName] = frozenset()
    wrong: tuple[Wrong, ...] = ()
