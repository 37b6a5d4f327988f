"""A submission as read from a form or from JSON, before any rule is applied."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from direct311.intake.request import ContactWay
from direct311.intake.submission.domain.wrong import FieldName, Wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What was sent, in whatever format. A text that is empty or has no visible character counts as
    not sent.

    `latitude` and `longitude` are degrees; NaN stands for something that is not a number. `answers`
    are texts by attribute code; an answer sent as a number becomes text. `contact` has the contact
    fields by name. `file_ids`: files that were uploaded before. `files`: how many came with the
    form. `repeated`: fields that came several times with different values; the draft has the first
    one. `wrong`: problems that the reader has found, which the rules cannot see.
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
