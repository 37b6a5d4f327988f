"""What the public sees, built from an allow-list: a field that is not named here does not show."""

from collections.abc import Sequence

from direct311.intake.catalogue.domain import wording
from direct311.intake.catalogue.domain.policy import Contact
from direct311.intake.catalogue.domain.types import Attribute, ServiceType
from direct311.intake.county import close_of
from direct311.intake.language import Language
from direct311.intake.open311.wire.render import Tree, instant
from direct311.intake.open311.wire.updates import shows_text
from direct311.intake.request import (
    BY_RESIDENTS,
    CLOSED,
    Note,
    ServiceRequest,
    public_area,
    public_jurisdiction,
    public_place,
    public_words,
)
from direct311.runtime.access.links import SignedLink
from direct311.schemas.events import Place

SPECIFICATION = "http://wiki.open311.org/GeoReport_v2"
CHANGESET = "2026-01-05T00:00:00Z"


def service(each: ServiceType) -> Tree:
    """An entry in the list of services."""
    return {
        "service_code": each.service_code,
        "service_name": each.service_name,
        "description": each.description,
        "metadata": each.metadata,
        "type": each.type,
        "keywords": ", ".join(each.keywords) or None,
        "group": each.group,
    }


def definition(each: ServiceType, language: Language = "en") -> Tree:
    """A type's questions, in the language of the words in `each`.

    A client that does not know conditional questions may leave them out (`required` is false), and
    `datatype_description` tells residents when a question applies. A client that does know them
    finds the condition in `asked_if`, an extension of ours: the earlier question's code, those of
    its keys for which this question is asked, and whether it must then be answered.
    """
    ordered = sorted(each.attributes, key=lambda attribute: attribute.order)
    return {
        "service_code": each.service_code,
        "attributes": [_attribute(each, attribute, language) for attribute in ordered],
    }


def _attribute(service: ServiceType, each: Attribute, language: Language) -> Tree:
    described = (wording.condition(service, each, language), each.datatype_description)
    found: dict[str, object] = {
        "variable": each.variable,
        "code": each.code,
        "datatype": each.datatype,
        "required": each.required and each.asked_if is None,
        "datatype_description": " ".join(part for part in described if part) or None,
        "order": each.order,
        "description": each.description,
        "values": [{"key": choice.key, "name": choice.name} for choice in each.values],
    }
    if each.asked_if is not None:
        found["asked_if"] = {
            "code": each.asked_if.code,
            "keys": list(each.asked_if.values),
            "required": each.required,
        }
    return found


def request(
    each: ServiceRequest,
    type_: ServiceType | None,
    department: str | None,
    *,
    extensions: bool,
    language: Language = "en",
) -> Tree:
    """A request. Its place shows only after it was checked, and never if it is protected. In that
    case no text shows either, not even a department's text in the history."""
    shown = each.place_checked
    place = public_place(each) if shown else None
    told = shown and not each.protected
    public = told and type_ is not None and type_.flags.publish_text
    media = [m.url for m in each.media if m.url] if told else []
    address = _address(each, place) if place else None
    found: dict[str, object] = {
        "service_request_id": each.record_id,
        "status": "closed" if each.status in CLOSED else "open",
        "status_notes": _status_notes(each, language),
        "service_name": type_.service_name if type_ else None,
        "service_code": each.service_code,
        "description": each.text if public else None,
        "agency_responsible": department,
        "service_notice": None,
        "requested_datetime": instant(each.received_at),
        "updated_datetime": instant(each.updated_at),
        "expected_datetime": instant(close_of(each.due_on)) if each.due_on else None,
        "address": public_jurisdiction(each) if each.protected else address,
        "address_id": None,
        "zipcode": place.zip_code if place else None,
        "lat": _degrees(place.latitude if place else None),
        "long": _degrees(place.longitude if place else None),
        "media_url": media[0] if media else None,
    }
    if extensions:
        located = each.located if shown and not each.protected else None
        found["attributes"] = _answers(each, type_) if public and type_ else []
        found["extended_attributes"] = {
            "channel": each.channel,
            "status": each.status,
            "jurisdiction": public_jurisdiction(each),
            "district": located.commission_district if located else None,
            # The duplicate may be public, and would show this one's place.
            "duplicate_of": each.duplicate_of if told else None,
            "approximate": located.approximate if located else None,
            "photos": [{"media_url": url} for url in media],
        }
        found["notes"] = [
            {
                "datetime": instant(note.occurred_at or note.at),
                "type": note.kind,
                "summary": note.status or note.kind,
                "description": _words(each, note, type_),
            }
            for note in each.notes
        ]
    return found


def _words(each: ServiceRequest, note: Note, type_: ServiceType | None) -> str | None:
    """A note's text. A resident's shows only for a type whose text is public."""
    return (public_words(each, note) or None) if shows_text(note.kind, type_) else None


def _address(each: ServiceRequest, place: Place) -> str | None:
    """The address; if there is none, the area; if there is none either, the point. Typed clients
    want a value in every row."""
    if place.address:
        return place.address
    area = public_area(each, place.zip_code)
    if area is not None:
        return area
    if place.latitude is None or place.longitude is None:
        return None
    return f"{place.latitude:.6f}, {place.longitude:.6f}"


def _degrees(value: float | None) -> float | None:
    """A tenth of a meter is precise enough, and clients compare the values."""
    return None if value is None else round(value, 6)


def _answers(each: ServiceRequest, type_: ServiceType) -> list[Tree]:
    """The answers to the type's questions, redacted. Sealed answers are not included."""
    found: list[Tree] = []
    for answer in each.attributes:
        asked = type_.attribute(answer.code)
        names = {choice.key: choice.name for choice in asked.values} if asked else {}
        found.append(
            {
                "code": answer.code,
                "label": asked.description if asked else answer.code,
                "values": [
                    {"key": value, "name": names.get(value, value)} for value in answer.values
                ],
            }
        )
    return found


def _status_notes(each: ServiceRequest, language: Language) -> str:
    """What the status means, and what the department last said about it."""
    notes = (note for note in reversed(each.notes) if note.kind not in BY_RESIDENTS)
    said = next((words for note in notes if (words := public_words(each, note))), "")
    return f"{wording.STATUSES[language][each.status]} {said}".strip()


def accepted(
    record_id: str | None,
    notice: str | None,
    link: SignedLink | None = None,
    token: str | None = None,
) -> Sequence[Tree]:
    """The answer to a submission; `link`: lets the resident see what is held about them.

    With a token there is no number, not even an empty one (GeoReport v2: it "will not be returned
    if token is returned"), because clients take an empty element for a number. A blackbox service
    has neither.
    """
    found: dict[str, object] = (
        {"service_request_id": record_id} if token is None else {"token": token}
    )
    found |= {"service_notice": notice, "account_id": None}
    if link is not None:
        found["extended_attributes"] = {
            "link_token": link.token,
            "link_expires_datetime": instant(link.expires_at),
        }
    return [found]


def token(value: str, record_id: str | None) -> Sequence[Tree]:
    """A token, and its request once the public may know it."""
    if record_id is None:
        return [{"token": value}]
    return [{"service_request_id": record_id, "token": value}]


def discovery(url: str, contact: Contact | None, environment: str) -> Tree:
    """What this server is and where its endpoints are."""
    base = f"{url.rstrip('/')}/open311/v2"
    address = (
        f"{contact.name}, {contact.street}, {contact.city}, {contact.state} {contact.zip_code}, "
        f"telephone {contact.telephone}"
        if contact
        else None
    )
    return {
        "changeset": CHANGESET,
        "contact": address,
        "key_service": f"{url.rstrip('/')}/docs",
        "endpoints": [
            {
                "specification": SPECIFICATION,
                "url": base,
                "changeset": CHANGESET,
                "type": "production" if environment == "production" else "test",
                "formats": ["text/xml", "application/json"],
            }
        ],
    }
