"""Each act that decides about a record is an entry for the log, in the same write as the act."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

import pytest

from direct311.audit.log.domain import PERMANENT, facts_of, key_names
from direct311.retention.acts import cause_of
from direct311.retention.holds.domain import Hold, HoldQuery
from direct311.retention.review.api import DispositionView
from direct311.retention.review.domain import Disposition
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.state import Outgoing
from direct311.schemas import Event, decode, encode
from direct311.schemas import events as ev
from direct311.schemas.claims import overreach
from direct311.schemas.codec import LONGEST_LOGGED
from tests.unit.retention.fakes import (
    CARLA,
    COUNSEL,
    RAUL,
    START,
    KilledError,
    RetentionUnderTest,
    created,
)

pytestmark = [pytest.mark.anyio, pytest.mark.policy("P14")]

PHONE = "305-555-0142"
COUNSEL_IN = Caller("cole", ("counsel",), token_id="t-9", issuer="https://id.example")


def hold(hold_id: str = "h1", **given: object) -> Hold:
    kept: dict[str, object] = {
        "hold_id": hold_id,
        "name": "Doe against the county",
        "kind": "litigation",
        "authority": "26-1 CA 01",
        "placed_by": "cole",
        "placed_at": START,
    }
    return Hold.model_validate(kept | given)


def said(acts: Sequence[Outgoing]) -> list[ev.ActRecorded]:
    return [each.data for each in acts if isinstance(each.data, ev.ActRecorded)]


def of_holds(retention: RetentionUnderTest) -> list[ev.ActRecorded]:
    return said(retention.holds.acts)


def of_sets(retention: RetentionUnderTest) -> list[ev.ActRecorded]:
    return said(retention.dispositions.acts)


def brief(acts: Sequence[ev.ActRecorded]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(each.act, each.agent.id, each.record_ids) for each in acts]


# ---------------------------------------------------------------- holds


async def test_a_hold_and_its_release_are_an_entry_each() -> None:
    retention = RetentionUnderTest()
    await retention.apply(created("r1"))
    await retention.holding.place(hold(record_ids=("r1", "r2")), COUNSEL_IN)
    await retention.holding.release("h1", RAUL, "The case was dismissed.")
    await retention.holding.step()
    placed, released = of_holds(retention)
    assert brief([placed, released]) == [
        ("hold", "cole", ("r1", "r2")),
        ("release", "raul", ("r1", "r2")),
    ]
    assert (placed.about, placed.part, placed.parts, placed.records) == ("h1", 1, 1, 2)
    assert (placed.why.purpose, placed.why.reference) == ("retention", "26-1 CA 01")
    assert (placed.agent.roles, placed.agent.session) == (("counsel",), "t-9")
    assert (placed.hold_kind, placed.occurred_at) == ("litigation", START)
    assert released.why.justification == "The case was dismissed."
    assert placed.act_id != released.act_id


async def test_the_same_hold_twice_and_a_second_release_write_no_second_entry() -> None:
    retention = RetentionUnderTest()
    for _ in range(2):
        await retention.holding.place(hold(record_ids=("r1",)), COUNSEL)
    for _ in range(2):
        await retention.holding.release("h1", RAUL, "The case was dismissed.")
    assert [each.act for each in of_holds(retention)] == ["hold", "release"]


async def test_a_refused_release_writes_no_entry_here() -> None:
    """The edge writes refusals."""
    retention = RetentionUnderTest()
    await retention.holding.place(hold(record_ids=("r1",)), COUNSEL)
    with pytest.raises(RefusedError):
        await retention.holding.release("h1", COUNSEL, "The case was dismissed.")
    assert [each.act for each in of_holds(retention)] == ["hold"]


async def test_a_hold_by_a_query_says_by_which_fields_and_vouches_for_them() -> None:
    retention = RetentionUnderTest()
    miami = HoldQuery(municipality="Miami", service_codes=("POTHOLE",))
    await retention.holding.place(hold("h1", query=miami), COUNSEL)
    await retention.holding.place(hold("h2", query=HoldQuery(municipality="Doral")), COUNSEL)
    first, second = of_holds(retention)
    assert first.criteria == ("municipality", "service_codes")
    assert (first.record_ids, first.records) == ((), 0)
    assert first.scope_hash is not None
    assert len(first.scope_hash) == 64
    assert first.scope_hash != second.scope_hash
    assert "Miami" not in first.model_dump_json()


async def test_an_act_on_many_records_names_all_of_them_a_hundred_at_a_time() -> None:
    retention = RetentionUnderTest()
    ids = tuple(f"r{number}" for number in range(250))
    await retention.holding.place(hold(record_ids=(*ids, "r0")), COUNSEL)
    acts = of_holds(retention)
    assert [(each.part, each.parts, each.records) for each in acts] == [
        (1, 3, 250),
        (2, 3, 250),
        (3, 3, 250),
    ]
    assert [len(each.record_ids) for each in acts] == [100, 100, 50]
    assert tuple(one for each in acts for one in each.record_ids) == ids
    assert len({each.act_id for each in acts}) == 1
    assert cause_of(retention.holds.acts) == acts[0].act_id


@pytest.mark.parametrize("kind", ["investigation", "public_records_request", "court_order"])
async def test_holds_for_all_kinds_of_cases_read_the_same(kind: str) -> None:
    """Whether police or a newspaper asked cannot be told from the log."""
    retention = RetentionUnderTest()
    case = hold(record_ids=("r1",), case_id="case-7", kind=kind, authority=f"{kind} 5")
    await retention.holding.place(case, COUNSEL)
    await retention.holding.release("h1", RAUL, f"The {kind} has ended now.")
    for act in of_holds(retention):
        assert act.why.case_id == "case-7"
        assert (act.hold_kind, act.why.reference, act.why.justification) == (None, None, None)
        assert kind not in act.model_dump_json()


async def test_words_of_people_come_masked() -> None:
    retention = RetentionUnderTest()
    await retention.holding.place(
        hold(record_ids=("r1",), authority=f"file 26-114, call {PHONE}"), COUNSEL
    )
    reason = f"The case was dismissed, ask maria@example.com or {PHONE}."
    await retention.holding.release("h1", RAUL, reason)
    text = "".join(each.model_dump_json() for each in of_holds(retention))
    assert PHONE not in text
    assert "maria@example.com" not in text
    assert "Doe" not in text  # the hold's own name
    assert "The case was dismissed" in text
    assert "26-114" in text


# ---------------------------------------------------------------- sets


async def proposed(retention: RetentionUnderTest, *record_ids: str) -> Disposition:
    await retention.eligible(*record_ids)
    return await retention.review.propose(CARLA, record_ids, 500, None)


async def test_proposal_approval_and_order_are_an_entry_each() -> None:
    retention = RetentionUnderTest()
    made = await proposed(retention, "r1", "r2")
    await retention.review.approve(made.disposition_id, RAUL, made.set_hash or "")
    acts = of_sets(retention)
    assert brief(acts) == [
        ("propose", "carla", ("r1", "r2")),
        ("approve", "raul", ("r1", "r2")),
        ("order", "svc:retention", ("r1", "r2")),
    ]
    for act in acts:
        assert (act.about, act.set_hash) == (made.disposition_id, made.set_hash)
        assert act.why.legal_basis is not None
        assert "1B-24.003" in act.why.legal_basis
    assert len({each.act_id for each in acts}) == 3


async def test_the_order_names_what_was_ordered_and_counts_what_was_not() -> None:
    retention = RetentionUnderTest()
    made = await proposed(retention, "r1", "r2")
    await retention.holding.place(hold(record_ids=("r2",)), COUNSEL)
    await retention.review.approve(made.disposition_id, RAUL, made.set_hash or "")
    *_, order = of_sets(retention)
    assert (order.act, order.record_ids, order.records, order.left_out) == ("order", ("r1",), 1, 1)


async def test_an_order_for_nothing_says_so() -> None:
    retention = RetentionUnderTest()
    made = await proposed(retention, "r1")
    await retention.holding.place(hold(record_ids=("r1",)), COUNSEL)
    await retention.review.approve(made.disposition_id, RAUL, made.set_hash or "")
    *_, order = of_sets(retention)
    assert (order.act, order.record_ids, order.left_out) == ("order", (), 1)


async def test_a_rejection_is_an_entry_with_its_reason() -> None:
    retention = RetentionUnderTest()
    made = await proposed(retention, "r1")
    await retention.review.reject(made.disposition_id, RAUL, f"Wrong series, call {PHONE}.")
    _, act = of_sets(retention)
    assert brief([act]) == [("reject", "raul", ("r1",))]
    assert act.why.justification is not None
    assert act.why.justification.startswith("Wrong series")
    assert PHONE not in act.why.justification


async def test_a_proposal_of_nothing_decides_about_nothing() -> None:
    retention = RetentionUnderTest()
    with pytest.raises(RefusedError):
        await retention.review.propose(CARLA, ("r9",), 500, None)
    assert of_sets(retention) == []


async def test_who_may_not_approve_writes_no_entry_here() -> None:
    retention = RetentionUnderTest()
    made = await proposed(retention, "r1")
    with pytest.raises(RefusedError):
        await retention.review.approve(made.disposition_id, CARLA, made.set_hash or "")
    with pytest.raises(RefusedError):
        await retention.review.approve(made.disposition_id, RAUL, "0" * 64)
    assert [each.act for each in of_sets(retention)] == ["propose"]


async def test_nothing_is_ordered_before_the_broker_has_the_approval(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("direct311.runtime.access.ledger.Ledger.TIMEOUT_SECONDS", 0.1)
    retention = RetentionUnderTest()
    made = await proposed(retention, "r1")
    retention.dispositions.broker_answers = False
    done = await retention.review.approve(made.disposition_id, RAUL, made.set_hash or "")
    assert done.status == "ordering"
    await retention.review.step()
    assert retention.record("r1").stage == "in_review"
    assert [each.act for each in of_sets(retention)] == ["propose", "approve"]
    retention.dispositions.broker_answers = True
    await retention.review.step()
    assert retention.record("r1").stage == "ordered"
    assert [each.act for each in of_sets(retention)] == ["propose", "approve", "order"]


@pytest.mark.parametrize("write", range(1, 9))
async def test_a_kill_at_any_write_leaves_each_act_with_exactly_one_entry(write: int) -> None:
    """The loop of a new process finishes what the killed one began, with the same person's name."""
    retention = RetentionUnderTest()
    await retention.eligible("r1", "r2")
    retention.records.die_at = retention.records.writes + write
    try:
        made = await retention.review.propose(CARLA, ("r1", "r2"), 500, None)
        await retention.review.approve(made.disposition_id, RAUL, made.set_hash or "")
    except KilledError:
        retention.records.die_at = None
        retention.start()
        await retention.review.step()
    retention.records.die_at = None
    (found,) = retention.dispositions.sets.values()
    acts = of_sets(retention)
    expected = {"proposed": ["propose"], "ordered": ["propose", "approve", "order"]}
    assert [each.act for each in acts] == expected[found.status]
    assert acts[0].agent.id == "carla"
    assert all(each.record_ids == ("r1", "r2") for each in acts)


async def test_a_set_from_before_there_were_entries_is_its_custodians() -> None:
    retention = RetentionUnderTest()
    await retention.eligible("r1")
    old = Disposition(
        disposition_id=str(uuid4()),
        as_of=START.date() + timedelta(days=1),
        custodian="carla",
        proposed_at=START,
        candidates=("r1",),
    )
    await retention.dispositions.add(old)
    await retention.review.step()
    assert brief(of_sets(retention)) == [("propose", "carla", ("r1",))]


# ---------------------------------------------------------------- outcomes


async def test_an_outcome_is_an_entry_in_the_records_own_write() -> None:
    retention = RetentionUnderTest()
    await retention.apply(created("r1"))
    inspector = Caller("ines", ("counsel",), token_id="t-2")
    for _ in range(2):
        await retention.outcomes.add(inspector, "r1", "hearing", str(uuid4()))
    (act,) = [each.data for each in retention.said("r1") if isinstance(each.data, ev.ActRecorded)]
    assert (act.act, act.about, act.record_ids, act.outcome) == (
        "outcome",
        "r1",
        ("r1",),
        "hearing",
    )
    assert (act.agent.id, act.agent.session, act.closed_on) == ("ines", "t-2", None)
    day = START.date() - timedelta(days=1)
    await retention.outcomes.add(inspector, "r1", "hearing", str(uuid4()), day)
    last = retention.said("r1")[-1]
    assert isinstance(last.data, ev.ActRecorded)
    assert last.data.closed_on == day
    assert last.signature is not None


# ---------------------------------------------------------------- in the log


async def test_the_log_takes_an_act_as_permanent_and_expects_nothing_to_be_opened_for_it() -> None:
    retention = RetentionUnderTest()
    ids = tuple(f"0195a1b2-7c3d-7e4f-8a5b-{number:012}" for number in range(100))
    reason = "The case was dismissed. " * 20
    await retention.holding.place(hold(record_ids=ids, authority="x" * 20 + " 26-1"), COUNSEL_IN)
    await retention.holding.release("h1", RAUL, reason)
    for act in of_holds(retention):
        message = encode(Event(str(uuid4()), "/direct311/retention", "h1", START, act))
        assert len(message.body) < LONGEST_LOGGED / 2
        assert overreach("retention", act) is None
        facts = facts_of(decode(message.headers, message.body))
        assert (facts.event, facts.action, facts.outcome) == ("act.recorded", act.act, "success")
        assert (facts.record_ids, facts.purpose) == (ids, "retention")
        assert (facts.opens, facts.producer, facts.sequence) == (False, None, None)
        assert key_names(facts) == (PERMANENT,)


async def test_the_custodians_session_is_for_the_log_and_not_for_readers_of_the_set() -> None:
    retention = RetentionUnderTest()
    await retention.eligible("r1")
    carla = Caller("carla", ("custodian",), token_id="t-77", issuer="https://id.example")
    made = await retention.review.propose(carla, ("r1",), 500, None)
    assert made.proposed_as is not None
    (act,) = of_sets(retention)
    assert act.agent == made.proposed_as
    assert act.agent.session == "t-77"
    view = DispositionView.model_validate(made.model_dump())
    assert "t-77" not in view.model_dump_json()
    assert (
        "proposed_as" not in DispositionView.model_json_schema(mode="serialization")["properties"]
    )
