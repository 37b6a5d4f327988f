"""What is sealed of a submission and what its place shows: numbers are masked before either."""

import json

import pytest

from direct311.intake.submission.domain.submission import Submission
from direct311.intake.submission.handlers.submit import taken_in
from direct311.schemas.events import Place

CARD = "4111 1111 1111 1111"
SECURITY = "219-09-9999"


def submission(**fields: object) -> Submission:
    given: dict[str, object] = {
        "jurisdiction_id": "miamidade",
        "service_code": "CODE-JUNK",
        "place": Place(address="123 NW 5 St"),
        **fields,
    }
    return Submission(**given)  # type: ignore[arg-type]


@pytest.mark.policy("P5")
@pytest.mark.parametrize(
    "fields",
    [
        {"description": f"I paid with {CARD}"},
        {"attributes": {"WHERE": (f"card {CARD}", "yard")}},
        {"place": Place(address=f"123 NW 5 St, card {CARD}")},
        {"contact": {"first_name": f"Ana {SECURITY}"}},
        {"contact": {"last_name": f"ssn {SECURITY}"}},
        {"sealed_answers": {"reporter_address": f"9 Elm Ct, ssn {SECURITY}"}},
    ],
    ids=["description", "answer", "address", "first name", "last name", "reporter's address"],
)
def test_a_card_or_security_number_is_masked_wherever_it_was_typed_and_noted(
    fields: dict[str, object],
) -> None:
    plain, place, masked = taken_in(submission(**fields))
    assert masked
    kept = json.dumps([plain, place.model_dump()])
    assert CARD not in kept
    assert SECURITY not in kept


def test_a_submission_without_such_numbers_is_sealed_as_it_came() -> None:
    sent = submission(description="My name is Ana. 305-555-0142", contact={"phone": "305-555-0142"})
    plain, place, masked = taken_in(sent)
    assert not masked
    assert plain == {"description": sent.description, "phone": "305-555-0142"}
    assert place == sent.place


def test_a_telephone_in_the_address_field_does_not_travel_with_the_place() -> None:
    sent = Place(address="123 NW 5 St, call 305-555-0142, m.lopez@example.com")
    _, place, masked = taken_in(submission(place=sent))
    assert place.address == "123 NW 5 St, call [telephone], [e-mail]"
    assert not masked


@pytest.mark.parametrize(
    "name", ["Jose Marti Park", "1500 Martin Luther King Blvd", "Henry Flagler School"]
)
def test_a_place_that_is_named_after_a_person_keeps_its_name(name: str) -> None:
    _, place, _ = taken_in(submission(place=Place(address=name)))
    assert place.address == name
