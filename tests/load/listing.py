"""What a list costs at ten thousand stored requests and at a million, through the gateway.

Requests that never were are stored directly, two years of them, as intake stores its own; some
150 types, the commonest some hundred times as frequent as the rarest.
"""

import asyncio
import math
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx

from direct311.intake.catalogue.adapters import load_catalogue
from direct311.intake.lifecycle.adapters import MongoRequests
from direct311.intake.open311.adapters.listing import listed_fields
from direct311.intake.open311.adapters.requests import MongoPublicRequests
from direct311.intake.open311.adapters.updates import MongoUpdates, noted_fields
from direct311.intake.request import CLOSED, Located, Note, ServiceRequest
from direct311.runtime.messaging.records import Write
from direct311.runtime.storage import database as mongo
from direct311.runtime.storage.database import Document, MongoRecords
from direct311.schemas import events as ev
from tests.load.filling import store

SPAN = timedelta(days=730)
CHUNK = 1_000
PAGE = 100
WEST, SOUTH, WIDTH, HEIGHT = -80.85, 25.20, 0.70, 0.75


@dataclass(frozen=True, slots=True)
class ListTimes:
    """A list's times in milliseconds, at so many stored requests, and the rows it gave."""

    question: str
    stored: int
    p50: float
    p99: float
    slowest: float
    rows: int

    def __str__(self) -> str:
        return (
            f"{self.question}, {self.stored:,} stored: "
            f"p50 {self.p50:.1f} ms, p99 {self.p99:.1f} ms, {self.rows} rows"
        )


async def fill(url: str, name: str, size: int, told: Callable[[str], object]) -> None:
    """Store so many listed requests in the database of an intake; those it has stay."""
    database = mongo.connect(url, name)
    records = MongoRecords(database["requests"], ServiceRequest, _found_by)
    # Indexes first: the local server builds none over a million documents.
    indexes = (*MongoRequests.INDEXES, *MongoPublicRequests.INDEXES, *MongoUpdates.INDEXES)
    await records.prepare(indexes)
    end = datetime.now(UTC)
    made = _Made(size, end)
    started = time.perf_counter()
    for low in range(0, size, CHUNK):
        documents = [
            records.document(Write(0, made.request(number), (), end), b"x" * 12)
            for number in range(low, min(size, low + CHUNK))
        ]
        await store(database["requests"], documents)
        if low % 100_000 == 0 and low:
            told(f"{low:,} requests stored, {low / (time.perf_counter() - started):,.0f}/s")
    told(f"{size:,} requests stored and indexed in {time.perf_counter() - started:.0f} s")
    mongo.disconnect(database)


def _found_by(request: ServiceRequest) -> Document:
    return listed_fields(request) | noted_fields(request)


class _Made:
    """Requests that never were."""

    def __init__(self, size: int, end: datetime) -> None:
        self._size = size
        self._end = end
        self._chances = random.Random(size)
        self._codes = [each.service_code for each in load_catalogue(None).content.services]
        self._weights = [1 / (place + 3) for place in range(len(self._codes))]

    def request(self, number: int) -> ServiceRequest:
        chances = self._chances
        at = self._end - SPAN * (self._size - number) / self._size
        updated = at + timedelta(days=chances.expovariate(1 / 10))
        if updated > self._end:
            updated = at + (self._end - at) * chances.random()
        fresh = max(0, 60 - (self._end - at).days)
        status: ev.RequestStatus = chances.choices(
            ("fixed", "closed", "in_progress", "routed"), (60, 30, 3 + fresh, 3 + fresh)
        )[0]
        latitude, longitude = SOUTH + chances.random() * HEIGHT, WEST + chances.random() * WIDTH
        return ServiceRequest(
            record_id=_id(at, chances),
            version=4,
            client_id="bench",
            fingerprint=f"{chances.getrandbits(256):064x}",
            jurisdiction_id="miamidade",
            service_code=chances.choices(self._codes, self._weights)[0],
            received_at=at,
            updated_at=updated,
            closed_at=updated if status in CLOSED else None,
            status=status,
            place=ev.Place(latitude=latitude, longitude=longitude),
            text="It lies across the way since last week, and nobody has come to look at it.",
            sealed={field: os.urandom(60) for field in ("first_name", "last_name", "email")}
            | {"description": os.urandom(160)},
            indexes={
                kind: (f"1:{chances.getrandbits(160):040x}",) for kind in ("email", "name", "phone")
            },
            index_versions=(1,),
            policy=ev.PolicyAgreement(version="2026-1", agreed="by_use"),
            registry_version=1_000_000,
            located=Located(
                outcome="resolved",
                latitude=latitude,
                longitude=longitude,
                address="100 NW 1ST ST",
                municipality="Miami",
                zip_code="33128",
                commission_district="5",
            ),
            place_checked=True,
            listed=True,
            department="public_works",
            notes=(Note(at=updated, kind="status", status=status, text="Done."),),
        )


def _id(at: datetime, chances: random.Random) -> str:
    """A UUIDv7 of that time (RFC 9562, section 5.7)."""
    milliseconds = int(at.timestamp() * 1000)
    bits = milliseconds << 80 | 7 << 76 | chances.getrandbits(12) << 64 | 2 << 62
    return str(UUID(int=bits | chances.getrandbits(62)))


def questions(now: datetime, codes: tuple[str, str]) -> Mapping[str, Mapping[str, str | int]]:
    """The lists that are asked for, a hundred rows each."""
    common, rare = codes
    corner = f"{WEST + 0.3},{SOUTH + 0.3},{WEST + 0.35},{SOUTH + 0.35}"
    whole = f"{WEST},{SOUTH},{WEST + WIDTH},{SOUTH + HEIGHT}"
    month_ago = now - timedelta(days=30)
    asked: dict[str, Mapping[str, str | int]] = {
        "default": {},
        "open": {"status": "open"},
        "closed": {"status": "closed"},
        "a common type": {"service_code": common},
        "a rare type": {"service_code": rare},
        "three types": {"service_code": f"{common},{rare},{codes[0]}"},
        "a common type, open": {"service_code": common, "status": "open"},
        "a month": {
            "start_date": f"{month_ago - timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}",
            "end_date": f"{month_ago:%Y-%m-%dT%H:%M:%SZ}",
        },
        "bbox of a district": {"bbox": corner},
        "bbox of the county": {"bbox": whole},
        "bbox of a district, open": {"bbox": corner, "status": "open"},
        "updated in the last hour": {
            "updated_after": f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
        },
        "updated in the last week": {
            "updated_after": f"{now - timedelta(days=7):%Y-%m-%dT%H:%M:%SZ}"
        },
    }
    deep = {f"{name}, page 100": {**given, "page": 100} for name, given in asked.items()}
    return asked | deep


async def list_times(gateway: str, stored: int, rounds: int = 300) -> list[ListTimes]:
    """Ask a gateway for each list, one after the other, the first answers too."""
    codes = [each.service_code for each in load_catalogue(None).content.services]
    now = datetime.now(UTC)
    asked = {
        name: ("requests", {"page_size": PAGE, **given})
        for name, given in questions(now, (codes[0], codes[-1])).items()
    }
    asked["updates of the last two hours"] = (
        "servicerequestupdates",
        {
            "start_date": f"{now - timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}",
            "end_date": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        },
    )
    found = []
    async with httpx.AsyncClient(base_url=gateway, timeout=60) as client:
        for name, (path, given) in asked.items():
            times, rows = [], 0
            for _ in range(rounds):
                started = time.perf_counter()
                answer = await client.get(f"/open311/v2/{path}.json", params=given)
                times.append((time.perf_counter() - started) * 1000)
                rows = len(answer.raise_for_status().json())
            times.sort()
            # The nearest rank: one in a hundred is slower.
            p99 = times[math.ceil(len(times) * 0.99) - 1]
            found.append(ListTimes(name, stored, statistics.median(times), p99, times[-1], rows))
    return found


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """`python -m tests.load.listing DATABASE-URL GATEWAY SIZE`: without the rest of the bench."""
    url, gateway, size = sys.argv[1:]
    asyncio.run(fill(url, "intake", int(size), _tell))
    for each in asyncio.run(list_times(gateway, int(size))):
        _tell(str(each))


if __name__ == "__main__":
    main()
