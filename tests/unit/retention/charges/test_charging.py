"""What a case costs: computed to the cent from the county's fees, accepted, invoiced, paid."""

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from direct311.retention.case_file.charges import (
    PageCount,
    Quantities,
    WorkMinutes,
    fees_of,
    unpaid,
)
from direct311.retention.cases.domain import CaseFile
from direct311.retention.charges.adapters import load_fees
from direct311.retention.charges.domain import Fees, SpecialServiceCharge, StaffPay, fee_problems
from direct311.retention.charges.handlers import Charging
from direct311.runtime.access.fresh_sign_in import canonical
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import MalformedError, RefusedError
from direct311.schemas import events as ev
from tests.unit.retention.cases.fakes import CaseDeskUnderTest, InMemoryCases

pytestmark = pytest.mark.anyio

CARLA = Caller("carla", ("custodian",))
OTTO = Caller("otto", ("custodian",))
LARS = Caller("lars", ("liaison",))
GATEWAY = Caller("svc:intake", ("service",))
FEES = load_fees()
RECEIPT = "MDC-2026-004417"


def asked(medium: str = "paper", work: dict[str, int] | None = None, **pages: int) -> Quantities:
    return Quantities(
        medium=medium,
        work=tuple(WorkMinutes(work=name, minutes=number) for name, number in (work or {}).items()),
        pages=tuple(PageCount(kind=name, number=number) for name, number in pages.items()),
    )


# ---------------------------------------------------------------- the fees


@pytest.mark.parametrize(
    ("quantities", "cents"),
    [
        (asked(one_sided=1), 15),
        (asked(two_sided=1), 20),
        (asked(certified=1), 100),
        (asked(one_sided=101, two_sided=7, certified=2), 101 * 15 + 7 * 20 + 200),
        (asked("electronic", one_sided=1_000, two_sided=500), 0),
        (asked("electronic", one_sided=10, certified=1), 100),
        (asked(), 0),
    ],
)
def test_copies_cost_what_the_law_says_and_electronic_ones_nothing(
    quantities: Quantities, cents: int
) -> None:
    assert FEES.charge(quantities).total_cents == cents


@pytest.mark.parametrize(
    ("work", "units", "cents"),
    [
        ({"search": 30}, 0, 0),
        ({"search": 31}, 1, 39),  # 23.50 an hour: 39.17 cents, and no fraction is charged
        ({"search": 90}, 60, 2350),
        # All work together counts, and the dearest minutes are at no charge.
        ({"search": 20, "review": 10}, 0, 0),
        ({"search": 20, "review": 20}, 10, 391),
        ({"search": 60, "review": 60}, 90, (60 * 2350 + 30 * 3425) // 60),
        ({"extraction": 45}, 15, 1197),
    ],
)
def test_work_costs_the_pay_of_the_lowest_paid_person_beyond_the_threshold(
    work: dict[str, int], units: int, cents: int
) -> None:
    charge = FEES.charge(asked("electronic", work))
    (line,) = charge.lines
    assert (line.units, line.cents, line.confirmed) == (units, cents, False)
    assert line.citation == "119.07(4)(d)"
    assert charge.total_cents == cents


def special(threshold: int, *pay: int) -> SpecialServiceCharge:
    staff = tuple(
        StaffPay(code=f"s{at}", cents_per_hour=each, able=(f"w{at}",))
        for at, each in enumerate(pay)
    )
    return SpecialServiceCharge(code="x", citation="x", threshold_minutes=threshold, staff=staff)


@given(
    some.integers(0, 100),
    some.lists(
        some.tuples(some.integers(0, 200), some.integers(0, 10_000)), min_size=1, max_size=4
    ),
)
def test_nobody_pays_more_than_the_work_costs_whichever_minutes_are_free(
    threshold: int, work: list[tuple[int, int]]
) -> None:
    charge = special(threshold, *(pay for _, pay in work))
    minutes = tuple(
        WorkMinutes(work=f"w{at}", minutes=number) for at, (number, _) in enumerate(work)
    )
    line = charge.line(Quantities(medium="paper", work=minutes))
    # Minute by minute, the dearest first.
    each = sorted((pay for number, pay in work for _ in range(number)), reverse=True)
    assert line.units == max(0, len(each) - threshold)
    assert line.cents == sum(each[threshold:]) // 60


def test_what_the_fees_do_not_know_is_named_with_what_they_know() -> None:
    wrong = asked("parchment", {"dance": 5}, vellum=3)
    assert dict(FEES.unknown(wrong)) == {
        "medium": "One of: paper, electronic.",
        "work.0.work": "One of: copying, extraction, review, search.",
        "pages.0.kind": "One of: one_sided, two_sided, certified.",
    }
    twice = Quantities(medium="paper", pages=(PageCount(kind="certified", number=1),) * 2)
    assert dict(FEES.unknown(twice)) == {"pages": "Name each kind once."}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"copies": ()}, "copies"),
        ({"copies": (*FEES.copies, FEES.copies[0])}, "copies"),
        ({"media": (FEES.media[0].model_copy(update={"free": ("vellum",)}),)}, "free"),
        ({"receipt": "["}, "receipt"),
        (
            {"special": FEES.special.model_copy(update={"threshold_minutes": -1})},
            "special.threshold_minutes",
        ),
        ({"special": FEES.special.model_copy(update={"staff": ()})}, "special.staff"),
    ],
)
def test_a_wrong_file_of_fees_is_refused(change: dict[str, Any], field: str) -> None:
    fees: Fees = FEES.model_copy(update=change)
    assert field == next(iter(fee_problems(fees)))[1]
    assert list(fee_problems(FEES)) == []
    assert date(2025, 1, 1) == FEES.effective_from


# ---------------------------------------------------------------- a case


class Desk(CaseDeskUnderTest):
    """The case desk with fees."""

    def __init__(self) -> None:
        super().__init__()
        self.charging = Charging(self.work, FEES, InMemoryCases(self.files))
        self.case_id = ""
        self.token = ""

    async def submitted(self) -> str:
        """A case of the gateway's, at the desk."""
        sent = await self.submissions.submit(GATEWAY, "k" * 32, "words", None)
        self.case_id, self.token = sent.case_id, sent.token
        return sent.case_id

    @property
    def file(self) -> CaseFile:
        return self.files.state(self.case_id)

    async def estimated(
        self, quantities: Quantities, deposit: int | None = None, by: Caller = CARLA
    ) -> CaseFile:
        return await self.charging.estimate(
            by, self.case_id, self.file.version, quantities, deposit
        )

    def steps(self) -> list[ev.DisclosureRecorded]:
        said = [each.data for each in self.files.said(self.case_id)]
        return [each for each in said if isinstance(each, ev.DisclosureRecorded)]


@pytest.fixture
async def desk() -> Desk:
    desk = Desk()
    await desk.submitted()
    return desk


async def refused(code: str, ask: Any) -> RefusedError:
    with pytest.raises(RefusedError) as error:
        await ask
    assert error.value.code == code
    return error.value


CHARGED = asked("paper", {"search": 90}, one_sided=100)
TOTAL = 2350 + 1500


async def test_what_costs_nothing_is_collected_at_once(desk: Desk) -> None:
    found = await desk.estimated(asked("electronic", {"search": 30}, one_sided=5_000))
    assert (found.state, found.charges.due_cents, unpaid(found)) == ("collecting", 0, False)


async def test_what_is_charged_waits_for_the_payment(desk: Desk) -> None:
    found = await desk.estimated(CHARGED)
    assert (found.state, found.charges.owed_cents) == ("awaiting_payment", TOTAL)
    assert unpaid(found)
    step = desk.steps()[-1]
    assert (step.step, step.state, step.actor) == ("estimated", "awaiting_payment", "carla")
    assert step.counts["due_cents"] == TOTAL
    found = await desk.charging.pay(CARLA, desk.case_id, RECEIPT, TOTAL)
    assert (found.state, unpaid(found)) == ("collecting", False)
    step = desk.steps()[-1]
    assert (step.step, step.state, step.counts["paid_cents"]) == ("paid", "collecting", TOTAL)
    assert RECEIPT not in repr(step)


async def test_a_deposit_begins_the_work_and_the_rest_is_still_owed(desk: Desk) -> None:
    await desk.estimated(CHARGED, deposit=1_000)
    found = await desk.charging.pay(CARLA, desk.case_id, RECEIPT, 999)
    assert found.state == "awaiting_payment"
    found = await desk.charging.pay(CARLA, desk.case_id, "MDC-2026-004418", 1)
    assert (found.state, found.charges.owed_cents) == ("collecting", TOTAL - 1_000)
    assert unpaid(found)
    for deposit in (0, TOTAL + 1):
        await refused("deposit", desk.estimated(CHARGED, deposit=deposit))


async def test_the_same_estimate_from_the_same_version_is_made_once(desk: Desk) -> None:
    version = desk.file.version
    for _ in range(2):
        await desk.charging.estimate(CARLA, desk.case_id, version, CHARGED, None)
    assert [each.version for each in desk.file.charges.estimates] == [1]
    other = desk.charging.estimate(CARLA, desk.case_id, version, asked(one_sided=1), None)
    await refused("changed", other)


async def test_an_estimate_is_made_before_the_work_and_not_after(desk: Desk) -> None:
    await desk.estimated(asked("electronic"))
    await refused("case_state", desk.estimated(CHARGED))
    letter = await desk.desk.open_case(CARLA, "public_records", "words", None, None)
    desk.case_id = letter.record_id
    await refused("case_state", desk.estimated(CHARGED))


async def test_another_estimate_takes_the_place_of_the_first(desk: Desk) -> None:
    await desk.estimated(CHARGED)
    await desk.charging.accept(GATEWAY, desk.token, 1)
    found = await desk.estimated(asked(one_sided=10))
    assert (found.state, found.charges.due_cents) == ("awaiting_payment", 150)
    assert found.charges.accepted_at is None
    found = await desk.estimated(asked("electronic"))
    assert (found.state, found.charges.owed_cents) == ("collecting", 0)


async def test_the_requester_accepts_the_estimate_that_was_seen(desk: Desk) -> None:
    await refused("no_estimate", desk.charging.shown(desk.token))
    await desk.estimated(CHARGED)
    shown = await desk.charging.shown(desk.token)
    assert shown.charges.due_cents == TOTAL
    await desk.estimated(asked(one_sided=10))
    await refused("changed", desk.charging.accept(GATEWAY, desk.token, 1))
    for _ in range(2):
        found = await desk.charging.accept(GATEWAY, desk.token, 2)
        assert found.charges.accepted_at == desk.clock.now()
    assert [each.step for each in desk.steps()].count("estimate_accepted") == 1
    await refused("unknown_case", desk.charging.shown("no token"))
    await desk.desk.withdraw(CARLA, desk.case_id)
    await desk.charging.accept(GATEWAY, desk.token, 2)


async def test_nothing_is_accepted_after_the_case_is_closed(desk: Desk) -> None:
    await desk.estimated(CHARGED)
    await desk.desk.withdraw(CARLA, desk.case_id)
    await refused("case_closed", desk.charging.accept(GATEWAY, desk.token, 1))
    await refused("case_closed", desk.charging.pay(CARLA, desk.case_id, RECEIPT, 1))
    await refused("case_closed", desk.estimated(asked(one_sided=1)))


async def test_an_invoice_is_at_most_what_was_estimated(desk: Desk) -> None:
    await refused(
        "no_estimate",
        desk.charging.invoice(CARLA, desk.case_id, desk.file.version, CHARGED),
    )
    await desk.estimated(CHARGED, deposit=1_000)
    await desk.charging.pay(CARLA, desk.case_id, RECEIPT, 1_000)
    more = asked("paper", {"search": 91}, one_sided=100)
    await refused(
        "over_estimate", desk.charging.invoice(CARLA, desk.case_id, desk.file.version, more)
    )
    version, less = desk.file.version, asked("paper", {"search": 40}, one_sided=100)
    await desk.charging.invoice(CARLA, desk.case_id, version, less)
    found = await desk.charging.invoice(CARLA, desk.case_id, version, less)
    assert (found.charges.due_cents, found.charges.owed_cents) == (391 + 1500, 891)
    assert [each.step for each in desk.steps()].count("invoiced") == 1
    found = await desk.charging.invoice(CARLA, desk.case_id, found.version, asked("electronic"))
    assert (found.charges.owed_cents, unpaid(found)) == (0, False)


async def test_a_receipt_counts_once(desk: Desk) -> None:
    await desk.estimated(CHARGED)
    for _ in range(2):
        found = await desk.charging.pay(CARLA, desk.case_id, RECEIPT, 100)
        assert found.charges.paid_cents == 100
    await refused("receipt_used", desk.charging.pay(CARLA, desk.case_id, RECEIPT, 200))
    await refused("amount", desk.charging.pay(CARLA, desk.case_id, "MDC-2026-004419", TOTAL))


@pytest.mark.parametrize(
    "number",
    [
        "4111111111111111",
        "4111-1111-1111-1111",
        "4111 1111 1111 1111",
        "5500000000000004",
        "340000000000009",
        "MDC 4111111111111111",
    ],
)
async def test_the_number_of_a_card_is_never_taken(desk: Desk, number: str) -> None:
    await desk.estimated(CHARGED)
    error = await refused("card_number", desk.charging.pay(CARLA, desk.case_id, number, 100))
    assert number not in f"{error.detail} {error!r}"
    assert desk.file.charges.payments == ()


@pytest.mark.parametrize("number", ["", "paid", "mdc-2026-004417", "MDC-2026-004417\n", "x" * 40])
async def test_a_receipt_has_the_form_that_the_county_says(desk: Desk, number: str) -> None:
    await desk.estimated(CHARGED)
    await refused("receipt", desk.charging.pay(CARLA, desk.case_id, number, 100))


async def test_what_the_fees_do_not_know_is_refused_with_its_field(desk: Desk) -> None:
    with pytest.raises(MalformedError) as error:
        await desk.estimated(asked("parchment"))
    assert [each.field for each in error.value.problems] == ["medium"]


async def test_another_desk_has_no_such_case_and_its_own_have_no_fees(desk: Desk) -> None:
    await refused("unknown_case", desk.estimated(CHARGED, by=LARS))
    await refused("unknown_case", desk.charging.look(LARS, desk.case_id))
    await refused("unknown_case", desk.charging.pay(LARS, desk.case_id, RECEIPT, 1))
    own = await desk.desk.open_case(LARS, "law_enforcement", "words", None, None)
    desk.case_id = own.record_id
    await refused("no_fees", desk.estimated(CHARGED, by=LARS))


async def test_a_killed_call_is_repeated_without_effect(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer was lost after the write. State and event were one write, and the repeat is
    none."""
    version = desk.file.version
    change = desk.work.change

    async def died(*given: Any) -> Any:
        await change(*given)
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(desk.work, "change", died)
        with pytest.raises(ConnectionError):
            await desk.charging.estimate(CARLA, desk.case_id, version, CHARGED, None)
        with pytest.raises(ConnectionError):
            await desk.charging.accept(GATEWAY, desk.token, 1)
        with pytest.raises(ConnectionError):
            await desk.charging.pay(CARLA, desk.case_id, RECEIPT, TOTAL)
    before, told = desk.file, desk.steps()
    assert [each.step for each in told][-3:] == ["estimated", "estimate_accepted", "paid"]
    assert before.state == "collecting"
    await desk.charging.estimate(CARLA, desk.case_id, version, CHARGED, None)
    await desk.charging.accept(GATEWAY, desk.token, 1)
    await desk.charging.pay(CARLA, desk.case_id, RECEIPT, TOTAL)
    assert (desk.file, desk.steps()) == (before, told)


async def test_the_document_of_the_package_is_whole_numbers_and_names_nobody(desk: Desk) -> None:
    await desk.estimated(CHARGED)
    await desk.charging.pay(CARLA, desk.case_id, RECEIPT, TOTAL)
    document = fees_of(desk.file)
    # The canonical form has no fractions.
    assert json.loads(canonical(json.loads(json.dumps(document)))) == document
    assert "carla" not in repr(document)
    assert document["owed_cents"] == 0
    assert document["estimate"]["lines"] == [
        {"code": "one_sided", "citation": "119.07(4)(a)1", "units": 100, "cents": 1500},
        {
            "code": "special_service_charge",
            "citation": "119.07(4)(d)",
            "units": 60,
            "cents": 2350,
        },
    ]
    before = fees_of(CaseFile(record_id="c"))
    assert (before["estimate"], before["due_cents"]) == (None, 0)
