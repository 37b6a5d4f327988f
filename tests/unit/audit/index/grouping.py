"""The groups in which an entry counts, by which the fake and the contract of the index go."""

from collections.abc import Iterator, Sequence

from direct311.audit.entry import SINGLE, Facts
from direct311.audit.index.domain import Dimension


def keys_of(facts: Facts, by: Sequence[Dimension]) -> Iterator[tuple[str | None, ...]]:
    """The groups that an entry counts in."""
    single = {
        **{name: getattr(facts, name) for name in SINGLE if name != "break_glass"},
        "case": facts.case_id,
        "day": f"{facts.occurred_at:%Y-%m-%d}",
        "hour": f"{facts.occurred_at:%Y-%m-%dT%H}",
        "fields": ",".join(facts.fields),
    }
    for record in (facts.record_ids or (None,)) if "record" in by else (None,):
        yield tuple(record if name == "record" else single[name] for name in by)
