"""Questions that are asked only after a certain answer."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from direct311.intake.catalogue.adapters import load_catalogue
from direct311.intake.catalogue.domain.types import Attribute, ServiceType
from direct311.intake.open311.wire import views
from tests.support.drafts import ReadForm, read_form

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
CATALOGUE = load_catalogue().content
CONDITIONAL = [
    each for each in CATALOGUE.services if any(question.asked_if for question in each.attributes)
]
SECRET = "Zoraida-Quintanilla"


def read(service_code: str, *answers: tuple[str, str]) -> ReadForm:
    fields = [("service_code", service_code), ("lat", "25.77"), ("long", "-80.2")]
    fields += [(f"attribute[{code}]", value) for code, value in answers]
    return read_form(fields, CATALOGUE, AT)


def said(found: ReadForm) -> list[tuple[int, str, str]]:
    return [(each.code, each.field, each.description) for each in found.problems]


def test_where_the_condition_does_not_hold_the_answer_is_refused() -> None:
    found = read("LIGHT-STREET", ("PROBLEM", "out"), ("BARE_WIRES", "yes"))
    assert said(found) == [
        (
            400,
            "attribute[BARE_WIRES]",
            "attribute[BARE_WIRES] is asked only if attribute[PROBLEM] is damaged",
        )
    ]


def test_where_what_it_depends_on_was_not_answered_the_answer_is_refused() -> None:
    found = read("WASTE-BULKY", ("ITEMS", "yard"), ("APPLIANCES", SECRET))
    assert [each[:2] for each in said(found)] == [(400, "attribute[APPLIANCES]")]
    assert SECRET not in repr(found.problems)
    assert said(read("LIGHT-STREET", ("BARE_WIRES", "yes")))[0][1] == "attribute[BARE_WIRES]"


def test_where_the_condition_holds_a_required_answer_is_asked_for() -> None:
    found = read("LIGHT-STREET", ("PROBLEM", "damaged"))
    assert said(found) == [
        (
            400,
            "attribute[BARE_WIRES]",
            "attribute[BARE_WIRES] is required if attribute[PROBLEM] is damaged",
        )
    ]


def test_an_empty_answer_counts_as_none() -> None:
    assert read("LIGHT-STREET", ("PROBLEM", "out"), ("BARE_WIRES", "")).problems == ()
    assert read("LIGHT-STREET", ("PROBLEM", ""), ("BARE_WIRES", " ")).problems == ()


def test_where_the_condition_holds_both_answers_are_taken() -> None:
    found = read("LIGHT-STREET", ("BARE_WIRES", "no"), ("PROBLEM", "damaged"))
    assert found.submission is not None, found.problems
    assert found.submission.attributes == {"PROBLEM": ("damaged",), "BARE_WIRES": ("no",)}


def test_one_of_several_answers_is_enough() -> None:
    found = read(
        "WASTE-BULKY",
        ("ITEMS", "furniture"),
        ("ITEMS", "appliances"),
        ("ITEMS", "other"),
        ("ITEMS_OTHER", "a piano"),
    )
    assert found.submission is not None, found.problems
    assert "APPLIANCES" not in found.submission.attributes


def test_where_the_condition_cannot_be_told_only_its_own_answer_is_wrong() -> None:
    found = read("LIGHT-STREET", ("PROBLEM", SECRET), ("BARE_WIRES", "yes"))
    assert [each[1] for each in said(found)] == ["attribute[PROBLEM]"]
    assert SECRET not in repr(found.problems)


def test_a_condition_on_a_condition_holds_only_where_both_do() -> None:
    service = CATALOGUE.by_code("LIGHT-STREET")
    assert service is not None
    deeper = Attribute.model_validate(
        {
            "code": "TOUCHED",
            "order": 4,
            "datatype": "string",
            "description": "By whom?",
            "required": True,
            "asked_if": {"code": "BARE_WIRES", "values": ["yes"]},
        }
    )
    changed = service.model_copy(update={"attributes": (*service.attributes, deeper)})
    changed.__dict__.pop("questions", None)
    catalogue = CATALOGUE.model_copy(update={"services": (changed,)})
    catalogue.__dict__.pop("_by_code", None)

    def fields(**answers: str) -> list[str]:
        form = [("service_code", "LIGHT-STREET"), ("lat", "25.77"), ("long", "-80.2")]
        form += [(f"attribute[{code}]", value) for code, value in answers.items()]
        return [each.field for each in read_form(form, catalogue, AT).problems]

    assert fields(PROBLEM="out") == []
    assert fields(PROBLEM="damaged", BARE_WIRES="no") == []
    assert fields(PROBLEM="damaged", BARE_WIRES="yes") == ["attribute[TOUCHED]"]
    assert fields(PROBLEM="damaged", BARE_WIRES="yes", TOUCHED="me") == []
    assert fields(PROBLEM="out", TOUCHED="me") == ["attribute[TOUCHED]"]


def test_a_client_that_knows_nothing_of_conditions_understands_the_definition() -> None:
    for service in CONDITIONAL:
        shown = views.definition(service)["attributes"]
        assert isinstance(shown, list)
        for question, each in zip(service.attributes, shown, strict=True):
            if question.asked_if is None:
                assert "asked_if" not in each
                assert each["required"] == question.required
                continue
            assert each["required"] is False
            other = service.questions[question.asked_if.code]
            assert other.description in each["datatype_description"]
            assert each["asked_if"] == {
                "code": question.asked_if.code,
                "keys": list(question.asked_if.values),
                "required": question.required,
            }


def _value(question: Attribute) -> st.SearchStrategy[list[str]]:
    """Nothing, or answers of the question's datatype."""
    keys = [each.key for each in question.values]
    if question.datatype == "singlevaluelist":
        return st.lists(st.sampled_from(keys), max_size=1)
    if question.datatype == "multivaluelist":
        return st.lists(st.sampled_from(keys), unique=True)
    plain = {"number": "3", "datetime": "2026-01-31T12:00:00Z"}.get(question.datatype, "words")
    return st.sampled_from([[], [plain]])


def _answers(service: ServiceType) -> st.SearchStrategy[tuple[ServiceType, dict[str, list[str]]]]:
    each = {code: _value(question) for code, question in service.questions.items()}
    return st.tuples(st.just(service), st.fixed_dictionaries(each))


@given(st.sampled_from(CONDITIONAL).flatmap(_answers))
def test_a_form_is_taken_exactly_where_every_condition_is_kept(
    given_: tuple[ServiceType, dict[str, list[str]]],
) -> None:
    service, answers = given_
    pairs = [(code, value) for code, values in answers.items() for value in values]
    found = read(service.service_code, *pairs)
    wrong = set()
    for code, question in service.questions.items():
        if question.asked_if and f"attribute[{question.asked_if.code}]" in wrong:
            # Whether it is asked cannot be told.
            continue
        holds = question.asked_if is None or not set(question.asked_if.values).isdisjoint(
            answers[question.asked_if.code]
        )
        answered = bool(answers[code])
        if (answered and not holds) or (holds and question.required and not answered):
            wrong.add(f"attribute[{code}]")
    assert {each.field for each in found.problems} == wrong
    assert (found.submission is None) == bool(wrong)


@given(st.sampled_from(CONDITIONAL), st.text(min_size=1, max_size=20))
def test_no_answer_is_echoed(service: ServiceType, text: str) -> None:
    answers = [(code, f"{SECRET}{text}") for code in service.questions]
    assert SECRET not in repr(read(service.service_code, *answers).problems)
