"""Intake, routing, media and audit as retention's packages see them: a small HTTP application with
their calls, for tests of what is done with the answers. `tests/contract/test_record_owners.py` says
what it promises."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import httpx
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from direct311.redaction.leaks import Fingerprint, Keyed, WithheldValue, fingerprints
from direct311.runtime.peers import HttpClient, Peer

DECIDED_AT = "2026-02-27T15:30:00Z"
CITATION = "119.071(4)(d)"
MARK = f"[■ {CITATION}]"
PROBLEM = "urn:direct311:problem:"
RECIPIENTS = ("requester", "law_enforcement_agency")


def record(
    number: int,
    *,
    withheld: int = 1,
    text: str = "The bridge near {} shakes.",
    version: int = 2,
    files: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What intake answers about a record with so many withheld spans, all in its description.
    `files`: their ids, each with its state."""
    rows = [
        {
            "item": f"description:{16 + 7 * each}-{22 + 7 * each}",
            "field": "description",
            "code": "protected_person",
            "citation": CITATION,
            "decided_by": "rita",
            "decided_at": DECIDED_AT,
            "version": version,
        }
        for each in range(withheld)
    ]
    return {
        "version": version,
        "decisions": sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest(),
        "public": {
            "service_code": "BRIDGE",
            "lat": round(25.76 + number / 1000, 3),
            "status": "open",
        },
        "fields": {"description": text.format(" ".join([MARK] * withheld) or "5th Street")},
        "withheld": rows,
        "files": [{"media_id": each, "state": state} for each, state in (files or {}).items()],
    }


@dataclass
class MadeFile:
    """A file as media renders it. `boxes`: the pages that have boxes, one for each; without any the
    file goes out as it came. `withheld`: nothing of it goes out. `torn`: how many bytes are missing
    at its end. `original`: what came, of which something is withheld; `texts`: the withheld ones,
    each with its kind. `lost`: the store has it no more."""

    content: bytes = b""
    content_type: str = "image/jpeg"
    boxes: tuple[int, ...] = ()
    withheld: bool = False
    warnings: tuple[str, ...] = ()
    unrenderable: str | None = None
    torn: int = 0
    version: int = 1
    original: bytes = b""
    texts: tuple[tuple[str, str], ...] = ()
    lost: bool = False

    @property
    def decisions(self) -> str:
        said = (self.boxes, self.withheld, self.version)
        return sha256(repr(said).encode()).hexdigest()

    def exemptions(self, media_id: str) -> dict[str, Any]:
        """What `…/exemptions` answers."""
        item = f"file:{media_id}"
        items = [item] if self.withheld else [f"{item}:p{page}" for page in self.boxes]
        rows = [
            {
                "item": each,
                "field": "media_original",
                "code": "protected_photograph",
                "citation": CITATION,
                "decided_by": "rita",
                "decided_at": DECIDED_AT,
                "version": self.version,
            }
            for each in items
        ]
        found = {
            "record_id": "record",
            "media_id": media_id,
            "version": self.version,
            "decisions": self.decisions,
            "outcome": "withhold" if self.withheld else "redact" if self.boxes else "release",
            "withheld": rows,
        }
        return found | ({"unrenderable": self.unrenderable} if self.unrenderable else {})


@dataclass
class RecordOwners:
    """`records`: what intake answers, by record id; a word instead is the code of a refusal with
    409. `granted`: the records for which the grant is known; `None`: for all. `jobs`: what routing
    answers. `files`: what media renders, by file; a word instead is the code of a refusal with
    409. `withheld`: the values that intake withholds, by record id, each with its kind;
    `withheld_then`: those that it withheld when decisions with this hash rendered the record.
    `asked`: each call, as path, body and the headers of its two tokens. `away`: nobody answers;
    `log_away`: audit does not. `proofs`: how often audit has proved a case."""

    records: dict[str, dict[str, Any] | str] = field(default_factory=dict)
    granted: set[str] | None = None
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, MadeFile | str] = field(default_factory=dict)
    withheld: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    withheld_then: dict[tuple[str, str], list[tuple[str, str]]] = field(default_factory=dict)
    asked: list[tuple[str, Any, str, str]] = field(default_factory=list)
    away: bool = False
    log_away: bool = False
    proofs: int = 0
    token_refused: bool = False

    def record_of(self, media_id: str) -> str:
        """Which record the file came with."""
        for record_id, each in self.records.items():
            files = each["files"] if isinstance(each, dict) else ()
            if any(file["media_id"] == media_id for file in files):
                return record_id
        raise LookupError("a file of no record")

    def app(self) -> FastAPI:
        """The services in one application."""
        app = FastAPI()

        @app.post("/internal/cases/{case_id}/records/{record_id}/rendering")
        async def rendering(case_id: str, record_id: str, request: Request) -> JSONResponse:
            if (refused := await self._refused(record_id, request)) is not None:
                return refused
            said = await request.json()
            if set(said) != {"recipient"} or said["recipient"] not in RECIPIENTS:
                return _problem(422, "malformed")
            found = self.records.get(record_id)
            if found is None:
                return _problem(404, "unknown_record")
            if isinstance(found, str):
                return _problem(409, found)
            return JSONResponse({"record_id": record_id, **found})

        @app.post("/v1/jobs/{record_id}/history")
        async def history(record_id: str, request: Request) -> JSONResponse:
            if (refused := await self._refused(record_id, request)) is not None:
                return refused
            found = self.jobs.get(record_id)
            return _problem(404, "not_found") if found is None else JSONResponse(found)

        @app.post("/internal/cases/{case_id}/files/{media_id}/rendering")
        async def file(case_id: str, media_id: str, request: Request) -> Response:
            if (refused := await self._refused(media_id, request)) is not None:
                return refused
            if (await request.json()).get("recipient") != "requester":
                return _problem(422, "malformed")
            found = self.files.get(media_id)
            if found is None:
                return _problem(404, "not_found")
            if isinstance(found, str):
                return _problem(409, found)
            if found.withheld:
                return JSONResponse(found.exemptions(media_id))
            headers = {
                "Direct311-Sha256": sha256(found.content).hexdigest(),
                "Direct311-Kind": "redacted" if found.boxes else "original",
                "Direct311-Warnings": ",".join(found.warnings),
                "Direct311-Decisions": found.decisions,
                "Direct311-Version": str(found.version),
            }
            sent = found.content[: len(found.content) - found.torn]
            return Response(sent, media_type=found.content_type, headers=headers)

        @app.post("/internal/cases/{case_id}/files/{media_id}/exemptions")
        async def exemptions(case_id: str, media_id: str, request: Request) -> Response:
            if (refused := await self._refused(media_id, request)) is not None:
                return refused
            found = self.files.get(media_id)
            if not isinstance(found, MadeFile):
                return _problem(409, found) if found else _problem(404, "not_found")
            return JSONResponse(found.exemptions(media_id))

        @app.post("/internal/cases/{case_id}/files/{media_id}/leaks")
        async def leaks_of_file(case_id: str, media_id: str, request: Request) -> JSONResponse:
            if (refused := await self._refused(media_id, request)) is not None:
                return refused
            question = await request.json()
            found = self.files.get(media_id)
            if not isinstance(found, MadeFile):
                return _problem(404, "not_found")
            if found.lost:
                return _problem(410, "not_readable")
            if found.decisions != question["decisions"] and not question["released"]:
                return _problem(409, "changed")
            key = base64.b64decode(question["key"])
            record_id = self.record_of(media_id)
            values = [WithheldValue(record_id, kind, text) for kind, text in found.texts]
            mac = Keyed(key).file_mac(sha256(found.original).digest())
            return JSONResponse(
                {
                    "record_id": record_id,
                    "fingerprints": [_shown(each) for each in fingerprints(key, values)],
                    "files": [mac.hex()],
                }
            )

        @app.post("/internal/cases/{case_id}/leaks")
        async def leaks(case_id: str, request: Request) -> JSONResponse:
            question = await request.json()
            asked = question.get("record_ids", [])
            before = [
                (each["record_id"], each["decisions"]) for each in question.get("released", ())
            ]
            for record_id in (*asked, *(record_id for record_id, _ in before)):
                if (refused := await self._refused(record_id, request)) is not None:
                    return refused
            values = [
                WithheldValue(record_id, kind, text)
                for record_id in asked
                for kind, text in self.withheld.get(record_id, ())
            ]
            values += [
                WithheldValue(each[0], kind, text)
                for each in before
                for kind, text in self.withheld_then.get(each, ())
            ]
            found = fingerprints(base64.b64decode(question["key"]), values)
            return JSONResponse({"fingerprints": [_shown(each) for each in found]})

        @app.post("/internal/cases/{case_id}/proof")
        async def proof(case_id: str, request: Request) -> JSONResponse:
            own = request.headers.get("authorization", "")
            self.asked.append((request.url.path, None, own, ""))
            if self.away or self.log_away:
                return _problem(503, "unavailable")
            # The log grows, so no two answers are the same.
            self.proofs += 1
            return JSONResponse(
                {
                    "format": "direct311-bundle-v1",
                    "checkpoint": f"checkpoint {self.proofs}",
                    "vkeys": [],
                    "keys": [],
                    "receipts": [{"index": 1, "event": {"subject": case_id}}],
                }
            )

        return app

    async def _refused(self, record_id: str, request: Request) -> JSONResponse | None:
        own, person = (
            request.headers.get(name, "") for name in ("authorization", "x-on-behalf-of")
        )
        self.asked.append((request.url.path, await request.json(), own, person))
        if self.away:
            return _problem(503, "unavailable")
        if self.token_refused or not person:
            return _problem(401, "unauthenticated")
        if self.granted is not None and record_id not in self.granted:
            return _problem(403, "disclosure_case")
        return None

    def peer(self) -> Peer:
        """A client of it, without a socket."""
        transport = httpx.ASGITransport(app=self.app(), raise_app_exceptions=False)
        return Peer("http://owners.test", HttpClient(transport=transport), ExchangedTokens())

    def paths(self) -> list[str]:
        """The calls, in order."""
        return [path for path, *_ in self.asked]


class ExchangedTokens:
    """The tokens of retention, and those that it gets for a person."""

    async def get(self) -> str:
        return "service:svc-retention"

    async def exchanged(self, authorization: str) -> str:
        return f"exchanged:{authorization.removeprefix('Bearer ')}"


def job(record_id: str) -> Mapping[str, Any]:
    """What routing answers about a record."""
    return {"record_id": record_id, "department": "public_works", "revision": 1, "updates": 0}


def _shown(each: Fingerprint) -> dict[str, Any]:
    return {
        "record_id": each.record_id,
        "kind": each.kind,
        "length": each.length,
        "window": each.window,
        "rolling": f"{each.rolling:016x}",
        "mac": each.mac.hex(),
        "own": each.own,
    }


def _problem(status: int, code: str) -> JSONResponse:
    return JSONResponse({"type": PROBLEM + code, "status": status}, status)
