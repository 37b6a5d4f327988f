"""What a disclosure case opens: what its grant names, for the people it names, and nothing else."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from direct311.runtime.access.grants import CaseGrant
from direct311.runtime.access.rules import Caller, Decision, RecordFacts, load_access_policy
from tests.support.runtime import NOW

POLICY = load_access_policy()
LIA = Caller("lia", ("custodian",))
GRANT = CaseGrant(
    case_id="case-1",
    grant_id="grant-1",
    kind="public_records",
    record_ids=frozenset({"record-1", "record-2"}),
    file_ids=frozenset({"file-1"}),
    fields=frozenset({"description", "phone", "person_index", "media_original"}),
    searches={"person": 2},
    workers=frozenset({"lia", "ned"}),
    prepared_by="lia",
    approvers=("counsel-carla",),
    valid_until=NOW + timedelta(days=1),
)
FACTS = RecordFacts("record-1", "parks", grants=(GRANT,))
SEARCH = RecordFacts(grants=(GRANT,), search="person")


def decide(
    *fields: str,
    facts: RecordFacts = FACTS,
    caller: Caller = LIA,
    purpose: str = "public_records",
    reference: str | None = "case-1",
    later: timedelta = timedelta(),
) -> Decision:
    return POLICY.decide(
        caller, purpose, fields or ("phone",), facts, reference=reference, at=NOW + later
    )


def under(**changes: Any) -> RecordFacts:
    """The facts, with a grant that differs in this."""
    return replace(FACTS, grants=(replace(GRANT, **changes),))


@pytest.mark.policy("P13")
def test_a_named_worker_opens_what_the_grant_names() -> None:
    decision = decide("description", "phone")
    assert decision.allowed
    assert decision.rule_id == "custodian-public-records"
    assert decision.fields == ("description", "phone")


@pytest.mark.policy("P18")
def test_the_liaison_opens_what_a_law_enforcement_case_names() -> None:
    facts = under(kind="law_enforcement")
    liaison = Caller("lia", ("liaison",))
    assert decide(caller=liaison, purpose="law_enforcement", facts=facts).allowed
    assert decide(facts=facts).rule_id == "refused:grant_kind"


@pytest.mark.policy("P18")
@pytest.mark.parametrize("role", ["counsel", "records_officer"])
def test_who_releases_a_law_enforcement_case_opens_what_a_grant_for_them_names(role: str) -> None:
    facts = under(kind="law_enforcement")
    named = Caller("ned", (role,))
    assert decide(caller=named, purpose="law_enforcement", facts=facts).allowed
    other = Caller("olga", (role,))
    refused = decide(caller=other, purpose="law_enforcement", facts=facts)
    assert refused.rule_id == "refused:disclosure_case"


@pytest.mark.parametrize("reference", ["case-1", "CASE-1", " case-1 "])
def test_the_case_is_named_by_its_number(reference: str) -> None:
    assert decide(reference=reference).allowed


# ---------------------------------------------------------------- refusals, one for each rule


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        (replace(FACTS, grants=()), "disclosure_case"),
        (under(case_id="case-2"), "disclosure_case"),
        (under(workers=frozenset({"ned"})), "disclosure_case"),
        (under(workers=frozenset({"Lia"})), "disclosure_case"),
        (under(kind="law_enforcement"), "grant_kind"),
        (under(record_ids=frozenset({"record-2"})), "grant_records"),
        (under(record_ids=frozenset()), "grant_records"),
        (under(fields=frozenset({"description"})), "grant_fields"),
        (under(valid_until=NOW), "grant_expired"),
        (under(revoked=True), "grant_revoked"),
        (under(approvers=()), "same_person"),
        (under(approvers=("lia",)), "same_person"),
        (under(approvers=("L\u0130A", "carla")), "same_person"),
        (under(approvers=("carla", "Carla")), "same_person"),
    ],
)
@pytest.mark.policy("P13", "P18")
def test_without_all_of_a_grant_nothing_opens(facts: RecordFacts, rule: str) -> None:
    decision = decide(facts=facts)
    assert decision.rule_id == f"refused:{rule}"
    assert decision.fields == ()
    assert decision.needed
    assert "lia" not in decision.needed
    assert "record-1" not in decision.needed


def test_a_grant_expires_at_its_instant() -> None:
    assert decide(later=timedelta(hours=23, minutes=59, seconds=59)).allowed
    assert decide(later=timedelta(days=1)).rule_id == "refused:grant_expired"


def test_a_field_outside_the_grant_refuses_all_of_the_question() -> None:
    decision = decide("phone", "email")
    assert decision.rule_id == "refused:grant_fields"
    assert "email" in decision.needed


def test_a_role_without_the_purpose_opens_nothing_even_if_the_grant_names_the_person() -> None:
    assert decide(caller=Caller("lia", ("agent",))).rule_id == "refused:role"
    assert decide(caller=Caller("lia", ("liaison",))).rule_id == "refused:role"


def test_two_grants_of_a_case_are_not_added_up() -> None:
    first = replace(GRANT, fields=frozenset({"phone"}))
    second = replace(GRANT, grant_id="grant-2", fields=frozenset({"email"}))
    both = replace(FACTS, grants=(first, second))
    assert decide("phone", facts=both).allowed
    assert decide("email", facts=both).allowed
    assert decide("phone", "email", facts=both).rule_id == "refused:grant_fields"


def test_a_later_grant_opens_although_an_earlier_one_was_revoked() -> None:
    facts = replace(FACTS, grants=(replace(GRANT, revoked=True), GRANT))
    assert decide(facts=facts).allowed


@pytest.mark.parametrize("change", [{"revoked": True}, {"kind": "law_enforcement"}, {}])
def test_somebody_whom_the_grant_does_not_name_does_not_learn_that_the_case_exists(
    change: dict[str, Any],
) -> None:
    stranger = Caller("vera", ("custodian",))
    assert decide(caller=stranger, facts=under(**change)) == decide(
        caller=stranger, facts=replace(FACTS, grants=())
    )


# ---------------------------------------------------------------- files and searches


def test_a_file_opens_if_the_grant_names_it() -> None:
    assert decide("media_original", facts=replace(FACTS, file_id="file-1")).allowed
    for file_id in ("file-2", None):
        refused = decide("media_original", facts=replace(FACTS, file_id=file_id))
        assert refused.rule_id == "refused:grant_files"


def test_as_many_searches_as_the_grant_allows() -> None:
    assert decide("person_index", facts=SEARCH).allowed
    assert decide("person_index", facts=replace(SEARCH, searched=1)).allowed
    for facts in (replace(SEARCH, searched=2), replace(SEARCH, search="words")):
        assert decide("person_index", facts=facts).rule_id == "refused:grant_searches"


def test_a_search_is_one_and_not_a_record() -> None:
    assert decide("person_index").rule_id == "refused:grant_searches"
    none = RecordFacts(grants=(GRANT,))
    assert decide("person_index", facts=none).rule_id == "refused:grant_records"


@pytest.mark.parametrize("purpose", ["public_safety", "authorised_audit", "county_business"])
def test_a_grant_changes_nothing_for_other_purposes(purpose: str) -> None:
    agent = Caller("lia", ("agent", "auditor"))
    bare = replace(FACTS, grants=())
    assert decide(caller=agent, purpose=purpose) == decide(
        caller=agent, purpose=purpose, facts=bare
    )
