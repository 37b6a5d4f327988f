"""A package went out wrongly: it is recalled, the log says who got it and whom it is about, and
these people are told, at addresses that nobody sees."""

import asyncio
import csv
import email
import json
import os
import sys
from datetime import UTC, datetime
from email import policy
from pathlib import Path
from uuid import uuid4

import pytest

from tests.e2e.test_case_review import code, settled
from tests.e2e.test_public_records_all_the_way import PublicCase
from tests.support.county import County, Document, until
from tests.support.submissions import submission

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P13", "P21")]

LETTER = "LETTER-108"
LAW = "119.071(5)(a)"


async def released(work: PublicCase, *record_ids: str) -> str:
    """Review, collect, build, approve and release; in each description the words from `Ring` on are
    withheld."""
    for record_id in record_ids:
        shown = await work.reviewed(record_id)
        text = str(shown["texts"]["description"])
        start = text.find("Ring")
        choices = [(f"description:{start}-{len(text)}", "social_security_number")] * (start > 0)
        done = await work.decide(record_id, shown["version"], *choices)
        assert done.json()["reviewed"] is True, done.text

    async def collected() -> bool:
        return not (await work.desk("POST", "/collection", {})).json()["remaining"]

    await until(collected, "the records are collected")
    built = await work.built()
    assert built.status_code == 201, built.text
    package = str(built.json()["packages"][-1]["sha256"])
    await work.approve_package(package, "records_officer")
    await work.approve_package(package, "counsel")
    out = await work.desk("POST", f"/packages/{package}/release", {})
    assert out.status_code == 200, out.text
    return package


def mailed(county: County, record_id: str) -> list[email.message.EmailMessage]:
    """The messages about a request that the mail server of the stack has."""
    found = []
    for path in (county.stack.root / "mail").rglob("new/*"):
        message = email.message_from_bytes(path.read_bytes(), policy=policy.default)
        if f"-{record_id}@" in str(message["Message-ID"]):
            found.append(message)
    return found


async def command(county: County, *words: str) -> tuple[int, str]:
    environ = {"DIRECT311_STACK": str(county.stack.root / "dev.json"), "COLUMNS": "160"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "direct311.cli", "case", *words),
        env=os.environ | environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def test_a_package_that_went_out_wrongly_is_recalled_and_its_people_are_told(
    county: County, tmp_path: Path
) -> None:
    tag = uuid4().hex[:8]
    first, second = submission(4_985), submission(4_986)
    ids = [
        await county.accepted(first | {"description": f"A bird {tag}. Ring 078."}),
        await county.accepted(second | {"description": f"A bird {tag} again."}),
    ]
    for record_id in ids:
        await settled(county, record_id)
    work = PublicCase(county)
    await work.opened()

    async def identified() -> bool:
        order = {"record_ids": ids, "complete": True}
        return (await work.desk("POST", "/records", order)).status_code == 200

    await until(identified, "the inventory knows the records")
    began = datetime.now(UTC)
    await work.granted(*ids)
    package = await released(work, *ids)
    assert (await work.by_token("/package")).status_code == 200

    # What was withheld in it is in the log of exemptions over all cases, without its value.
    rows: list[Document] = []
    for role, letter in (("records_officer", ""), ("auditor", f"&reference={LETTER}")):
        path = f"/v1/exemption-log?case={work.case_id}{letter}"
        answer = await county.ask("GET", "retention", path, role, "olga")
        assert answer.status_code == 200, answer.text
        rows = answer.json()["rows"]
        assert [(each["record_id"], each["citation"], each["package"]) for each in rows] == [
            (ids[0], LAW, package)
        ]
        assert (rows[0]["decided_by"], answer.json()["counts"]) == (work.worker, {LAW: 1})
        assert "078" not in answer.text
    path = f"/v1/exemption-log?case={work.case_id}"
    assert (await county.ask("GET", "retention", path, "auditor", "ada")).status_code == 422

    # It should not have gone out. Recalled, nobody fetches it any more.
    done, said = await command(
        county, "recall", work.case_id, package, "--reason", "wrong_record", "--as", work.custodian
    )
    assert (done, "recalled at" in said) == (0, True), said
    refused = await work.by_token("/package")
    assert code(refused) == (410, "recalled"), refused.text
    assert b"PK" not in refused.content
    # What was withheld in it stays in the log of exemptions, marked.
    answer = await county.ask("GET", "retention", path, "records_officer", "olga")
    assert [each.pop("recalled_at") is None for each in answer.json()["rows"]] == [False]
    assert answer.json()["counts"] == {LAW: 1}

    # Who got it: the log has the one download by the requester's token.
    async def downloads() -> list[Document]:
        path = f"/v1/entries?case={work.case_id}&action=export&reference={LETTER}&limit=100"
        found = (await county.get("audit", path, "auditor"))["entries"]
        return [each for each in found if each["actor"] == "svc:intake"]

    async def logged() -> bool:
        return bool(await downloads())

    await until(logged, "the log has the download")
    assert len(await downloads()) == 1

    async def in_register() -> bool:
        path = f"/v1/cases/{work.case_id}?reference={LETTER}"
        answer = await county.ask("GET", "audit", path, "auditor", "ada")
        return answer.status_code == 200 and "package_recalled" in answer.text

    await until(in_register, "the register has the recall")

    # Whom it is about, from what was disclosed for it; and they are told.
    until_then = datetime.now(UTC)
    words = [
        *("breach-notice", str(tmp_path / "notices"), "--as", "cora", "--send"),
        *("--actor", work.worker, "--service", "intake", "--notice", f"breach-{tag}"),
        *("--since", began.isoformat(), "--until", until_then.isoformat()),
        *("--reference", LETTER),
    ]

    async def scope() -> bool:
        body = {
            "actor": work.worker,
            "service": "intake",
            "since": began.isoformat(),
            "until": until_then.isoformat(),
            "reference": LETTER,
        }
        answer = await county.ask("POST", "audit", "/v1/breaches", "auditor", "ada", body)
        assert answer.status_code == 200, answer.text
        return {each["record_id"] for each in answer.json()["records"]} >= {*ids}

    await until(scope, "the scope has both records")
    done, said = await command(county, *words)
    assert done == 0, said
    assert "each individual" in " ".join(said.split())
    assert "sent: 2" in said
    with (tmp_path / "notices" / "records.csv").open(newline="") as file:
        outcomes = {row["record_id"]: row["outcome"] for row in csv.DictReader(file)}
    assert outcomes == dict.fromkeys(ids, "sent")
    for record_id, reporter in zip(ids, (first, second), strict=True):
        (message,) = mailed(county, record_id)
        assert str(message["To"]) == reporter["email"]
        body = message.get_content()
        assert record_id in body
        for value in (reporter["phone"], reporter["last_name"], tag):
            assert value not in body
        assert reporter["email"] not in said

    # Once, and the log proves to whom.
    done, said = await command(county, *words)
    assert (done, "sent_before: 2" in said) == (0, True), said
    assert [len(mailed(county, each)) for each in ids] == [1, 1]

    async def told() -> bool:
        path = f"/v1/entries?record={ids[0]}&action=disclose&reference={LETTER}&limit=100"
        found = (await county.get("audit", path, "auditor"))["entries"]
        return any(each["actor"] == "svc:intake" for each in found)

    await until(told, "the log has the notice")
    # No role but counsel's tells anybody.
    order = {
        "notice_id": "x",
        "began_on": "2026-11-20",
        "ended_on": "2026-11-20",
        "records": [{"record_id": ids[0]}],
    }
    for service, path in (("intake", "/v1/breach-notices"), ("retention", "/v1/breach-letters")):
        answer = await county.ask("POST", service, path, "custodian", "carla", order)
        assert answer.status_code == 403, answer.text
    letters = await county.ask("POST", "retention", "/v1/breach-letters", "counsel", "cora", order)
    assert (letters.status_code, letters.content[:5]) == (200, b"%PDF-"), letters.text
    assert first["email"] not in json.dumps(rows)
    closed = await work.desk("POST", "/close", {"outcome": "part"})
    assert closed.status_code == 200, closed.text
