"""What lists read of a stored request is all that public views are made of, and no more."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from direct311.intake.language import LANGUAGES, Language
from direct311.intake.open311.adapters.listing import PROJECTION, SHOWN
from direct311.intake.open311.wire import views
from direct311.intake.open311.wire.render import Tree
from direct311.intake.request import ServiceRequest
from direct311.schemas.events import RequestStatus
from tests.unit.intake.open311.planted import CATALOGUE, PLANTED, stored
from tests.unit.intake.open311.test_allow_list import answers

BEHIND = frozenset({"lifecycle", "version", "delivery", "listed"})
"""Fields that no view shows: what a state is, what may be asked for at all."""


def read(request: ServiceRequest, *, without: str = "") -> ServiceRequest:
    """The state that a list's row gives: fields that are not asked for are as if never set."""
    fields = {name: getattr(request, name) for name in SHOWN if name != without}
    return ServiceRequest.model_construct(record_id=request.record_id, **fields)


STATUSES: tuple[RequestStatus, ...] = (
    "received", "identity_required", "routed", "in_progress", "on_hold", "referred", "duplicate",
    "fixed", "closed", "closed_unfounded", "withdrawn",
)  # fmt: skip
NOTE = PLANTED.notes[0]
KINDS = ("status", "comment", "notice", "reporter")


@st.composite
def states(draw: st.DrawFn) -> ServiceRequest:
    """A request with something in every field that is not read, and now and then nothing in one
    that is."""
    kinds = draw(st.lists(st.sampled_from(KINDS), max_size=3))
    fields: dict[str, Any] = {
        "service_code": draw(st.sampled_from(CATALOGUE.services)).service_code,
        "status": draw(st.sampled_from(STATUSES)),
        "protected": draw(st.booleans()),
        "place_checked": draw(st.booleans()),
        "listed": draw(st.booleans()),
        "delivery": draw(st.sampled_from(("realtime", "batch", "blackbox"))),
        "notes": tuple(NOTE.model_copy(update={"kind": kind}) for kind in kinds),
    }
    for name in ("located", "department", "due_on", "duplicate_of", "updated_at"):
        if draw(st.booleans()):
            fields[name] = None
    for name in ("media", "attributes"):
        if draw(st.booleans()):
            fields[name] = ()
    return stored(**fields)


def view(request: ServiceRequest, language: Language, *, publish_text: bool) -> Tree:
    service = CATALOGUE.by_code(request.service_code)
    if service is not None:
        flags = service.flags.model_copy(update={"publish_text": publish_text})
        service = service.model_copy(update={"flags": flags})
    return views.request(request, service, request.department, extensions=True, language=language)


@given(states(), st.sampled_from(LANGUAGES), st.booleans())
def test_a_row_of_a_list_shows_what_the_whole_request_would(
    request: ServiceRequest, language: Language, publish_text: bool
) -> None:
    row = read(request)
    assert view(row, language, publish_text=publish_text) == view(
        request, language, publish_text=publish_text
    )
    assert (row.is_public, row.number_is_known) == (request.is_public, request.number_is_known)


def test_every_type_shows_the_same_of_a_row_as_of_the_whole_request() -> None:
    for service in CATALOGUE.services:
        request = stored(service_code=service.service_code)
        for each in LANGUAGES:
            whole = view(request, each, publish_text=True)
            assert view(read(request), each, publish_text=True) == whole, service.service_code


def test_every_public_answer_is_the_same_from_a_row_as_from_the_whole_request() -> None:
    for publish_text in (False, True):
        whole = list(answers(stored(), publish_text=publish_text))
        assert list(answers(read(stored()), publish_text=publish_text)) == whole


def test_nothing_is_read_that_no_view_needs_and_the_comparison_sees_each() -> None:
    assert set(PROJECTION) == set(SHOWN)
    request = stored(status="fixed")
    unseen = {
        name
        for name in SHOWN
        if all(
            view(read(each, without=name), "en", publish_text=True)
            == view(each, "en", publish_text=True)
            for each in (request, stored(protected=True))
        )
    }
    assert unseen == BEHIND
