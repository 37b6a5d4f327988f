"""A submission in JSON: its members, and the draft made from them. No rule is applied here."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from direct311.intake.api_types import MOST_UPLOADS
from direct311.intake.clients.domain.app_facts import WANTED, AppFacts
from direct311.intake.fields import CONTACT_LIMITS
from direct311.intake.request import ContactWay
from direct311.intake.submission.api.naming import Naming
from direct311.intake.submission.api.texts import of_contact, of_lines, of_one_line, with_line_ends
from direct311.intake.submission.domain import wrong as names
from direct311.intake.submission.domain.draft import Draft
from direct311.intake.submission.domain.wrong import Wrong
from direct311.runtime.errors import FieldProblem, MalformedError
from direct311.schemas import Model, RecordId

Degrees = Annotated[float, Field(strict=True)]


class ContactConsent(Model, extra="forbid"):
    """How the reporter may be contacted about this request. An empty list means no contact."""

    by: Annotated[tuple[ContactWay, ...], Field(max_length=3)]


class AppOrder(Model, extra="forbid"):
    """What the front end runs on, for statistics. It is stored apart from the request, as daily
    counts, and each value is counted separately. It has no device id or user agent; unknown values
    are refused."""

    device: Annotated[str, Field(max_length=40, examples=["phone"])] | None = None
    operating_system: Annotated[str, Field(max_length=40, examples=["android 14"])] | None = None
    browser: Annotated[str, Field(max_length=40, examples=["firefox 131"])] | None = None
    app_version: Annotated[str, Field(max_length=40, examples=["2.10.1"])] | None = None

    def facts(self) -> AppFacts:
        """The same, ready to be counted."""
        return AppFacts.model_validate(self.model_dump())


class SubmissionOrder(Model, extra="forbid"):
    """A service request. The rules are those of `POST /open311/v2/requests`.

    A place is `lat` and `long` (degrees, WGS 84), `address` or `address_id`. `attributes`: answers
    by attribute code, each one value or a list of values. `phone`: a telephone number of 7 to 15
    digits, with or without an extension. `file_ids`: files that were uploaded before. With an
    `email`, the `email_notice_version` that was shown is required.
    """

    jurisdiction_id: str | None = None
    service_code: str
    lat: Degrees | None = None
    long: Degrees | None = None
    address: str | None = None
    address_id: str | None = None
    description: str | None = None
    attributes: dict[str, Any] = Field(default_factory=dict)
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    file_ids: Annotated[tuple[RecordId, ...], Field(max_length=MOST_UPLOADS)] = ()
    policy_version: str | None = None
    email_notice_version: str | None = None
    contact_consent: ContactConsent | None = None
    app: AppOrder | None = None


NAMING = Naming(
    names={
        "latitude": "lat",
        "longitude": "long",
        "answers": "attributes",
        "contact_by": "contact_consent.by",
        "files": "file_ids",
    },
    item="{name}.{item}",
    words={
        "unknown_answer": "the names in {field} must be codes from the type's definition",
        "file_required": "this type needs a file",
        "files_not_taken": "this type takes no files",
        "too_many": "{field} may name at most {most} files",
        "unknown_service": "{field} must be one of those in GET /open311/v2/services.json",
    },
)
"""What `/v1` calls the fields of a submission."""


def malformed(wrong: Sequence[Wrong], naming: Naming = NAMING) -> MalformedError:
    """The same problems in the words of `/v1`. Problems with the request itself come first."""
    ordered = sorted(wrong, key=lambda each: each.field.name == "app")
    return MalformedError(
        FieldProblem(field=naming.of(each.field), detail=naming.said(each), code=each.code)
        for each in ordered
    )


def draft_of(order: SubmissionOrder) -> Draft:
    """The draft for an order. Members that are null or empty count as not sent."""
    contact = {name: _text(getattr(order, name, None), of_contact) for name in CONTACT_LIMITS}
    answers, wrong = _answers(order.attributes)
    consent = order.contact_consent
    return Draft(
        jurisdiction_id=_text(order.jurisdiction_id),
        service_code=_text(order.service_code),
        latitude=order.lat,
        longitude=order.long,
        address=_text(order.address, of_one_line),
        address_id=_text(order.address_id),
        description=with_line_ends(_text(order.description, of_lines) or ""),
        contact={name: text for name, text in contact.items() if text is not None},
        answers=answers,
        file_ids=tuple(dict.fromkeys(order.file_ids)),
        policy_version=_text(order.policy_version),
        email_notice_version=_text(order.email_notice_version),
        contact_by=tuple(dict.fromkeys(consent.by)) if consent else None,
        wrong=(*wrong, *_facts_wrong(order.app)),
    )


def _text(text: str | None, clean: Callable[[str], str] | None = None) -> str | None:
    if text is None:
        return None
    shown = clean(text) if clean else text
    return shown.strip() or None


def _answers(attributes: Mapping[str, object]) -> tuple[dict[str, tuple[str, ...]], list[Wrong]]:
    """Answers as texts. A number keeps the form that it has in JSON."""
    answers: dict[str, tuple[str, ...]] = {}
    wrong: list[Wrong] = []
    for code, value in attributes.items():
        values = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(each, bool | list | dict) for each in values):
            # The detail does not say which one, because its name may be anything.
            wrong.append(Wrong("answer_kind", names.Field("answers")))
            continue
        texts = (_text(str(each), of_lines) for each in values if each is not None)
        if found := tuple(text for text in texts if text is not None):
            answers[code] = found
    return answers, wrong


def _facts_wrong(app: AppOrder | None) -> list[Wrong]:
    if app is None:
        return []
    return [
        Wrong("app_fact", names.Field("app", name), values=(WANTED[name],))
        for name, _ in app.facts().problems()
    ]
