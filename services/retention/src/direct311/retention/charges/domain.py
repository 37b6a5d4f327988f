"""The county's fees, and what something costs by them, to the cent.

Everything is whole numbers. The law allows the actual cost (section 119.07(4)(d), F.S.), so a
fraction of a cent is never charged.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final

from direct311.retention.case_file.charges import Charge, ChargeLine, Quantities
from direct311.schemas import Model
from direct311.schemas.model import Code

MOST_MINUTES: Final = 100_000
"""The most minutes of one kind of work."""
MOST_PAGES: Final = 10_000_000
"""The most pages or copies of one kind."""


class CopyFee(Model, extra="forbid"):
    """What one page or copy of this kind costs."""

    code: Code
    cents: int
    citation: str
    confirmed: bool = True


class Medium(Model, extra="forbid"):
    """In what copies go out. `free`: the kinds that cost nothing in it."""

    code: Code
    free: tuple[Code, ...] = ()


class StaffPay(Model, extra="forbid"):
    """What somebody costs an hour, and which kinds of work they can do."""

    code: Code
    cents_per_hour: int
    able: tuple[Code, ...]


class SpecialServiceCharge(Model, extra="forbid"):
    """The charge for extensive work by staff, beyond the first `threshold_minutes`."""

    code: Code
    citation: str
    confirmed: bool = True
    threshold_minutes: int
    staff: tuple[StaffPay, ...]

    @property
    def works(self) -> frozenset[str]:
        """The kinds of work that somebody can do."""
        return frozenset(work for each in self.staff for work in each.able)

    def pay(self, work: str) -> int:
        """Cents an hour of the lowest-paid person who can do this work."""
        return min(each.cents_per_hour for each in self.staff if work in each.able)

    def line(self, quantities: Quantities) -> ChargeLine:
        """The charge for all the work together. The minutes at no charge are the dearest ones."""
        free = self.threshold_minutes
        units = sixtieths = 0
        dearest = sorted(quantities.work, key=lambda each: self.pay(each.work), reverse=True)
        for each in dearest:
            charged = max(0, each.minutes - free)
            free -= each.minutes - charged
            units += charged
            sixtieths += charged * self.pay(each.work)
        return ChargeLine(
            code=self.code,
            citation=self.citation,
            units=units,
            cents=sixtieths // 60,
            confirmed=self.confirmed,
        )


class Fees(Model, extra="forbid"):
    """The whole file; see `data/fees.yaml`."""

    fees: str
    version: str
    citation: str
    effective_from: date
    effective_until: date | None = None
    receipt: str
    copies: tuple[CopyFee, ...]
    media: tuple[Medium, ...]
    special: SpecialServiceCharge

    def unknown(self, quantities: Quantities) -> Iterator[tuple[str, str]]:
        """What the fees do not know, as field and reason; the reason names what they know."""
        if quantities.medium not in (known := [each.code for each in self.media]):
            yield "medium", f"One of: {', '.join(known)}."
        for index, work in enumerate(quantities.work):
            if work.work not in self.special.works:
                yield f"work.{index}.work", f"One of: {', '.join(sorted(self.special.works))}."
        for index, page in enumerate(quantities.pages):
            if page.kind not in (known := [each.code for each in self.copies]):
                yield f"pages.{index}.kind", f"One of: {', '.join(known)}."
        for field, names in (
            ("work", [each.work for each in quantities.work]),
            ("pages", [each.kind for each in quantities.pages]),
        ):
            if len({*names}) < len(names):
                yield field, "Name each kind once."

    def charge(self, quantities: Quantities) -> Charge:
        """What this costs; `quantities` has only what the fees know."""
        (free,) = (each.free for each in self.media if each.code == quantities.medium)
        numbers = {each.kind: each.number for each in quantities.pages}
        lines = [
            ChargeLine(
                code=fee.code,
                citation=fee.citation,
                units=numbers[fee.code],
                cents=0 if fee.code in free else numbers[fee.code] * fee.cents,
                confirmed=fee.confirmed,
            )
            for fee in self.copies
            if numbers.get(fee.code)
        ]
        if quantities.work:
            lines.append(self.special.line(quantities))
        return Charge(
            quantities=quantities,
            lines=tuple(lines),
            total_cents=sum(each.cents for each in lines),
            fees=self.version,
        )

    def is_receipt(self, text: str) -> bool:
        """Whether this has the form of a cashier's receipt number."""
        return re.fullmatch(self.receipt, text) is not None


def fee_problems(fees: Fees) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a file of fees: entry, field and reason."""
    for field, codes in (
        ("copies", [each.code for each in fees.copies]),
        ("media", [each.code for each in fees.media]),
        ("special.staff", [each.code for each in fees.special.staff]),
    ):
        if not codes:
            yield fees.fees, field, "is empty"
        yield from ((code, field, "named more than once") for code in _repeated(codes))
    for fee in fees.copies:
        if fee.cents < 0:
            yield fee.code, "cents", "must not be negative"
    for medium in fees.media:
        for code in medium.free:
            if code not in {each.code for each in fees.copies}:
                yield medium.code, "free", f"{code} is no kind of copy"
    if not 0 <= fees.special.threshold_minutes <= MOST_MINUTES:
        yield fees.fees, "special.threshold_minutes", f"must be from 0 to {MOST_MINUTES}"
    for each in fees.special.staff:
        if each.cents_per_hour < 0:
            yield each.code, "cents_per_hour", "must not be negative"
        if not each.able:
            yield each.code, "able", "is empty"
    try:
        re.compile(fees.receipt)
    except re.error:
        yield fees.fees, "receipt", "is no regular expression"


def _repeated(codes: Iterable[str]) -> list[str]:
    return [code for code, times in Counter(codes).items() if times > 1]
