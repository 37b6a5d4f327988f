"""The county's 3,500 rows, New York's 1,000 and the labelled set through a running gateway.

What is kept of each row, what its department gets and what the public sees, against what redaction
promises.

`make redaction` runs it and prints the figures.
"""

import asyncio
import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from rich.console import Console

from deploy.local.stack import Stack
from direct311.cli import replay
from direct311.cli.reporters import reporter
from direct311.redaction import MARKS, redact, redact_place
from tests.redaction.through import Source, Told, codes, told
from tests.support.canaries import Canary, Found, Search, table
from tests.support.county import County, Document, entering
from tests.support.real_data import needs_real_data
from tests.support.stacks import stack_of_its_own

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.campaign,
    needs_real_data,
    pytest.mark.timeout(1500),
]

SOURCES: Sequence[Source] = ("county", "new-york", "labelled")
PARALLEL = 8
PATIENCE_SECONDS = 600.0
IDS_A_CALL = 100
EVERY = 25
"""Of so many reporters one is searched for on the disk, and every one in the row's own record."""
SHORTEST = 8
"""Characters of what is searched for on the disk; less is found by chance."""

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_NO_WORDS = re.compile(r"(?:[\w.]+:)?[0-9a-f-]{32,}|[0-9a-f-]+:[0-9a-f]{40}|[0-9T:.Z+-]+")
"""Ids, keyed hashes and times."""


@dataclass
class Seen:
    """One row after it went through. `record_id`: none where it was refused, or has no number.

    `stored`: intake's document. `elsewhere`: every other document and event that names the record,
    with its place, bytes left out. `work`: what its department got. `public`: what anybody sees.
    """

    told: Told
    number: int
    record_id: str | None = None
    stored: Document = field(default_factory=dict)
    elsewhere: list[tuple[str, Any]] = field(default_factory=list)
    work: list[Document] = field(default_factory=list)
    public: Document | None = None
    opened: Mapping[str, str] | None = None


@dataclass
class Through:
    """All rows, and what the stack kept. `unnumbered`: intake's documents of rows that never have a
    public number. `events`: how many were read. `on_disk`: what was found in the files of the
    stopped stack, of `searched` bytes."""

    seen: list[Seen]
    outcomes: dict[Source, replay.Outcome]
    states: dict[str, dict[str, int]]
    unnumbered: list[Document]
    events: int
    on_disk: list[Found] = field(default_factory=list)
    control: int = 0
    searched: int = 0

    def of(self, source: Source) -> list[Seen]:
        return [each for each in self.seen if each.told.source == source]


@pytest.fixture(scope="module")
def through(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Through]:
    with stack_of_its_own(tmp_path_factory.mktemp("rows") / "r") as stack:
        found = asyncio.run(_go_through(stack))
        # Stopped as in a shutdown, so that whatever was only in memory is written down.
        stack.down()
        found.on_disk, found.searched = Search(_canaries(found.seen)).in_folder(stack.root)
        control = Search([Canary("control", found.seen[0].told.row.address)])
        found.control = len(control.in_folder(stack.place.data / "database")[0])
        yield found


async def _go_through(stack: Stack) -> Through:
    async with entering(stack) as county:
        seen = [Seen(each, number) for number, each in enumerate(told())]
        by_name = codes(await replay.service_codes(county.session))
        outcomes = {}
        quiet = Console(file=io.StringIO())
        for source in SOURCES:
            lines = [each.told.row for each in seen if each.told.source == source]
            outcomes[source] = await replay.send(county.session, lines, by_name, PARALLEL, quiet)
        states = await _settled(county)
        await county.caught_up()
        for source in SOURCES:
            taken = outcomes[source]
            for ticket_id, token in taken.tokens.items():
                if record_id := await replay.number(county.session, token):
                    taken.accepted[ticket_id] = record_id
        for each in seen:
            each.record_id = outcomes[each.told.source].accepted.get(each.told.row.ticket_id)
        of_record = {each.record_id: each for each in seen if each.record_id is not None}
        unnumbered = _documents(county, of_record)
        events = await _events(county, stack, of_record)
        await _public(county, of_record)
        await _opened(county, seen)
        return Through(seen, outcomes, states, unnumbered, events)


async def _settled(county: County) -> dict[str, dict[str, int]]:
    """Every service counts the same, and routing has nothing waiting."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while True:
        states = await replay.settle(county.session, Console(file=io.StringIO()))
        if len({each["total"] for each in states.values()}) == 1:
            return states
        assert asyncio.get_running_loop().time() < deadline, states


def _documents(county: County, of_record: Mapping[str, Seen]) -> list[Document]:
    """Give each row all documents of all databases that name its record; intake's of the others."""
    unnumbered = []
    with county.database() as client:
        for name in client.list_database_names():
            if name in ("admin", "config", "local"):
                continue
            for collection in client[name].list_collection_names():
                for document in client[name][collection].find({}):
                    if (name, collection) == ("intake", "requests"):
                        if seen := of_record.get(document["_id"]):
                            seen.stored = document
                        else:
                            unnumbered.append(document)
                    where = f"{name}.{collection}"
                    for record_id in _named(document) & of_record.keys():
                        of_record[record_id].elsewhere.append((where, document))
    return unnumbered


async def _events(county: County, stack: Stack, of_record: Mapping[str, Seen]) -> int:
    """Give each row all events that name its record; how many events there are in all topics."""
    messages = await county.messages(*(topic.name for topic in stack.topology.topics))
    for message in messages:
        text = (message.value or b"").decode()
        record_ids = {(message.key or b"").decode(), *_ID.findall(text)} & of_record.keys()
        for record_id in record_ids:
            of_record[record_id].elsewhere.append((message.topic, text))
            if message.topic.startswith("routed.") and message.value:
                of_record[record_id].work.append(_data(message.value))
    return len(messages)


async def _public(county: County, of_record: Mapping[str, Seen]) -> None:
    record_ids = list(of_record)
    for start in range(0, len(record_ids), IDS_A_CALL):
        ids = ",".join(record_ids[start : start + IDS_A_CALL])
        answer = await county.open311("requests.json", service_request_id=ids, extensions="true")
        assert answer.status_code == 200, answer.text
        for each in answer.json():
            of_record[each["service_request_id"]].public = each


async def _opened(county: County, seen: Sequence[Seen]) -> None:
    """The residents of the rows in which something was found see by their links what is sealed."""
    intake = county.known.services["intake"]
    for each in seen:
        if each.record_id is None or not each.told.taken_out:
            continue
        path = f"/v1/requests/{each.record_id}"
        order = {"justification": "the resident is at the counter"}
        link = await county.post("intake", f"{path}/link", order, "agent", "olga")
        headers = {"Authorization": f"Bearer {link['token']}"}
        answer = await county.http.get(f"{intake}{path}/subject", headers=headers)
        assert answer.status_code == 200, answer.text
        each.opened = answer.json()["fields"]


def _data(body: bytes) -> Document:
    event = json.loads(body)
    return dict(event.get("data", event))


def _named(document: Document) -> set[str]:
    return {found for text in _strings(document) for found in _ID.findall(text)}


def _strings(value: object) -> Iterator[str]:
    """All text of a document, keys too; what is sealed is bytes, and no text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield str(key)
            yield from _strings(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _strings(each)


def _canaries(seen: Sequence[Seen]) -> list[Canary]:
    """What was taken out, and reporters' addresses. A word that some row may show is no canary."""
    shown = "\n".join(f"{each.told.shown}\n{each.told.row.address}" for each in seen).lower()
    found = {
        text: Canary("taken out of a text", text)
        for each in seen
        if each.record_id is not None
        for text in each.told.taken_out
        if len(text) >= SHORTEST and text.lower() not in shown
    }
    people = [_person(each).email for each in seen[::EVERY]]
    return [*found.values(), *(Canary("a reporter's e-mail address", email) for email in people)]


def _person(seen: Seen) -> Any:
    """The reporter that the replay has made up for a row."""
    first = {"county": 0, "new-york": 3500, "labelled": 4500}[seen.told.source]
    return reporter(seen.number - first)


# ---------------------------------------------------------------- what is promised


@pytest.mark.parametrize("source", SOURCES)
def test_every_row_is_taken_or_refused_for_a_reason(through: Through, source: Source) -> None:
    outcome, rows = through.outcomes[source], through.of(source)
    assert outcome.sent + sum(outcome.refused.values()) == len(rows)
    assert outcome.sent == len(outcome.accepted) + len(outcome.unnumbered)
    assert outcome.sent >= 0.95 * len(rows), outcome.refused
    # A reason names a field; what was typed is not in it.
    for reason in outcome.refused:
        assert len(reason) < 200
        assert redact_place(reason).text == reason


def test_what_was_taken_is_stored_once_by_every_service(through: Through) -> None:
    sent = sum(each.sent for each in through.outcomes.values())
    assert {each["total"] for each in through.states.values()} == {sent}
    unnumbered = sum(len(each.unnumbered) for each in through.outcomes.values())
    assert len(through.unnumbered) == unnumbered


@pytest.mark.policy("P5")
@pytest.mark.parametrize("source", SOURCES)
def test_the_stored_text_is_the_redacted_one_and_what_was_typed_is_sealed(
    through: Through, source: Source
) -> None:
    looked = 0
    for seen in through.of(source):
        if seen.record_id is None:
            continue
        stored, said = seen.stored, seen.told
        assert stored.get("text", "") == said.shown, said.row.ticket_id
        assert isinstance(stored["sealed"]["description"], bytes)
        assert said.row.text.encode() not in stored["sealed"]["description"]
        if said.taken_out:
            assert seen.opened is not None
            assert seen.opened["description"] == said.typed, said.row.ticket_id
            looked += 1
    assert looked == sum(
        bool(each.told.taken_out) for each in through.of(source) if each.record_id is not None
    )


@pytest.mark.policy("P5")
def test_a_department_gets_the_redacted_text_and_no_contact_data(through: Through) -> None:
    with_work = [seen for seen in through.seen if seen.work]
    assert len(with_work) > 0.7 * len(through.seen)
    for seen in with_work:
        person = _person(seen)
        for work in seen.work:
            assert work["text"] == seen.told.shown, seen.told.row.ticket_id
            words = "\n".join(_strings(work))
            assert person.email not in words
            assert person.phone not in words


@pytest.mark.policy("P5")
def test_the_public_sees_each_number_and_no_text_of_any(through: Through) -> None:
    for seen in through.seen:
        if seen.record_id is None:
            continue
        assert seen.public is not None, seen.told.row.ticket_id
        # No type of the packaged catalogue has `publish_text`.
        assert seen.public["description"] is None
        words = "\n".join(_strings(seen.public))
        assert not [text for text in seen.told.taken_out if text in words], seen.told.row.ticket_id
        assert _person(seen).email not in words
        address = seen.public["address"] or ""
        assert redact_place(address).text == address


@pytest.mark.policy("P5")
def test_no_document_or_event_of_a_record_has_what_was_taken_out(through: Through) -> None:
    # Made, located, checked, given to a department: those that are held have none.
    assert through.events > 4 * sum(each.sent for each in through.outcomes.values())
    left = []
    for seen in through.seen:
        if seen.record_id is None:
            continue
        assert {"intake.requests", "request.created"} <= {where for where, _ in seen.elsewhere}
        wanted = [*seen.told.taken_out, _person(seen).email, _person(seen).phone]
        # A word that is in the redacted text too stands there for something else.
        # So does one that is part of the row's own address.
        row = f"{seen.told.shown}\n{seen.told.row.address}"
        wanted = [text for text in wanted if text not in row]
        for where, kept in seen.elsewhere:
            words = "\n".join(_strings(kept))
            left += [(where, seen.told.row.ticket_id) for text in wanted if text in words]
    assert left == []


@pytest.mark.policy("P5")
def test_the_rules_find_nothing_more_in_what_is_stored(through: Through) -> None:
    documents = [seen.stored for seen in through.seen if seen.record_id is not None]
    left = []
    for document in (*documents, *through.unnumbered):
        text = document.get("text", "")
        assert redact(text).text == text
        for found in _strings({key: document[key] for key in document if key != "text"}):
            kinds = () if _NO_WORDS.fullmatch(found) else redact_place(found).kinds
            left += [(document["_id"], kind) for kind in kinds]
    assert left == []


@pytest.mark.policy("P5", "P20")
def test_nothing_that_was_taken_out_lies_on_the_disk(through: Through) -> None:
    assert through.control > 0
    assert through.searched > 10_000_000
    assert not through.on_disk, f"{len(through.on_disk)} found\n{table(through.on_disk)}"


def test_the_figures_are_printed(through: Through, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{_figures(through)}")  # noqa: T201
    # Types, descriptors and the agencies' sentences name nobody; New York's tell whom to call.
    county = _kinds(through, "county")
    assert county.keys() <= {"name", "telephone"}
    # "PHONE. 1930 71ST ST": one row's channel before its address. Letters stand for digits, and an
    # ordinal that did not would let a card end in one.
    assert county["telephone"] == 1
    assert _kinds(through, "new-york")["telephone"] == 27
    for kind in MARKS:
        assert _kinds(through, "labelled")[kind] > 0


def _kinds(through: Through, source: Source) -> Counter[str]:
    """How many marks of each kind stand in the texts as they are stored."""
    found: Counter[str] = Counter()
    for seen in through.of(source):
        text = seen.stored.get("text", "")
        found.update({kind: n for kind, mark in MARKS.items() if (n := text.count(mark))})
    return found


def _figures(through: Through) -> str:
    """As Markdown."""
    lines = [
        "| rows | sent | accepted | without a number | refused | with a department | "
        "texts with a mark | " + " | ".join(MARKS) + " |",
        "|---|---|---|---|---|---|---|" + "---|" * len(MARKS),
    ]
    for source in SOURCES:
        outcome, rows, kinds = through.outcomes[source], through.of(source), _kinds(through, source)
        marked = sum(redact(each.told.typed).text != each.told.row.text for each in rows)
        figures = [
            source,
            len(rows),
            outcome.sent,
            len(outcome.unnumbered),
            sum(outcome.refused.values()),
            sum(bool(each.work) for each in rows),
            marked,
            *(kinds[kind] for kind in MARKS),
        ]
        lines.append("| " + " | ".join(map(str, figures)) + " |")
    reasons: Mapping[Source, Counter[str]] = defaultdict(Counter)
    for source in SOURCES:
        reasons[source].update(through.outcomes[source].refused)
        lines += [f"{source}: refused {n}: {why}" for why, n in reasons[source].most_common()]
    routing = through.states["routing"]
    lines.append(
        f"without a department: {routing.get('identity_required', 0)} held for name and address; "
        f"{routing.get('triage', 0)} in triage"
    )
    opened = sum(each.opened is not None for each in through.seen)
    looked = sum(len(each.elsewhere) for each in through.seen)
    lines += [
        f"{through.events} events; {looked} documents and events that name a record were searched, "
        f"and {through.searched / 1e6:.0f} MB of files; {opened} records opened by their residents"
    ]
    return "\n".join(lines)
