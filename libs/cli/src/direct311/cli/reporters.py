"""Fictional reporters for the demo, the replay and load tests. The same number gives the same
reporter.

Telephone numbers come from the range 555-0100 to 555-0199 and e-mail addresses from example domains
(RFC 2606), so that no real person is ever meant.
"""

from dataclasses import dataclass

_FIRST = (
    "Zoraida", "Anselmo", "Fabienne", "Odalys", "Theodora", "Wilfrid", "Marisleysis", "Guerline",
    "Evaristo", "Clotilde", "Yamilet", "Ferdinand", "Roselande", "Ignacio", "Perpetua", "Dieudonne",
)  # fmt: skip
_LAST = (
    "Quintanilla", "Beauvoir", "Ostrowski", "Villaverde", "Etienne", "Mackelroy", "Santisteban",
    "Desrosiers", "Oyarzabal", "Fitzwilliam", "Lamothe", "Echeverria", "Pemberton", "Zubizarreta",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reporter:
    """A person who does not exist."""

    first_name: str
    last_name: str
    email: str
    phone: str
    address: str


def reporter(number: int) -> Reporter:
    """The reporter with this number."""
    first = _FIRST[number % len(_FIRST)]
    last = _LAST[(number // len(_FIRST) + number) % len(_LAST)]
    return Reporter(
        first_name=first,
        last_name=last,
        email=f"{first}.{last}.{number}@example.com".lower(),
        phone=f"305-555-{100 + number % 100:04d}",
        address=f"{100 + number} NW {1 + number % 99} ST, Miami, FL",
    )
