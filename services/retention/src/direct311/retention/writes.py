"""Many records in shared writes."""

from collections.abc import Iterator, Mapping, Sequence

from direct311.runtime.clock import Ids

CHUNK = 200
"""Records in one shared write."""


def causes(record_ids: Sequence[str], ids: Ids) -> Mapping[str, str]:
    """A cause of its own for each record. New ones each time: that a change is made once is
    decided by the record's state."""
    return {record_id: ids.new() for record_id in record_ids}


def chunks(record_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """The same, in pieces for one write each."""
    for start in range(0, len(record_ids), CHUNK):
        yield record_ids[start : start + CHUNK]
