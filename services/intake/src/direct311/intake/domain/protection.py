"""The protection registry: whose place and identity must not show (section 119.071(4)(d), F.S.)."""

from direct311.schemas import Instant, Model, OnDate

SERIES = "GS1-SL 392"
"""Exempt-status notifications and redaction requests: until the related record is disposed of, or
the request is withdrawn."""

KINDS = ("phone", "email", "name", "address", "point")
"""What a person can be known by. `address` is a home's: the place of a problem, and the reporter's
own address where one was given. `point` stands for the 50 m cell around it and its neighbours."""


class Protection(Model):
    """One written request for protection. Identifiers are kept as keyed hashes alone.

    `reference`: the file that holds the written request (record series GS1-SL 392). `kinds`: what
    kinds of identifier were given. `received_on`: the day on which the request was received;
    `received_at`: when it was entered here. A withdrawn one has no hashes any more.
    """

    protection_id: str
    reference: str
    citation: str
    kinds: tuple[str, ...]
    hashes: tuple[str, ...]
    received_at: Instant
    received_on: OnDate | None = None
    entered_by: str = ""
    withdrawn_at: Instant | None = None
    withdrawn_by: str | None = None
