"""Nothing that a reporter said of themselves lies anywhere in the clear.

Canaries go in through the gateway; then everything stops, and all that is left on disk is searched:
the broker's log, the database, the object store, logs, traces, metrics, error answers.
"""

import asyncio
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.local.stack import Stack
from tests.privacy import planting
from tests.support.canaries import Canary, Found, Search, table
from tests.support.county import Document, entering
from tests.support.disposition import destroyed
from tests.support.stacks import stack_of_its_own

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

PLACES = {
    "the broker's log": "data/kafka",
    "the database": "data/database",
    "the object store": "data/store",
    "logs and traces": "log",
    "metrics": "metrics",
    "answers": "answers",
}
WRITTEN = {
    f"updates.{planting.DEPARTMENT}": planting.BY_DEPARTMENTS,
    "request.created": [planting.BROKEN],
}
"""Topics that hold what their own writers wrote, and the canaries that were written there."""
KEYS_OF = ("intake", "media")


@dataclass(frozen=True)
class Kept:
    """What a stopped stack leaves behind, and what was seen of it while it ran."""

    root: Path
    found: list[Found]
    read: int
    incoming: list[str]
    written: dict[str, list[Found]]
    control: dict[str, int]
    running_names: set[str]
    wrapped: dict[str, bytes]
    left_of_keys: list[Document]
    remaining: dict[str, int]
    certificate: Document
    doomed_answers: list[int]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    with stack_of_its_own(tmp_path_factory.mktemp("privacy") / "p") as stack:
        ids = planting.run(stack)
        end = asyncio.run(_destroy(stack, ids["doomed"]))
        # Stopped as in a shutdown, so that whatever was only in memory is written down.
        stack.down()
        # The mailboxes are the reporters' own: what was opened to write to them is kept nowhere.
        shutil.rmtree(stack.place.mail)
        links = [Canary("signed link", link, (link.rpartition(".")[2],)) for link in ids["links"]]
        found, read = Search([*planting.NEVER, *links]).in_folder(stack.root)
        yield Kept(root=stack.root, found=found, read=read, **end, **_also(stack, end["wrapped"]))


async def _destroy(stack: Stack, record_id: str) -> dict[str, Any]:
    """Take one record to its end; what is to be seen only while the stack runs."""
    async with entering(stack) as county:
        wrapped = {}
        with county.database() as database:
            for service in KEYS_OF:
                document = database[service].keys.find_one({"_id": record_id})
                assert document is not None, service
                wrapped[service] = bytes(document["wrapped"])
        certificate = await destroyed(county, record_id)
        answers = [
            (await county.read_contact(record_id, role, "olga")).status_code
            for role in ("agent", "department:animal_services")
        ]
        answers.append((await county.open311(f"requests/{record_id}.json")).status_code)
        incoming = [
            str(each.object_name)
            for each in county.store().list_objects(
                bucket_name="direct311-incoming", recursive=True, include_version=True
            )
        ]
        with county.database() as database:
            left = [database[service]["keys"].find_one({"_id": record_id}) for service in KEYS_OF]
        return {
            "wrapped": wrapped,
            "left_of_keys": left,
            "certificate": certificate,
            "doomed_answers": answers,
            "incoming": incoming,
        }


def _also(stack: Stack, wrapped: dict[str, bytes]) -> dict[str, Any]:
    control = Search([planting.CONTROL])
    running = Search(planting.RUNNING_NAMES)
    keys = Search([Canary(service, "never written", (key,)) for service, key in wrapped.items()])
    remaining = keys.in_folder(stack.place.data / "database")[0]
    return {
        "written": {
            topic: Search(canaries).in_folder(stack.root)[0] for topic, canaries in WRITTEN.items()
        },
        "control": {
            name: len(control.in_folder(stack.root / place)[0]) for name, place in PLACES.items()
        },
        "running_names": {each.canary for each in running.in_folder(stack.place.data)[0]},
        "remaining": {
            service: sum(each.canary == service for each in remaining) for service in wrapped
        },
    }


@pytest.mark.policy("P5", "P9", "P20")
def test_no_canary_is_found_in_anything_that_is_kept(kept: Kept) -> None:
    assert kept.read > 1_000_000
    assert not kept.found, f"{len(kept.found)} found\n{table(kept.found)}"


def _topic(found: Found) -> str:
    """The topic in whose files it lies; empty where it lies elsewhere."""
    *_, place, _ = ("", "", *Path(found.file).parts)
    folder = Path(PLACES["the broker's log"]).parts
    inside = folder == Path(found.file).parts[: len(folder)]
    return place.rpartition("-")[0] if inside else ""


@pytest.mark.policy("P20")
@pytest.mark.parametrize("topic", WRITTEN)
def test_what_a_writer_wrote_lies_on_its_own_topic_and_in_nothing_that_came_of_it(
    kept: Kept, topic: str
) -> None:
    found = kept.written[topic]
    # All of it was there to be found.
    assert {each.canary for each in found} >= {each.name for each in WRITTEN[topic]}
    elsewhere = [each for each in found if _topic(each) != topic]
    assert not elsewhere, f"{len(elsewhere)} found\n{table(elsewhere)}"


@pytest.mark.parametrize(
    "topic",
    [
        *(f"{kind}.{planting.DEPARTMENT}" for kind in ("routed", "updates", "replies")),
        *(f"deadletters.{reader}" for reader in planting.READERS),
    ],
)
def test_topics_of_departments_and_dead_letters_had_something_to_be_searched(
    kept: Kept, topic: str
) -> None:
    logs = (kept.root / PLACES["the broker's log"]).rglob(f"{topic}-*/*.log")
    assert sum(each.stat().st_size for each in logs) > 0


def test_the_control_is_found_so_the_search_sees(kept: Kept) -> None:
    assert kept.control["the broker's log"] > 0
    assert kept.control["the database"] > 0


@pytest.mark.parametrize(
    ("place", "words"),
    {
        "the object store": b"JFIF",
        "logs and traces": b"process.started",
        "metrics": b"direct311_events_handled",
        "answers": b"service_code",
    }.items(),
)
def test_every_place_was_there_to_be_searched(kept: Kept, place: str, words: bytes) -> None:
    folder = kept.root / PLACES[place]
    assert any(words in each.read_bytes() for each in folder.rglob("*") if each.is_file())


def test_every_service_left_its_traces_to_be_searched(kept: Kept) -> None:
    traces = {each.name: each.stat().st_size for each in (kept.root / "log").glob("*.spans.jsonl")}
    assert len(traces) == 6
    assert all(traces.values()), traces


def test_the_incoming_bucket_is_empty(kept: Kept) -> None:
    assert kept.incoming == []


@pytest.mark.policy("P14", "P20")
def test_what_was_destroyed_does_not_open_any_more(kept: Kept) -> None:
    assert set(kept.doomed_answers) <= {404, 410}
    assert all(len(key) > 32 for key in kept.wrapped.values())
    assert all("wrapped" not in document for document in kept.left_of_keys)


def test_names_in_running_text_are_measured(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    slipped, planted = len(kept.running_names), len(planting.RUNNING_NAMES)
    with capsys.disabled():
        sys.stdout.write(
            f"\nprivacy: {slipped} of {planted} names in running text slipped through redaction\n"
        )
    assert slipped <= planted


def test_what_remains_of_destroyed_keys_is_told(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    until_ = datetime.fromisoformat(kept.certificate["recoverable_until"])
    disposed = datetime.fromisoformat(kept.certificate["disposed_on"])
    assert until_.date() > disposed.date()
    with capsys.disabled():
        for service, count in kept.remaining.items():
            sys.stdout.write(
                f"\nprivacy: {service}'s wrapped key of a destroyed record is {count} times in the "
                f"database's files; recoverable until {until_:%Y-%m-%d}\n"
            )
