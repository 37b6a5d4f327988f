"""The affected set of a breach, and the number that decides about notice."""

from datetime import date, timedelta
from typing import get_args
from uuid import uuid4

import pytest

from direct311.audit.entry import Filter
from direct311.audit.questions.adapters.rules_file import load_breach_rules
from direct311.audit.questions.domain.breach import breach_problems
from direct311.audit.questions.handlers import breach as handler
from direct311.audit.questions.handlers.breach import duties
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.problem_codes import status_of
from direct311.schemas import events as ev
from tests.unit.audit.audit_under_test import ASKING, AuditUnderTest
from tests.unit.audit.events import OTHER, RECORD, START, THIRD, Producer

pytestmark = pytest.mark.anyio
STOLEN = Filter(session="stolen")
ON = date(2026, 3, 10)


async def test_every_record_and_person_that_a_credential_touched(audit: AuditUnderTest) -> None:
    gone = str(uuid4())
    await audit.log(
        Producer().access(RECORD, session="stolen", fields=("phone",)),
        Producer().access(OTHER, THIRD, session="stolen", fields=("email",), action="disclose"),
        Producer().access(RECORD, session="stolen", fields=("email",), at=START - timedelta(1)),
        Producer().access(str(uuid4()), session="stolen", outcome="denied", count=79),
        Producer().access(gone, session="stolen", fields=("description",)),
        Producer().access(str(uuid4()), session="another"),
        Producer().access(session="stolen", action="search", fields=("person_index",)),
        Producer().access(RECORD, session="stolen", exempt_until=START + timedelta(days=30)),
    )
    audit.people.records = {"maria": [RECORD, OTHER]}
    audit.people.without_contact = {THIRD}
    scope = await audit.breach.scope(ASKING, STOLEN, "Bearer t", ON)
    assert (scope.persons, scope.without_contact, scope.gone) == (1, 1, 1)
    assert scope.persons_at_most == 3
    assert (scope.entries, scope.refused, scope.no_record, scope.withheld) == (6, 1, 1, 1)
    assert scope.refusals == 79
    touched = {each.record_id: each for each in scope.records}
    assert set(touched) == {RECORD, OTHER, THIRD, gone}
    mine = touched[RECORD]
    assert (mine.entries, mine.fields, mine.actors) == (2, {"phone", "email"}, {"maria"})
    assert (mine.first, mine.last) == (START - timedelta(1), START)
    assert (mine.held, mine.person) == ("person", touched[OTHER].person)
    assert (touched[THIRD].held, touched[gone].held) == ("without_contact", "gone")
    ((asked, reference, authorization),) = audit.people.grouped
    assert (set(asked), reference, authorization) == (set(touched), "Letter 12", "Bearer t")
    (event,) = audit.access_log.events()
    assert (event.action, event.what.query_fields) == ("export", ("session",))
    assert audit.keys.fetches == []


async def test_a_destruction_reaches_nobody(audit: AuditUnderTest) -> None:
    destroyed = [Producer().destroyed(str(uuid4())) for _ in range(600)]
    held = Producer("audit").access(RECORD, action="hold", fields=())
    await audit.log(*destroyed, held, Producer().access(OTHER))
    scope = await audit.breach.scope(ASKING, Filter(), "t", ON)
    assert [each.record_id for each in scope.records] == [OTHER]
    assert (scope.entries, scope.closed, scope.persons_at_most) == (602, 601, 1)
    assert {duty.notice.notice for duty in scope.duties if duty.owed != "no"} == {"individuals"}


async def test_an_act_about_records_reaches_nobody(audit: AuditUnderTest) -> None:
    acts = [Producer("retention").acted(RECORD, act=act) for act in get_args(ev.RecordAct)]
    await audit.log(*acts, Producer().access(OTHER))
    scope = await audit.breach.scope(ASKING, Filter(), "t", ON)
    assert [each.record_id for each in scope.records] == [OTHER]
    assert scope.closed == len(acts)


async def test_those_who_commented_count_where_their_contact_data_were_opened(
    audit: AuditUnderTest,
) -> None:
    audit.people.records = {"maria": [RECORD], "john": [OTHER]}
    audit.people.senders = {RECORD: 100, OTHER: 7}
    await audit.log(
        Producer().access(RECORD, session="stolen", fields=("update_contacts",)),
        Producer().access(OTHER, session="stolen", fields=("phone",)),
    )
    scope = await audit.breach.scope(ASKING, STOLEN, "t", ON)
    assert (scope.persons, scope.senders, scope.persons_at_most) == (2, 100, 102)


async def test_a_search_that_lost_a_record_since_was_not_cut(audit: AuditUnderTest) -> None:
    await audit.log(
        Producer().access(RECORD, OTHER, session="stolen", action="search", result_count=2)
    )
    await audit.stores.forget(OTHER)
    scope = await audit.breach.scope(ASKING, STOLEN, "t", ON)
    assert (scope.searches, [each.record_id for each in scope.records]) == ([], [RECORD])


async def test_a_search_that_found_more_than_its_event_names_is_told(audit: AuditUnderTest) -> None:
    (event_id,) = await audit.log(
        Producer().access(RECORD, session="stolen", action="search", result_count=260)
    )
    scope = await audit.breach.scope(ASKING, STOLEN, "t", ON)
    assert [(each.event_id, each.found, each.named) for each in scope.searches] == [
        (event_id, 260, 1)
    ]


async def test_a_host_is_every_process_on_it(audit: AuditUnderTest) -> None:
    for number, service in enumerate(("intake", "media")):
        name = f"{service}-web1-00000000000{number}"
        await audit.log(Producer(service).access(f"r{number}", instance=name))
    await audit.log(Producer().access("r9", instance="intake-web2-000000000000"))
    scope = await audit.breach.scope(ASKING, Filter(host="web1"), "t", ON)
    assert {each.record_id for each in scope.records} == {"r0", "r1"}


async def test_too_many_records_are_asked_for_in_parts(
    audit: AuditUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "MOST_RECORDS", 2)
    await audit.log(*(Producer().access(str(uuid4()), session="stolen") for _ in range(3)))
    with pytest.raises(RefusedError) as refused:
        await audit.breach.scope(ASKING, STOLEN, "t", ON)
    assert (status_of(refused.value), refused.value.field) == (422, "until")
    assert [event.what.result_count for event in audit.access_log.events()] == [3]
    assert audit.people.grouped == []


@pytest.mark.parametrize(
    ("persons", "at_most", "owed"),
    [
        (0, 0, ("no", "no", "no")),
        (0, 1, ("possibly", "no", "no")),
        (499, 499, ("yes", "no", "no")),
        (499, 500, ("yes", "possibly", "no")),
        (500, 1000, ("yes", "yes", "no")),
        (1000, 1001, ("yes", "yes", "possibly")),
        (1001, 1001, ("yes", "yes", "yes")),
    ],
)
def test_the_number_of_persons_decides_who_is_told(
    persons: int, at_most: int, owed: tuple[str, ...]
) -> None:
    found = duties(load_breach_rules().content, persons, at_most, ON)
    assert [each.notice.notice for each in found] == [
        "individuals",
        "legal_affairs",
        "credit_bureaus",
    ]
    assert tuple(each.owed for each in found) == owed
    if owed[1] != "no":
        assert found[1].due_on == date(2026, 4, 9)
    assert found[2].due_on is None


def test_what_was_not_verified_is_switched_off_and_cannot_be_on_by_mistake() -> None:
    rules = load_breach_rules().content
    individuals = rules.notices[0]
    assert individuals.extension is not None
    assert (individuals.extension.verify, individuals.extension.enabled) == (True, False)
    extension = individuals.extension.model_copy(update={"enabled": True})
    wrong = individuals.model_copy(update={"extension": extension, "at_least": 0})
    broken = rules.model_copy(update={"notices": (wrong, wrong)})
    assert {field for _, field, _ in breach_problems(broken)} == {
        "notice",
        "at_least",
        "extension",
    }


@pytest.fixture
def audit() -> AuditUnderTest:
    return AuditUnderTest()
