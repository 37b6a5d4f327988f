"""Use is agreement, and whoever agrees so is told; express consent is the one exception."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from direct311.intake.catalogue.adapters import load_policies
from direct311.intake.catalogue.domain.policy import PrivacyPolicies
from direct311.intake.language import LANGUAGES, Language, preferred
from direct311.intake.submission.domain.submission import Submission
from direct311.intake.submission.handlers.agreement import Agreement, ConsentNeededError
from direct311.intake.submission.handlers.submit import Accepted
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.problem_codes import georeport_status_of, status_of
from direct311.schemas.events import Place
from tests.support.runtime import SetClock

OLD, NOW_IN_FORCE = "2025-1", "2026-1"
NOTICE = "668.6076-1"
READ_AT = "https://311.example/v1/policy"
SECRET = "zoraida@example.com"


def agreement(
    change: Callable[[Any], Any] = lambda version: version, at: datetime | None = None
) -> Agreement:
    """The packaged versions, each passed through `change`."""
    packaged = load_policies().content
    versions = tuple(change(each) for each in packaged.policies)
    policies = packaged.model_copy(update={"policies": versions})
    return Agreement(policies, SetClock(at) if at else SetClock(), READ_AT)


def submission(
    policy_version: str | None = None, notice_version: str | None = None, *, email: bool = False
) -> Submission:
    return Submission(
        jurisdiction_id="miamidade",
        service_code="ANI-STRAY-DOG",
        place=Place(latitude=25.7, longitude=-80.3),
        contact={"email": SECRET} if email else {},
        policy_version=policy_version,
        email_notice_version=notice_version,
    )


def accepted(**fields: Any) -> Accepted:
    standard = Accepted(
        "a", "received", repeat=False, masked=False, policy_version=NOW_IN_FORCE, agreed="by_use"
    )
    return replace(standard, **fields)


@pytest.mark.policy("P2")
@pytest.mark.parametrize("named", [OLD, None, NOW_IN_FORCE])
def test_an_older_version_or_none_is_taken_under_the_one_in_force(named: str | None) -> None:
    assert agreement().of(submission(named)).version == NOW_IN_FORCE


@pytest.mark.policy("P2")
@pytest.mark.parametrize("named", [OLD, None])
@pytest.mark.parametrize("language", LANGUAGES)
def test_who_agrees_by_use_is_told_what_changed_and_where_to_read_it(
    named: str | None, language: Language
) -> None:
    policy = agreement().of(submission(named))
    told = agreement().notice(accepted(), submission(named), language)
    assert told is not None
    for part in (NOW_IN_FORCE, "2026-01-01", READ_AT, policy.changes[language]):
        assert part in told


def test_who_names_the_version_in_force_is_told_nothing() -> None:
    named = submission(NOW_IN_FORCE)
    assert agreement().notice(accepted(agreed="accepted"), named) is None


def test_whoever_missed_several_versions_is_told_of_each() -> None:
    packaged = load_policies().content
    newer = packaged.policies[-1].model_copy(
        update={
            "version": "2026-2",
            "effective_from": date(2026, 2, 1),
            "changes": dict.fromkeys(LANGUAGES, "Something else is new."),
        }
    )
    policies = packaged.model_copy(update={"policies": (*packaged.policies, newer)})
    told = Agreement(policies, SetClock()).notice(
        accepted(policy_version="2026-2"), submission(OLD)
    )
    assert told is not None
    first = told.index(packaged.policies[-1].changes["en"])
    assert first < told.index("Something else is new.")
    alone = Agreement(policies, SetClock()).notice(accepted(policy_version="2026-2"), submission())
    assert alone is not None
    assert packaged.policies[-1].changes["en"] not in alone


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("policy_version", submission("1999-9")),
        ("email_notice_version", submission(notice_version="1999-9")),
    ],
)
def test_a_version_that_never_was_is_refused_by_field_alone(field: str, sent: Submission) -> None:
    with pytest.raises(RefusedError) as refused:
        agreement().of(sent)
    assert (status_of(refused.value), refused.value.field) == (422, field)
    assert georeport_status_of(refused.value) == 400
    assert "1999-9" not in refused.value.detail


@pytest.mark.policy("P2")
@pytest.mark.parametrize("named", [OLD, None])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_version_that_needs_express_consent_answers_409_with_its_text(
    named: str | None, language: Language
) -> None:
    strict = agreement(lambda each: each.model_copy(update={"express_consent": True}))
    with pytest.raises(ConsentNeededError) as refused:
        strict.of(submission(named), language=language)
    error = refused.value
    assert (status_of(error), error.field, error.policy.version) == (
        409,
        "policy_version",
        NOW_IN_FORCE,
    )
    assert error.policy.texts[language].body.strip() in error.detail
    assert NOW_IN_FORCE in error.detail
    assert strict.of(submission(NOW_IN_FORCE)).version == NOW_IN_FORCE


def test_an_open311_client_needs_no_notice_and_its_reporter_is_told() -> None:
    agreement().of(submission(email=True))
    told = agreement().notice(accepted(agreed="accepted"), submission(NOW_IN_FORCE, email=True))
    assert told is not None
    assert NOTICE in told
    assert SECRET not in told
    named = submission(NOW_IN_FORCE, NOTICE, email=True)
    assert agreement().notice(accepted(agreed="accepted"), named) is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_masked_numbers_and_a_hold_are_told_in_every_language(language: Language) -> None:
    named = submission(NOW_IN_FORCE)
    masked = agreement().notice(accepted(agreed="accepted", masked=True), named, language)
    held = agreement().notice(
        accepted(agreed="accepted", status="identity_required"), named, language
    )
    assert masked
    assert held
    assert "162.06" in held


def test_a_version_begins_with_its_day_in_the_county() -> None:
    before = agreement(at=datetime(2026, 1, 1, 4, 59, tzinfo=UTC)).in_force()
    after = agreement(at=datetime(2026, 1, 1, 5, 0, tzinfo=UTC)).in_force()
    assert before is not None
    assert after is not None
    assert (before.version, after.version) == (OLD, NOW_IN_FORCE)


def test_nothing_is_collected_while_no_policy_is_in_force() -> None:
    with pytest.raises(RefusedError) as refused:
        agreement(at=datetime(2024, 1, 1, tzinfo=UTC)).of(submission())
    assert status_of(refused.value) == 503


@pytest.mark.parametrize(
    ("said", "language"),
    [
        ("", "en"),
        ("es", "es"),
        ("es-US,es;q=0.9,en;q=0.8", "es"),
        ("fr-CA, ht;q=0.7, es;q=0.3", "ht"),
        ("en;q=0.1, ht-HT;q=0.2", "ht"),
        ("es;q=0, de", "en"),
        ("*", "en"),
        ("es;q=x,,;;", "en"),
        ("ES", "es"),
    ],
)
def test_a_front_ends_languages_are_understood(said: str, language: Language) -> None:
    assert preferred(said) == language


def test_the_history_is_newest_first() -> None:
    policies: PrivacyPolicies = load_policies().content
    assert [each.version for each in policies.history()] == [NOW_IN_FORCE, OLD]
