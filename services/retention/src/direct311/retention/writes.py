"""Many records in shared writes."""

from collections.abc import Iterator, Mapping, Sequence

from direct311.runtime.clock import Ids

CHUNK = 200
"""Records in one shared write."""


def causes(record_ids: Sequence[str], ids: Ids) -> Mapping[str, str]:
    """A separate cause for each record. They are new each time: the record's state ensures that a
    change is made only once."""
    return {record_id: ids.new() for record_id in record_ids}


def chunks(record_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """The same, in pieces, one write each."""
    for start in range(0, len(record_ids), CHUNK):
        yield record_ids[start : start + CHUNK]
