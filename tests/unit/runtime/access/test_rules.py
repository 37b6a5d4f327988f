"""Who may open which field, for what purpose, and on what condition."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.runtime.access.rules import (
    PERSON_INDEX,
    PURPOSES,
    Caller,
    Decision,
    RecordFacts,
    load_access_policy,
)
from direct311.runtime.datafile import DataFileError, packaged
from direct311.schemas.claims import holder_of
from tests.support.data_files import changed, entry

SOURCE = packaged("direct311.runtime", "access.yaml")
POLICY = load_access_policy()
NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
RECORD = RecordFacts("r-1", "animal_services")

CONTACT = ("first_name", "last_name", "email", "phone")
FIELDS = [each.field for each in POLICY.rules.fields]
ROLES = [each.role for each in POLICY.rules.roles]


def decide(
    caller: Caller,
    purpose: str,
    *fields: str,
    facts: RecordFacts = RECORD,
    reference: str | None = None,
    justification: str | None = None,
    at: datetime = NOW,
) -> Decision:
    return POLICY.decide(
        caller, purpose, fields, facts, reference=reference, justification=justification, at=at
    )


def person(role: str, department: str | None = None) -> Caller:
    return Caller("maria", (role,), department)


# ---------------------------------------------------------------- respond


@pytest.mark.policy("P4", "P11")
def test_the_department_that_has_the_job_reads_contacts_to_respond() -> None:
    decision = decide(person("department", "animal_services"), "respond", *CONTACT)
    assert decision.allowed
    assert decision.fields == CONTACT
    assert decision.rule_id == "department-respond"
    assert decision.legal_basis == "P4, P11"
    assert (decision.needed, decision.obligations) == ("", ())


@pytest.mark.parametrize(
    ("caller", "facts"),
    [
        (person("department", "parks"), RECORD),
        (person("department"), RECORD),
        (person("department"), RecordFacts("r-1", None)),
        (person("department", "animal_services"), RecordFacts("r-1", None)),
        (person("inspector", "regulatory"), RECORD),
    ],
)
@pytest.mark.policy("P4")
def test_nobody_else_does(caller: Caller, facts: RecordFacts) -> None:
    decision = decide(caller, "respond", "phone", facts=facts)
    assert not decision.allowed
    assert decision.rule_id == "refused:assigned"
    assert "assigned to your department" in decision.needed
    assert decision.fields == ()


def test_an_agent_responds_whatever_the_department_and_may_search() -> None:
    agent = person("agent")
    assert decide(agent, "respond", "phone", facts=RecordFacts("r-1")).allowed
    assert decide(agent, "respond", "person_index", facts=RecordFacts()).allowed
    department = person("department", "animal_services")
    assert not decide(department, "respond", "person_index", facts=RecordFacts()).allowed


def test_an_agents_role_does_not_free_a_departments_field(tmp_path: Path) -> None:
    """The exemption from assignment goes with the grant that has it, not with the person."""

    def change(tree: dict[str, Any]) -> None:
        grants = entry(tree, "roles", "role", "department")["grants"]
        grants[0]["fields"] = ["device_position"]

    policy = load_access_policy(changed(SOURCE, tmp_path, change), rules_only=True)
    both = Caller("maria", ("agent", "department"), "parks")
    decision = policy.decide(both, "respond", ["device_position"], RECORD, at=NOW)
    assert decision.rule_id == "refused:assigned"
    here = Caller("maria", ("agent", "department"), "animal_services")
    assert policy.decide(here, "respond", ["device_position", "phone"], RECORD, at=NOW).allowed


def test_intake_sends_notices_and_no_other_service_reads_contacts() -> None:
    def service(name: str) -> Caller:
        return Caller(f"svc:{name}", ("service",), authentication="service")

    assert decide(service("intake"), "respond", "email", facts=RecordFacts("r-1")).allowed
    assert decide(service("media"), "respond", "media_original").allowed
    for name in ("media", "geo", "routing", "retention", "audit"):
        assert not decide(service(name), "respond", "email").allowed


# ---------------------------------------------------------------- other purposes


@pytest.mark.policy("P4", "P15")
def test_county_business_needs_a_work_reference() -> None:
    agent = person("agent")
    refused = decide(agent, "county_business", "media_original", reference="  ")
    assert refused.rule_id == "refused:reference"
    assert "number of the work order" in refused.needed
    assert decide(agent, "county_business", "media_original", reference="WO-17").allowed


REACHING = [
    each.field
    for each in POLICY.rules.fields
    # What a case file says of whoever asked for records is for its own desk.
    if each.contact and holder_of(each.field) != "retention"
] + [PERSON_INDEX]


@pytest.mark.policy("P4", "P13")
def test_the_contact_data_of_whoever_asked_for_records_is_for_the_desk_of_the_case() -> None:
    """Counsel has no desk, and the custodian's is not the liaison's."""
    here, other = (RecordFacts("case-1", desks=(desk,)) for desk in ("custodian", "liaison"))

    def opens(role: str, facts: RecordFacts) -> bool:
        decision = decide(
            person(role), "county_business", "case_contact", reference="case-1", facts=facts
        )
        return decision.allowed

    assert opens("custodian", here)
    assert not opens("custodian", other)
    assert not opens("counsel", here)


@pytest.mark.parametrize("role", ["counsel", "custodian"])
@pytest.mark.parametrize("field", REACHING)
@pytest.mark.policy("P4", "P13")
def test_no_reference_of_counsel_or_custodian_reaches_a_person(role: str, field: str) -> None:
    """A reference is checked by nobody; the grant of a case is."""
    decision = decide(person(role), "county_business", field, reference="CASE-1")
    assert (decision.allowed, decision.rule_id) == (False, "refused:fields")
    assert field in decision.needed
    assert "needs the grant of a disclosure case" in decision.needed
    assert "public_records or law_enforcement" in decision.needed
    with_text = decide(person(role), "county_business", "description", field, reference="CASE-1")
    assert not with_text.allowed
    granted = decide(person(role), "public_records", field, reference="CASE-1")
    assert granted.rule_id == "refused:disclosure_case"


@pytest.mark.parametrize("role", ["custodian", "records_officer"])
@pytest.mark.parametrize("field", REACHING)
def test_retention_reaches_no_person_either(role: str, field: str) -> None:
    """It needs no reference at all, so it would be the shorter way around a grant."""
    assert decide(person(role), "retention", field).rule_id == "refused:fields"


@pytest.mark.parametrize("role", ["counsel", "custodian"])
def test_counsel_and_custodian_read_texts_and_files_for_county_business(role: str) -> None:
    content = ("description", "attributes", "comments", "media_url", "updates", "media_original")
    decision = decide(person(role), "county_business", *content, reference="WO-17")
    assert (decision.allowed, decision.sensitivity) == (True, "content")


def test_a_second_role_keeps_what_it_may() -> None:
    """An agent who is also a custodian reads contact data as an agent."""
    both = Caller("maria", ("custodian", "agent"))
    decision = decide(both, "county_business", "phone", reference="WO-17")
    assert (decision.allowed, decision.rule_id) == (True, "agent-business")
    other = decide(both, "county_business", "person_index", reference="WO-17")
    assert other.rule_id == "refused:fields"
    assert "disclosure case" not in other.needed


@pytest.mark.parametrize("role", ["department", "admin"])
def test_the_sentence_about_cases_is_for_those_whom_a_case_helps(role: str) -> None:
    decision = decide(person(role), "county_business", "phone", reference="WO-17")
    assert decision.rule_id == "refused:fields"
    assert "case" not in decision.needed


@pytest.mark.parametrize("purpose", ["public_safety", "emergency_assistance"])
@pytest.mark.policy("P4", "P11")
def test_breaking_the_glass_needs_words_and_opens_a_review(purpose: str) -> None:
    emergency = person("emergency")
    for words in (None, "urgent", " " * 40):
        refused = decide(emergency, purpose, "phone", justification=words)
        assert refused.rule_id == "refused:justification"
    decision = decide(
        emergency, purpose, "phone", justification="A child may be inside the flooded house."
    )
    assert decision.allowed
    assert decision.obligations == ("open_review",)


@pytest.mark.parametrize("purpose", ["public_records", "law_enforcement"])
def test_disclosure_is_refused_without_a_grant(purpose: str) -> None:
    for role in ROLES:
        decision = decide(
            person(role, "animal_services"),
            purpose,
            reference="CASE-1",
            justification="Please, it is really urgent.",
        )
        assert not decision.allowed
    counsel = decide(person("counsel"), purpose, "phone", reference="CASE-1")
    assert counsel.rule_id == "refused:disclosure_case"
    assert "there is none with this number" in counsel.needed


@pytest.mark.parametrize(
    ("role", "desks", "allowed"),
    [
        ("custodian", ("custodian",), True),
        ("liaison", ("liaison",), True),
        # The other desk's case, and one without a desk.
        ("custodian", ("liaison",), False),
        ("liaison", ("custodian",), False),
        ("liaison", (), False),
        # No role is spared the desk, and only a desk's role has the grant.
        ("agent", ("agent",), False),
        ("counsel", ("custodian",), False),
    ],
)
def test_a_case_file_is_opened_at_the_desk_that_keeps_it(
    role: str, desks: tuple[str, ...], allowed: bool
) -> None:
    facts = RecordFacts("case-1", desks=desks)
    fields: tuple[str, ...] = ("case_request", "case_contact", "case_letter")
    if role == "custodian":
        fields += ("case_message", "case_scope")
    decision = decide(person(role), "county_business", *fields, facts=facts, reference="case-1")
    assert decision.allowed is allowed
    if allowed:
        assert decision.rule_id == f"{role}-case-file"
    unsaid = decide(person(role), "county_business", *fields, facts=facts)
    assert not unsaid.allowed


def test_the_token_of_a_case_opens_its_own_messages_and_nothing_else() -> None:
    requester = Caller(
        "link:case-1", ("resident",), authentication="signed_link", link_record_id="case-1"
    )
    own, other = RecordFacts("case-1"), RecordFacts("case-2")
    decision = decide(requester, "subject_access", "case_message", facts=own)
    assert (decision.allowed, decision.rule_id) == (True, "requester-own-messages")
    assert not decide(requester, "subject_access", "case_message", facts=other).allowed
    for field in ("case_request", "case_contact", "case_letter", "case_scope"):
        assert not decide(requester, "subject_access", field, facts=own).allowed
    # Nobody of the county opens them as the requester does, and no other purpose does.
    assert not decide(person("custodian"), "subject_access", "case_message", facts=own).allowed
    assert not decide(requester, "county_business", "case_message", facts=own).allowed


def test_an_instrument_is_opened_by_the_liaison_only() -> None:
    for role, allowed in (("liaison", True), ("custodian", False)):
        facts = RecordFacts("case-1", desks=(role,))
        asked = decide(
            person(role), "county_business", "case_instrument", facts=facts, reference="case-1"
        )
        assert asked.allowed is allowed


def test_an_auditor_needs_the_letters_reference() -> None:
    assert decide(person("auditor"), "authorised_audit", "phone").rule_id == "refused:reference"
    assert decide(person("auditor"), "authorised_audit", "phone", reference="L-9").allowed
    assert not decide(person("auditor"), "respond", "phone").allowed


@pytest.mark.parametrize("role", ["custodian", "records_officer"])
def test_retention_gives_no_contact_field(role: str) -> None:
    contact = [each.field for each in POLICY.rules.fields if each.contact]
    for field in contact:
        decision = decide(person(role), "retention", "description", field)
        assert decision.rule_id == "refused:fields"
        assert decision.needed == f"Not for this purpose and role: {field}."
    assert decide(person(role), "retention", "description", "media_original").allowed
    assert decide(person(role), "retention").allowed


def test_a_resident_sees_their_own_request_by_its_signed_link_alone() -> None:
    def link(record_id: str | None, **more: Any) -> Caller:
        return Caller("link", ("resident",), link_record_id=record_id, **more)

    signed = {"authentication": "signed_link"}
    assert decide(link("r-1", **signed), "subject_access", "phone", "audit_entry").allowed
    for caller in (
        link("r-2", **signed),
        link(None, **signed),
        link("r-1"),
        person("agent"),
    ):
        assert not decide(caller, "subject_access", "phone").allowed
    nowhere = decide(link(None, **signed), "subject_access", "phone", facts=RecordFacts())
    assert nowhere.rule_id == "refused:signed_link"


def test_an_administrator_opens_nothing() -> None:
    admin, fields = person("admin"), [each.field for each in POLICY.rules.fields]

    def allowed(purpose: str, *asked: str) -> bool:
        why = "Because I can"
        return decide(admin, purpose, *asked, reference="X-1", justification=why).allowed

    assert not [(each, field) for each in PURPOSES for field in fields if allowed(each, field)]
    # Work on keys alone, which names no field.
    assert [purpose for purpose in PURPOSES if allowed(purpose)] == ["county_business"]


# ---------------------------------------------------------------- every question


@pytest.mark.policy("P12")
def test_marketing_is_no_purpose_and_the_answer_does_not_repeat_it() -> None:
    decision = decide(person("agent"), "marketing", "email")
    assert decision.rule_id == "refused:purpose-unknown"
    assert "marketing" not in decision.needed


def test_an_unknown_field_is_refused_without_repeating_it() -> None:
    decision = decide(person("agent"), "respond", "phone", "305-555-0100")
    assert decision.rule_id == "refused:field-unknown"
    assert "305" not in decision.needed


def test_one_field_too_many_refuses_all_and_names_it() -> None:
    decision = decide(person("agent"), "respond", "phone", "device_position")
    assert not decision.allowed
    assert decision.fields == ()
    assert decision.needed.endswith(": device_position.")


def test_the_hash_is_that_of_the_file() -> None:
    assert decide(person("agent"), "respond").policy_hash == sha256(SOURCE.read_bytes()).hexdigest()
    assert POLICY.hash == decide(person("admin"), "nonsense").policy_hash


def test_the_person_behind_a_service_is_the_one_who_asks() -> None:
    agent = person("agent").behind("svc:audit")
    assert agent.via == "svc:audit"
    assert decide(agent, "respond", "phone").allowed


def test_rules_purposes_and_grants_are_in_force_on_their_days_only(tmp_path: Path) -> None:
    def change(tree: dict[str, Any]) -> None:
        tree["effective_until"] = date(2026, 12, 31)
        entry(tree, "purposes", "purpose", "county_business")["effective_from"] = date(2026, 6, 1)
        entry(tree, "roles", "role", "agent")["grants"][0]["effective_until"] = date(2026, 3, 31)

    policy = load_access_policy(changed(SOURCE, tmp_path, change), rules_only=True)

    def rule(purpose: str, day: date) -> str:
        at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        return policy.decide(
            person("agent"), purpose, ["phone"], RECORD, reference="WO-1", at=at
        ).rule_id

    assert rule("respond", date(2026, 3, 31)) == "agent-respond"
    assert rule("respond", date(2026, 4, 1)) == "refused:fields"
    assert rule("county_business", date(2026, 5, 31)) == "refused:purpose-unknown"
    assert rule("county_business", date(2026, 6, 1)) == "agent-business"
    assert rule("county_business", date(2027, 1, 1)) == "refused:rules-not-in-force"
    assert rule("county_business", date(2024, 12, 31)) == "refused:rules-not-in-force"


callers = st.builds(
    Caller,
    sub=st.sampled_from(["maria", "svc:intake", "svc:media"]),
    roles=st.lists(st.sampled_from([*ROLES, "nobody"]), unique=True, max_size=3).map(tuple),
    department=st.sampled_from([None, "animal_services", "parks"]),
    authentication=st.sampled_from(["oidc", "signed_link"]),
    link_record_id=st.sampled_from([None, "r-1"]),
)
words = st.sampled_from([None, "", "WO-17", "A long and honest reason."])


@given(
    callers,
    st.sampled_from([*PURPOSES, "marketing", ""]),
    st.lists(st.sampled_from(FIELDS), max_size=4),
    st.sampled_from([RECORD, RecordFacts("r-2", None), RecordFacts()]),
    words,
    words,
)
def test_an_answer_gives_what_was_asked_or_nothing(
    caller: Caller,
    purpose: str,
    fields: list[str],
    facts: RecordFacts,
    reference: str | None,
    justification: str | None,
) -> None:
    decision = decide(
        caller, purpose, *fields, facts=facts, reference=reference, justification=justification
    )
    if decision.allowed:
        assert purpose in PURPOSES
        assert set(decision.fields) == set(fields)
        assert decision.legal_basis
        floor = PURPOSES[purpose]
        assert floor.precondition != "disclosure_case"
        assert not floor.reference or (reference or "").strip()
        assert not floor.justification or (justification or "").strip()
        assert not floor.review or "open_review" in decision.obligations
    else:
        assert decision.fields == ()
        assert decision.needed
        assert decision.rule_id.startswith("refused:")


# ---------------------------------------------------------------- bad files


@pytest.mark.policy("P4")
def test_the_closed_list_is_that_of_the_policy() -> None:
    assert [each.purpose for each in POLICY.rules.purposes] == list(PURPOSES)


def new_purpose(**fields: object) -> Callable[[dict[str, Any]], None]:
    given_fields = {
        "purpose": "respond_again",
        "sentence": "To respond.",
        "citation": "P4",
        "precondition": "none",
    }
    return lambda tree: tree["purposes"].append({**given_fields, **fields})


@pytest.mark.parametrize(
    "purpose",
    [
        *("marketing", "Marketing", "direct_marketing", "mark_eting", "commercial_use", "sale"),
        *("data_sales", "resale", "sell_contacts", "sold", "exchange", "list-exchange"),
        *("advertising", "advertisement", "monetization", "promotion", "mercadeo", "comercial"),
        *("publicidad", "venta", "m\u00e1\u200brketing", "\uff2darketing"),
    ],
)
@pytest.mark.policy("P12")
def test_no_trade_in_personal_information_can_be_loaded(tmp_path: Path, purpose: str) -> None:
    with pytest.raises(DataFileError, match="never used for marketing") as refused:
        load_access_policy(changed(SOURCE, tmp_path, new_purpose(purpose=purpose)))
    assert (purpose, "purpose") in [each[:2] for each in refused.value.problems]


@pytest.mark.policy("P12")
def test_nor_under_an_honest_name(tmp_path: Path) -> None:
    def change(tree: dict[str, Any]) -> None:
        entry(tree, "purposes", "purpose", "respond")["sentence"] = "To sell contacts to partners."

    with pytest.raises(DataFileError, match="never used for marketing") as refused:
        load_access_policy(changed(SOURCE, tmp_path, change), rules_only=True)
    assert [each[:2] for each in refused.value.problems] == [("respond", "sentence")]


@pytest.mark.policy("P12")
def test_nor_by_a_role(tmp_path: Path) -> None:
    def change(tree: dict[str, Any]) -> None:
        entry(tree, "roles", "role", "agent")["grants"].append(
            {"rule": "agent-more", "purpose": "marketing", "fields": ["email"]}
        )

    with pytest.raises(DataFileError, match="never used for marketing") as refused:
        load_access_policy(changed(SOURCE, tmp_path, change), rules_only=True)
    assert [each[:2] for each in refused.value.problems] == [
        ("agent: grants[agent-more]", "purpose")
    ]


def _purpose(name: str, **fields: object) -> Callable[[dict[str, Any]], None]:
    return lambda tree: entry(tree, "purposes", "purpose", name).update(fields)


def _grant(role: str, **fields: object) -> Callable[[dict[str, Any]], None]:
    return lambda tree: entry(tree, "roles", "role", role)["grants"][0].update(fields)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (new_purpose(), ("respond_again", "purpose")),
        (_purpose("respond", precondition="none"), ("respond", "precondition")),
        (_purpose("respond", unless_roles=["agent", "admin"]), ("respond", "unless_roles")),
        (_purpose("law_enforcement", precondition="none"), ("law_enforcement", "precondition")),
        (
            _purpose("law_enforcement", unless_roles=["liaison"]),
            ("law_enforcement", "unless_roles"),
        ),
        (_purpose("county_business", reference=None), ("county_business", "reference")),
        (_purpose("public_safety", justification=" "), ("public_safety", "justification")),
        (_purpose("public_safety", obligations=[]), ("public_safety", "obligations")),
        (_purpose("retention", citation=""), ("retention", "citation")),
        (_purpose("retention", colour="red"), ("retention", "colour")),
        (
            _grant("records_officer", fields=["phone"]),
            ("records_officer: grants[officer-retention]", "fields"),
        ),
        (
            _grant("counsel", fields=["description", "reporter_address"]),
            ("counsel: grants[counsel-business]", "fields"),
        ),
        (
            _grant("custodian", fields=["person_index"]),
            ("custodian: grants[custodian-business]", "fields"),
        ),
        (
            _grant("records_officer", fields=["person_index"]),
            ("records_officer: grants[officer-retention]", "fields"),
        ),
        (_grant("auditor", fields=["diary"]), ("auditor: grants[auditor-audit]", "fields")),
        (_grant("auditor", purpose="curiosity"), ("auditor: grants[auditor-audit]", "purpose")),
        (_grant("auditor", rule="agent-respond"), ("agent-respond", "grants")),
        (lambda tree: tree["fields"].append(tree["fields"][0]), ("first_name", "fields")),
    ],
)
def test_a_file_below_the_floor_is_refused_by_entry_and_field(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], problem: tuple[str, str]
) -> None:
    with pytest.raises(DataFileError) as refused:
        load_access_policy(changed(SOURCE, tmp_path, change), rules_only=True)
    assert problem in [each[:2] for each in refused.value.problems]


def test_a_file_may_demand_more(tmp_path: Path) -> None:
    def change(tree: dict[str, Any]) -> None:
        entry(tree, "purposes", "purpose", "respond").update(
            unless_roles=[], reference="the number of the call"
        )

    policy = load_access_policy(changed(SOURCE, tmp_path, change), rules_only=True)
    agent = Caller("maria", ("agent",), "animal_services")
    assert not policy.decide(agent, "respond", ["phone"], RECORD, at=NOW).allowed
    assert policy.decide(agent, "respond", ["phone"], RECORD, reference="C-1", at=NOW).allowed


# ---------------------------------------------------------------- the form of references


@pytest.mark.parametrize(
    ("form", "taken"),
    [(None, ("L-1", "Letter 12")), (r"AUD-\d{4}", ("AUD-2026",)), (".*", ("L-1", "Letter 12"))],
)
def test_a_file_names_the_form_of_references_and_cannot_ask_for_less(
    tmp_path: Path, form: str | None, taken: tuple[str, ...]
) -> None:
    change = _purpose("authorised_audit", reference_form=form)
    policy = load_access_policy(changed(SOURCE, tmp_path, change), rules_only=True)

    def allowed(reference: str) -> bool:
        return policy.decide(
            person("auditor"),
            "authorised_audit",
            ["audit_entry"],
            RECORD,
            reference=reference,
            at=NOW,
        ).allowed

    given = ("L-1", "Letter 12", "AUD-2026", "AUD-20265", "-", "\u3164\u31640", "none")
    assert tuple(each for each in given if allowed(each)) == (
        taken if form == r"AUD-\d{4}" else (*taken, "AUD-2026", "AUD-20265")
    )


def test_a_form_that_is_none_is_named(tmp_path: Path) -> None:
    def change(tree: dict[str, Any]) -> None:
        tree["reference_form"] = "("
        entry(tree, "purposes", "purpose", "respond")["reference_form"] = "[A-Z]+"

    with pytest.raises(DataFileError) as refused:
        load_access_policy(changed(SOURCE, tmp_path, change), rules_only=True)
    assert refused.value.problems == (
        ("", "reference_form", "is not a regular expression"),
        ("respond", "reference_form", "describes a reference that is not required"),
    )
