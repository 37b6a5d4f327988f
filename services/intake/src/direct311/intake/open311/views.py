"""What the public sees, built from an allow-list: a field that is not named here does not show."""

from collections.abc import Sequence

from direct311.intake.domain import wording
from direct311.intake.domain.catalogue import Attribute, ServiceType
from direct311.intake.domain.language import Language
from direct311.intake.domain.policy import Contact
from direct311.intake.domain.request import CLOSED, ServiceRequest, public_words, show_place
from direct311.intake.open311.render import Tree, instant
from direct311.runtime.links import SignedLink

SPECIFICATION = "http://wiki.open311.org/GeoReport_v2"
CHANGESET = "2026-01-05T00:00:00Z"


def service(each: ServiceType) -> Tree:
    """A line of the list of services."""
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
    """A type's questions, in the language that `each` has its words in.

    A client that knows nothing of conditional questions may leave them out (`required` is false)
    and shows when they are asked (`datatype_description`). One that does finds it in `asked_if`,
    an extension of ours: the earlier question's code, those of its keys with which this one is
    asked, and whether it must then be answered.
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
    """A request. Its place shows once it was checked, and never where it is protected."""
    shown = each.place_checked
    place = show_place(each) if shown else None
    text = each.text if shown and type_ and type_.flags.publish_text else None
    if each.protected:
        text = None
    media = [] if each.protected or not shown else [m.url for m in each.media if m.url]
    address = place.address if place else None
    found: dict[str, object] = {
        "service_request_id": each.record_id,
        "status": "closed" if each.status in CLOSED else "open",
        "status_notes": _status_notes(each, language),
        "service_name": type_.service_name if type_ else None,
        "service_code": each.service_code,
        "description": text,
        "agency_responsible": department,
        "service_notice": None,
        "requested_datetime": instant(each.received_at),
        "updated_datetime": instant(each.updated_at),
        "expected_datetime": f"{each.due_on.isoformat()}T21:00:00Z" if each.due_on else None,
        "address": _jurisdiction(each) if each.protected else address,
        "address_id": place.address_id if place else None,
        "zipcode": place.zip_code if place else None,
        "lat": place.latitude if place else None,
        "long": place.longitude if place else None,
        "media_url": media[0] if media else None,
    }
    if extensions:
        located = each.located if shown and not each.protected else None
        found["attributes"] = []
        found["extended_attributes"] = {
            "channel": each.channel,
            "status": each.status,
            "jurisdiction": _jurisdiction(each),
            "district": located.commission_district if located else None,
            "duplicate_of": each.duplicate_of,
            "approximate": located.approximate if located else None,
            "photos": [{"media_url": url} for url in media],
        }
        found["notes"] = [
            {
                "datetime": instant(note.at),
                "type": note.kind,
                "summary": note.status or note.kind,
                "description": public_words(each, note) or None,
            }
            for note in each.notes
        ]
    return found


UNINCORPORATED = "Unincorporated Miami-Dade"


def _jurisdiction(each: ServiceRequest) -> str | None:
    """The municipality, or that there is none; public also where the place is not."""
    located = each.located if each.place_checked else None
    if located is None or located.outcome != "resolved":
        return None
    return located.municipality or UNINCORPORATED


def _status_notes(each: ServiceRequest, language: Language) -> str:
    said = next((words for note in reversed(each.notes) if (words := public_words(each, note))), "")
    return f"{wording.STATUSES[language][each.status]} {said}".strip()


def accepted(
    record_id: str | None,
    notice: str | None,
    link: SignedLink | None = None,
    token: str | None = None,
) -> Sequence[Tree]:
    """The answer to a submission; `link`: what opens to the resident what is held of them.

    With a token there is no number, not even an empty one (GeoReport v2: it "will not be returned
    if token is returned"), since clients take an empty element for a number. Of a blackbox service
    there is neither.
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
    """A token, and its request once that may be known."""
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
