"""How fast a finished package is searched for what was withheld."""

import os
import random
import time

from direct311.redaction.leak_scan import LeakScanner
from direct311.redaction.leaks import fingerprints
from tests.support.leaks import made_records

TEXT_BYTES = 5_000_000
RECORDS = 500
"""As many as a grant can name: one in three is of a protected person."""
PACKAGES = 200


def leak_scan_rate() -> tuple[float, int]:
    """Megabytes of extracted text a second of processor time on one core, and how many fingerprints
    are looked for. The text is what other people wrote, as in a clean package."""
    key = os.urandom(32)
    prints = fingerprints(key, [v for each in made_records(1, RECORDS) for v in each.withheld])
    scanner = LeakScanner(key, prints)
    others = made_records(2, 4 * RECORDS)
    chance = random.Random(311)
    pieces: list[str] = []
    size = 0
    while size < TEXT_BYTES:
        pieces += chance.choice(others).fields.values()
        size += sum(len(each.encode()) + 1 for each in pieces[-6:])
    text = "\n".join(pieces)
    begun = time.process_time()
    scanner.scan(text, others[0].record_id)
    return size / 1_000_000 / (time.process_time() - begun), len(prints)


def false_stops() -> int:
    """In how many of `PACKAGES` clean packages of 30 records something is found."""
    key, stopped = os.urandom(32), 0
    for seed in range(PACKAGES):
        records = made_records(seed)
        withheld = [value for each in records for value in each.withheld]
        scanner = LeakScanner(key, fingerprints(key, withheld))
        stopped += any(
            scanner.scan("\n".join(each.fields.values()), each.record_id) for each in records
        )
    return stopped
