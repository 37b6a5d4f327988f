"""The protection registry: whose place and identity must not show (section 119.071(4)(d), F.S.)."""

from direct311.schemas import Instant, Model


class Protection(Model):
    """One written request for protection. Identifiers are kept as keyed hashes alone.

    `reference`: the file that holds the written request (record series GS1-SL 392). `kinds`: what
    kinds of identifier were given.
    """

    protection_id: str
    reference: str
    citation: str
    kinds: tuple[str, ...]
    hashes: tuple[str, ...]
    received_at: Instant
    withdrawn_at: Instant | None = None
