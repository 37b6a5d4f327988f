"""What a resident submits, whatever format it came in."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from direct311.intake.request import ContactWay
from direct311.schemas.events import Place

_SORTED = json.JSONEncoder(sort_keys=True, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Submission:
    """A submission that can be accepted.

    `attributes`: answers by code. `sealed_answers`: the answers that the type wants sealed, by the
    vault's field. `contact`: the contact fields that were given. `contact_by`: how the reporter
    consents to be contacted; `None` if nobody asked. `uploads`: ids of files that were uploaded
    before. `place_id_left_out`: the place came with an id that could be a person's number.
    """

    jurisdiction_id: str
    service_code: str
    place: Place
    description: str = ""
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sealed_answers: Mapping[str, str] = field(default_factory=dict)
    contact: Mapping[str, str] = field(default_factory=dict)
    media_urls: tuple[str, ...] = ()
    client_request_id: str | None = None
    policy_version: str | None = None
    email_notice_version: str | None = None
    contact_by: tuple[ContactWay, ...] | None = None
    uploads: tuple[str, ...] = ()
    place_id_left_out: bool = False

    def canonical(self) -> bytes:
        """The same bytes for the same content, in whatever order it was sent."""
        place = self.place.model_dump(exclude_none=True)
        content: dict[str, object] = {
            "service": self.service_code,
            "place": place,
            "text": " ".join(self.description.split()),
            "attributes": {code: list(values) for code, values in self.attributes.items()},
            "sealed": dict(self.sealed_answers),
            "contact": dict(self.contact),
            "media": list(self.media_urls),
        }
        if self.contact_by is not None:
            content["contact_by"] = list(self.contact_by)
        if self.uploads:
            content["uploads"] = list(self.uploads)
        return _SORTED.encode(content).encode("utf-8", "surrogatepass")
