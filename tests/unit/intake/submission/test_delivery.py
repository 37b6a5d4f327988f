"""Batch and blackbox services (GeoReport v2): when a request's number may be known, and to whom."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args

import pytest

from direct311.intake.catalogue.adapters import load_catalogue, load_policies
from direct311.intake.catalogue.domain import wording
from direct311.intake.catalogue.domain.types import Delivery
from direct311.intake.language import LANGUAGES, Language
from direct311.intake.lifecycle.handlers import Follow
from direct311.intake.open311.wire import render, views
from direct311.intake.request import Located, ServiceRequest
from direct311.intake.submission.domain.submission import Submission
from direct311.intake.submission.handlers.agreement import Agreement
from direct311.intake.submission.handlers.submit import Accepted
from direct311.runtime.access.links import SignedLink
from direct311.schemas.events import Place
from tests.support.runtime import NOW, SetClock

CATALOGUE = load_catalogue().content
AGREEMENT = Agreement(load_policies().content, SetClock())


DELIVERIES: tuple[Delivery, ...] = get_args(Delivery)


class NobodyProtected:
    version = 1

    def matches(self, hashes: object) -> bool:
        return False


def taken(delivery: Delivery) -> Accepted:
    return Accepted(
        record_id="r-1",
        status="received",
        repeat=False,
        masked=False,
        policy_version="2026-1",
        agreed="accepted",
        opens=True,
        delivery=delivery,
        token="t-1" if delivery == "batch" else None,
    )


def test_the_answer_has_a_number_or_a_token_never_both() -> None:
    (realtime,) = views.accepted(taken("realtime").public_id, None)
    assert realtime == {"service_request_id": "r-1", "service_notice": None, "account_id": None}
    (batch,) = views.accepted(taken("batch").public_id, None, None, "t-1")
    assert batch == {"token": "t-1", "service_notice": None, "account_id": None}
    (blackbox,) = views.accepted(taken("blackbox").public_id, None)
    assert blackbox == {"service_request_id": None, "service_notice": None, "account_id": None}


def test_xml_has_no_empty_number_beside_a_token() -> None:
    # FixMyStreet takes an empty element for a number and then never looks at the token.
    batch = views.accepted(None, None, None, "t-1")
    body = render.rows("service_requests", batch, "xml").decode()
    assert "<token>t-1</token>" in body
    assert "service_request_id" not in body


def test_a_token_leads_to_a_number_once_that_may_be_known() -> None:
    assert views.token("t-1", None) == [{"token": "t-1"}]
    assert views.token("t-1", "r-1") == [{"service_request_id": "r-1", "token": "t-1"}]


@pytest.mark.parametrize(
    ("delivery", "checked", "known"),
    [
        ("realtime", False, True),
        ("realtime", True, True),
        ("batch", False, False),
        ("batch", True, True),
        ("blackbox", False, False),
        ("blackbox", True, False),
    ],
)
def test_when_a_number_is_known(delivery: Delivery, checked: bool, known: bool) -> None:
    request = ServiceRequest(record_id="r-1", delivery=delivery, place_checked=checked)
    assert request.number_is_known is known
    assert request.is_public is (delivery != "blackbox")


@pytest.mark.parametrize(
    ("delivery", "listed"), [("realtime", True), ("batch", True), ("blackbox", False)]
)
def test_a_blackbox_request_is_never_listed(delivery: Delivery, listed: bool) -> None:
    request = ServiceRequest(
        record_id="r-1",
        version=1,
        delivery=delivery,
        located=Located(outcome="resolved", latitude=25.7, longitude=-80.3),
        place_checked=True,
    )
    follow = Follow(NobodyProtected(), lambda *_: (), SetClock())
    assert follow.protect(request).listed is listed


def test_a_request_without_a_point_is_in_no_list() -> None:
    request = ServiceRequest(
        record_id="r-1",
        version=1,
        place=Place(address="behind the big tree"),
        located=Located(outcome="unresolved"),
        place_checked=True,
    )
    follow = Follow(NobodyProtected(), lambda *_: (), SetClock())
    assert follow.protect(request).listed is False


def test_what_a_request_was_accepted_as_stays_whatever_its_type_becomes() -> None:
    request = ServiceRequest(record_id="r-1", service_code="ROAD-POTHOLE", delivery="blackbox")
    service = CATALOGUE.by_code("ROAD-POTHOLE")
    assert service is not None
    assert service.type == "realtime"
    assert not request.is_public


def test_the_resident_is_told_in_each_language_what_comes_instead_of_a_number() -> None:
    submission = Submission("miamidade", "SIGNAL-NEW", Place(address="1 Main St"))
    for language in LANGUAGES:
        told = {
            delivery: AGREEMENT.notice(taken(delivery), submission, language)
            for delivery in DELIVERIES
        }
        assert told == {
            "realtime": None,
            "batch": wording.BATCH[language],
            "blackbox": wording.BLACKBOX[language],
        }
    # Whoever repeats it and gets no token is not told to look with one.
    again = replace(taken("batch"), repeat=True, opens=False, token=None)
    assert AGREEMENT.notice(again, submission) is None


@pytest.mark.parametrize("delivery", ["batch", "blackbox"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_comes_of_the_request_is_told_after_danger_and_before_the_policy(
    delivery: Delivery, language: Language
) -> None:
    submission = Submission("miamidade", "SIGNAL-NEW", Place(address="1"), policy_version="2025-1")
    accepted = replace(
        taken(delivery), agreed="by_use", masked=True, guidance={"en": "Call 911.", "es": "Llame."}
    )
    told = AGREEMENT.notice(accepted, submission, language)
    assert told is not None
    comes = wording.BATCH if delivery == "batch" else wording.BLACKBOX
    policy = wording.POLICY_APPLIES[language].partition("{")[0]
    parts = ["Call 911.", "Llame.", comes[language], wording.NUMBERS_REMOVED[language], policy]
    places = [told.find(part) for part in parts]
    assert -1 not in places
    assert places == sorted(places)


def test_notices_are_in_the_language_that_was_asked_for() -> None:
    submission = Submission("miamidade", "CODE-JUNK", Place(address="1"), policy_version="2025-1")
    held = Accepted("r-1", "identity_required", False, True, "2026-1", "by_use")
    english, spanish, creole = (
        AGREEMENT.notice(held, submission, language) for language in LANGUAGES
    )
    assert english is not None
    assert spanish is not None
    assert creole is not None
    assert "public record" in english
    assert "registro público" in spanish
    assert "dosye piblik" in creole
    for told in (english, spanish, creole):
        assert "2026-1" in told
        assert "{" not in told
    # Who says nothing hears English.
    assert AGREEMENT.notice(held, submission) == english


def test_status_notes_and_names_are_in_the_language_that_was_asked_for() -> None:
    request = ServiceRequest(record_id="r-1", status="routed", received_at=NOW, updated_at=NOW)
    shown = {
        language: views.request(request, None, None, extensions=False, language=language)
        for language in LANGUAGES
    }
    assert shown["en"]["status_notes"] == "With the department."
    assert len({str(each["status_notes"]) for each in shown.values()}) == len(LANGUAGES)
    # What is not words is the same for everybody.
    assert {str(each["status"]) for each in shown.values()} == {"open"}


def test_a_link_comes_with_a_number_alone() -> None:
    link = SignedLink(token="signed", expires_at=NOW + timedelta(days=90))
    (found,) = views.accepted("r-1", None, link)
    assert found["service_request_id"] == "r-1"
    assert "extended_attributes" in found


def test_discovery_is_complete() -> None:
    found: Any = views.discovery("https://311.example.org/", None, "production")
    assert set(found) == {"changeset", "contact", "key_service", "endpoints"}
    (endpoint,) = found["endpoints"]
    assert endpoint == {
        "specification": "http://wiki.open311.org/GeoReport_v2",
        "url": "https://311.example.org/open311/v2",
        "changeset": found["changeset"],
        "type": "production",
        "formats": ["text/xml", "application/json"],
    }
    found = views.discovery("https://311.example.org", None, "test")
    assert [each["type"] for each in found["endpoints"]] == ["test"]
