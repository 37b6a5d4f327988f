"""The life of a request, end to end, on the running stack."""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import uuid4

from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from direct311.cli import boundary_sets, rows
from direct311.cli.places import spots
from direct311.cli.replay import number, reason, service_codes, takes_media
from direct311.cli.reporters import reporter
from direct311.cli.screen import columns
from direct311.cli.stack import LocalStack, Session
from direct311.runtime.peers import HttpError
from direct311.verifier.bundle import verify_bundle
from direct311.verifier.policy import Policy

PATIENCE_SECONDS = 120.0
SHOWN = 12
DEPARTMENT_SCRIPT = "examples/department/department.py"
"""Relative to the checkout, where the demonstration runs."""
TYPES = (
    "STRAY / DOG-AT-LARGE",
    "DEAD ANIMAL PICKUP MD",
    "INJURED ANIMAL",
    "MOSQUITO CONTROL",
)
TEXTS = (
    "Large pothole, a car lost a wheel cover. Call me at 305-555-0123 if you need a photo.",
    "Brown dog without a collar runs along the canal since this morning.",
    "My name is Zoraida Quintanilla and the light at the corner is out.",
    "Hay un perro suelto frente a la escuela. Escriba a z.quintanilla@example.com.",
    "Gen yon pil fatra sou twotwa a depi de semèn.",
)


Form = tuple[list[tuple[str, str]], list[tuple[str, bytes, str]]]
"""A form's fields, and its files: field, bytes, content type."""


class DemoError(Exception):
    """The demonstration cannot go on; the message says what is missing and what to do."""


def credentials(stack: LocalStack, department: str) -> dict[str, str]:
    """The environment of examples/department for one department."""
    known = stack.departments[department]
    return {
        "DEPARTMENT": department,
        "KAFKA_BOOTSTRAP": stack.kafka.bootstrap,
        "KAFKA_USERNAME": known.username,
        "KAFKA_PASSWORD": known.password,
        "KAFKA_GROUP": known.group,
    }


async def propose_boundaries(
    session: Session, file: Path, query: dict[str, object], name: str
) -> Any:
    """Propose a set of boundaries to geo.

    :raises DemoError: the file cannot be read.
    :raises HttpError: geo refuses it, and says why.
    """
    try:
        return await boundary_sets.propose(session, file, query, name)
    except OSError:
        raise DemoError(f"{file.name} cannot be read.") from None


async def demo(session: Session, count: int, data: Path | None, console: Console) -> None:
    """Run the whole demonstration; every step shows what it did.

    :raises DemoError: a step did not give the expected result.
    :raises HttpError: a service does not answer.
    """
    if data is not None:
        await _real_boundaries(session, data, console)
    submissions = await _submissions(session, count, data)
    accepted = await _submit(session, submissions, console)
    routed = await _follow(session, accepted, console)
    _show(routed, console)
    chosen = _of_department(routed, "animal_services") or next(iter(routed))
    await _read_and_prove(session, chosen, console)
    await _retire(session, chosen, console)
    _where(session.stack, console)


_REAL = (
    ("municipality", "miami_dade_municipalities_tiger2019.geojson", "TIGER 2019"),
    ("unincorporated", "miami_dade_unincorporated.geojson", "county GIS"),
    ("county", "miami_dade_jurisdiction_union.geojson", "cb2016 500k and TIGER 2019"),
    ("zip", "miami_dade_zipcodes_county_gis.geojson", "county GIS"),
    (
        "commission_district",
        "commission_districts_APPROX_voronoi_2011plan.geojson",
        "approximate, 2011 plan",
    ),
)


async def _real_boundaries(session: Session, data: Path, console: Console) -> None:
    folder = data / "boundaries"
    for name, file, source in _REAL:
        query: dict[str, object] = {"name": name, "version": "real", "source": source}
        if "APPROX" in file:
            query["approximate"] = "true"
        proposed = await propose_boundaries(session, folder / file, query, "operator")
        if proposed["state"] != "in_force":
            # In a county, another person looks at it first.
            shown = await boundary_sets.compared(
                session, proposed["set_id"], "records_officer", "officer-1"
            )
            await boundary_sets.approve_shown(
                session, shown["set_id"], shown["hash"], None, "records_officer", "officer-1"
            )
        console.print(f"boundaries {name}: {proposed['version']}")


async def _submissions(session: Session, count: int, data: Path | None) -> list[Form]:
    """Forms and files. With the real data: real types, places and texts, but fictional
    reporters."""
    codes = await service_codes(session)
    photographed = await takes_media(session)
    # A new run id, so that a second demonstration shows new requests.
    run = uuid4().hex[:8]
    photo = files("direct311.cli").joinpath("data/pothole.jpg").read_bytes()
    made: list[Form] = []
    if data is not None:
        found = rows.read(data / "requests" / "miami_dade_311_2013_2018.csv")
        for number, row in zip(range(count), found, strict=False):
            fields = rows.form(row, number, codes.get(row.issue_type, "unknown"))
            fields = [(k, f"demo:{run}:{v}" if k == "client_request_id" else v) for k, v in fields]
            made.append((fields, []))
        return made
    names = [name for name in TYPES if name in codes] or sorted(codes)
    names += sorted(set(codes) - set(names))
    answers: dict[str, list[tuple[str, str]]] = {}
    for number, spot in enumerate(spots(count)):
        person = reporter(number)
        service_code = codes[names[number % len(names)]]
        if service_code not in answers:
            answers[service_code] = await _answers(session, service_code)
        fields = [
            ("jurisdiction_id", "miamidade"),
            ("service_code", service_code),
            ("client_request_id", f"demo:{run}:{number}"),
            *spot.fields(),
            ("description", TEXTS[number % len(TEXTS)]),
            ("first_name", person.first_name),
            ("last_name", person.last_name),
            ("email", person.email),
            ("phone", person.phone),
            *answers[service_code],
        ]
        if service_code.startswith("CODE-") and number % 2:
            # An enforcement complaint without a name and address is held (SB 60 of 2021).
            fields.append(("attribute[REPORTER_ADDRESS]", person.address))
        pictured = number % 10 == 0 and service_code in photographed
        made.append((fields, [("media", photo, "image/jpeg")] if pictured else []))
    return made


async def _answers(session: Session, service_code: str) -> list[tuple[str, str]]:
    """An answer to each required question in the type's definition."""
    intake = session.stack.services["intake"]
    definition = await session.http.get_json(f"{intake}/open311/v2/services/{service_code}.json")
    return [
        (f"attribute[{question['code']}]", str(question["values"][0]["key"]))
        for question in definition["attributes"]
        if question["required"] and question.get("values")
    ]


async def _submit(
    session: Session,
    submissions: Sequence[Form],
    console: Console,
) -> list[str]:
    url = f"{session.stack.services['intake']}/open311/v2/requests.json"
    accepted: list[str] = []
    tokens: list[str] = []
    unnumbered = 0
    refused: Counter[str] = Counter()
    waiting = list(submissions)
    with _progress("sending requests", console) as progress:
        task = progress.add_task("", total=len(submissions))

        async def worker() -> None:
            nonlocal unnumbered
            while waiting:
                fields, attached = waiting.pop(0)
                key = ("api_key", session.stack.api_keys["app"])
                try:
                    answer = await session.http.post_multipart(url, [key, *fields], attached)
                    if token := answer[0].get("token"):
                        tokens.append(token)
                    elif record_id := answer[0]["service_request_id"]:
                        accepted.append(record_id)
                    else:
                        unnumbered += 1
                except HttpError as error:
                    if error.status != 400:
                        raise
                    refused[reason(error)] += 1
                progress.advance(task)

        await asyncio.gather(*(worker() for _ in range(8)))
    accepted += await _numbers(session, tokens)
    console.print(f"accepted {len(accepted) + unnumbered}, refused {refused.total()}")
    if unnumbered:
        console.print(f"  {unnumbered} of a type that never gets a public number, not followed")
    for why, count in refused.most_common():
        console.print(f"  refused {count}: {why}")
    if not accepted:
        raise DemoError("No request was accepted; `make logs S=intake` shows why.")
    return accepted


async def _numbers(session: Session, tokens: Sequence[str]) -> list[str]:
    """The numbers of batch requests, which are issued once their places have been checked."""
    found: dict[str, str] = {}
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while len(found) < len(tokens):
        for token in [each for each in tokens if each not in found]:
            if record_id := await number(session, token):
                found[token] = record_id
        if asyncio.get_running_loop().time() > deadline:
            raise DemoError(f"{len(tokens) - len(found)} tokens have no number yet.")
        await asyncio.sleep(0.2)
    return list(found.values())


async def _follow(
    session: Session, accepted: Sequence[str], console: Console
) -> dict[str, Mapping[str, Any]]:
    """Routing's answer for each request, once each has a department or is held for identity."""
    found: dict[str, Mapping[str, Any]] = {}
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    with _progress("following them until each is routed", console) as progress:
        task = progress.add_task("", total=len(accepted))
        while len(found) < len(accepted):
            for record_id in [each for each in accepted if each not in found]:
                try:
                    job: Any = await session.get("routing", f"/v1/jobs/{record_id}", "agent", "ana")
                except HttpError as error:
                    if error.status != 404:
                        raise
                    continue
                if job.get("routed") or job["status"] == "identity_required":
                    found[record_id] = job
                    progress.advance(task)
            if asyncio.get_running_loop().time() > deadline:
                raise DemoError(
                    f"{len(accepted) - len(found)} requests are not routed after "
                    f"{PATIENCE_SECONDS:.0f} s; `direct311 status` shows what is behind."
                )
            await asyncio.sleep(0.2)
    return found


def _show(routed: Mapping[str, Mapping[str, Any]], console: Console) -> None:
    table = columns(
        "request", "type", "place", "jurisdiction", "department", "due",
        whole=("request",), box=SIMPLE,
    )  # fmt: skip
    for record_id, job in list(routed.items())[:SHOWN]:
        event = job.get("routed")
        if event is None:
            table.add_row(record_id, "", "", "", "held for name and address", "")
            continue
        place = event["place"]
        point = f"{place['latitude']:.3f} {place['longitude']:.3f}" if place.get("latitude") else ""
        table.add_row(
            record_id,
            event["service_code"],
            str(place.get("address") or point or "no point")[:22],
            str(place.get("municipality") or ("unincorporated" if point else "")),
            event["department"],
            str(event.get("due_on") or ""),
        )
    console.print(table)
    departments = Counter(
        job["routed"]["department"] if job.get("routed") else "held for name and address"
        for job in routed.values()
    )
    console.print(", ".join(f"{name} {count}" for name, count in departments.most_common()))


def _of_department(routed: Mapping[str, Mapping[str, Any]], department: str) -> str | None:
    return next((key for key, job in routed.items() if job["department"] == department), None)


async def _read_and_prove(session: Session, record_id: str, console: Console) -> None:
    """Reads one contact with a reason, finds the log entry of that read, and checks its proof
    offline."""
    job: Any = await session.get("routing", f"/v1/jobs/{record_id}", "agent", "ana")
    department = job["department"]
    answer: Any = await session.post(
        "intake",
        f"/v1/requests/{record_id}/contact",
        {
            "purpose": "respond",
            "fields": ["first_name", "phone"],
            "justification": "call back before the visit",
        },
        f"department:{department}",
        "maria",
    )
    console.print(f"\n{department} read {', '.join(answer['fields'])} of {record_id} to respond")
    entry = await _entry(session, record_id, "maria")
    bundle = await session.post(
        "audit",
        "/v1/bundles",
        {"filter": {"record": record_id}, "reference": "DEMO-1"},
        "auditor",
        "ines",
    )
    policy = Policy.parse((session.stack.root / "audit.policy").read_bytes())
    report = verify_bundle(json.dumps(bundle).encode(), policy.trust)
    console.print(
        f"audit entry {entry['index']}: {entry['actor']} · {entry['action']} · "
        f"{entry['purpose']} · {', '.join(entry['fields'])} · {entry['occurred_at']}"
    )
    if not report.ok:
        raise DemoError("The access's proof does not verify.")
    console.print("\n".join(f"  verified: {line}" for line in report.verified))


async def _entry(session: Session, record_id: str, actor: str) -> Mapping[str, Any]:
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    path = f"/v1/entries?record={record_id}&actor={actor}&reference=DEMO-1"
    while True:
        page: Any = await session.get("audit", path, "auditor", "ines")
        if page["entries"]:
            entry: Mapping[str, Any] = page["entries"][0]
            return entry
        if asyncio.get_running_loop().time() > deadline:
            raise DemoError("The access is not in the audit log; `make logs S=audit`.")
        await asyncio.sleep(0.3)


WAITS = (
    "Nothing is destroyed now: somebody has asked for records, and an open request without bounds "
    "stops all destruction. `direct311 case tasks --as carla` names it."
)
"""What the demo says on a stack on which the guides for requesters or custodians were tried."""


async def _retire(session: Session, record_id: str, console: Console) -> None:
    """Work done, retention period expired (as of a later day), two people, destruction,
    certificate."""
    job: Any = await session.get("routing", f"/v1/jobs/{record_id}", "agent", "ana")
    await _department(session.stack, job["department"], record_id)
    as_of = (datetime.now(UTC) + timedelta(days=366 * 6)).date().isoformat()
    await _until(
        lambda: _retention_state(session, record_id, {"closed"}),
        "retention has not seen the request closed",
    )
    await session.post(
        "retention",
        "/v1/expiry",
        {"as_of": as_of, "dry_run": False},
        "custodian",
        "carla",
    )
    await _until(
        lambda: _retention_state(session, record_id, {"eligible"}),
        "the record did not become eligible",
    )
    proposed = await propose(session, record_id)
    if proposed is None:
        console.print("\n" + WAITS)
        return
    disposition = proposed["disposition_id"]
    await session.post(
        "retention",
        f"/v1/dispositions/{disposition}/approve",
        {"set_hash": proposed["set_hash"]},
        "records_officer",
        "raul",
    )
    console.print(f"\ndisposition {disposition} of {record_id} approved by two persons")
    certificate = await _certificate(session, disposition)
    console.print_json(json.dumps(certificate))
    try:
        await session.post(
            "intake",
            f"/v1/requests/{record_id}/contact",
            {
                "purpose": "respond",
                "fields": ["phone"],
                "justification": "checking that it is really gone",
            },
            "agent",
            "ana",
        )
    except HttpError as error:
        console.print(f"asked again, intake answers {error.status}: the record is gone")
    else:
        raise DemoError("The record was certified as destroyed and could be read.")


async def propose(session: Session, record_id: str) -> Mapping[str, Any] | None:
    """Propose the destruction of the record; `None` if a disclosure case or a hold stops it.

    :raises HttpError: retention refuses for another reason.
    """
    try:
        made: Any = await session.post(
            "retention", "/v1/dispositions", {"record_ids": [record_id]}, "custodian", "carla"
        )
    except HttpError as error:
        problem = error.problem if isinstance(error.problem, dict) else {}
        if str(problem.get("type")).endswith(":nothing_to_propose"):
            return None
        raise
    found: Mapping[str, Any] = made
    return found


async def _retention_state(session: Session, record_id: str, wanted: set[str]) -> bool:
    try:
        record: Any = await session.get(
            "retention", f"/v1/records/{record_id}", "custodian", "carla"
        )
    except HttpError:
        return False
    if "closed" in wanted:
        return record.get("eligible_on") is not None
    return record["state"] in wanted


async def _certificate(session: Session, disposition: str) -> Any:
    found: Any = None

    async def issued() -> bool:
        nonlocal found
        answer: Any = await session.get(
            "retention", f"/v1/dispositions/{disposition}", "records_officer", "raul"
        )
        ids = answer.get("certificate_ids") or []
        if not ids:
            return False
        found = await session.get(
            "retention", f"/v1/certificates/{ids[0]}", "records_officer", "raul"
        )
        return True

    await _until(issued, "the certificate was not issued")
    return found


async def _department(stack: LocalStack, department: str, record_id: str) -> None:
    """The example department says that the job is done."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        DEPARTMENT_SCRIPT,
        "answer",
        record_id,
        "fixed",
        "--note",
        "Done.",
        env=os.environ | credentials(stack, department),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    if process.returncode:
        raise DemoError(f"The department's answer was not taken: {said.decode().strip()}")


async def _until(condition: Any, otherwise: str) -> None:
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while not await condition():
        if asyncio.get_running_loop().time() > deadline:
            raise DemoError(f"{otherwise} within {PATIENCE_SECONDS:.0f} s.")
        await asyncio.sleep(0.3)


def _progress(title: str, console: Console) -> Progress:
    return Progress(
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


def _where(stack: LocalStack, console: Console) -> None:
    table = columns("running", "where", whole=())
    for name, url in stack.services.items():
        table.add_row(name, f"{url}/docs" if name != "identity" else url)
    table.add_row("data", str(stack.data_dir))
    table.add_row("logs", str(stack.log_dir))
    console.print(table)
    console.print("`make down` stops it; `make reset` deletes its data.")
