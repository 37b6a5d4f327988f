"""Packages of disclosure cases for tests, written from the format alone and not by the code that
releases them: every file, manifest, note and head of the zip can be set apart."""

import csv
import io
import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from direct311.verifier.note import Note, Signer
from tests.support.audit_log import private_key

CASE = "0195567e-8f00-7000-8000-0000000000ca"
HOME = "0195567e-8f00-7000-8000-000000000001"
LAMP = "0195567e-8f00-7000-8000-000000000002"
SIGNER = Signer("direct311/retention", private_key("retention"))
"""Retention's key for events signs packages too."""

MANIFEST, TAG_MANIFEST, NOTE = "manifest-sha256.txt", "tagmanifest-sha256.txt", "tagmanifest.note"
PDF = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n"


def _row(record_id: str, item: str, code: str, citation: str) -> dict[str, Any]:
    return {
        "record_id": record_id,
        "item": item,
        "field": item.partition(":")[0],
        "code": code,
        "citation": citation,
        "decided_by": "carla",
        "decided_at": "2026-12-02T15:00:00Z",
        "version": 3,
    }


def records() -> list[dict[str, Any]]:
    """A protected home, with four things withheld, and a lamp, with nothing withheld."""
    home = "119.071(4)(d)"
    return [
        {
            "record_id": HOME,
            "version": 3,
            "public": {"service_code": "POTHOLE", "status": "closed"},
            "fields": {
                "description": f"Hole before [■ {home}], call [■ {home}] or [■ 119.071(5)(b)].",
                "address": f"[■ {home}]",
                "phone": "305-555-0100",
            },
            "job_history": [{"department": "roads", "until": None}],
        },
        {
            "record_id": LAMP,
            "version": 1,
            "public": {"service_code": "LAMP", "status": "open"},
            "fields": {"description": "The lamp is out — since Monday."},
            "job_history": [],
        },
    ]


def log() -> list[dict[str, Any]]:
    home = ("protected_person", "119.071(4)(d)")
    return [
        _row(HOME, "address", *home),
        _row(HOME, "description:12-30", *home),
        _row(HOME, "description:37-49", *home),
        _row(HOME, "description:53-72", "bank_number", "119.071(5)(b)"),
    ]


PHOTO = b"\xff\xd8 a photo with a black box"
SOUND = b"RIFF a recording as it came"


def with_files(
    told: Sequence[Mapping[str, Any]] | None = None,
    rows: Sequence[Mapping[str, Any]] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> dict[str, bytes]:
    """All files but manifests and note, where the lamp has a photo with two boxes, a recording as
    it came, a video that is withheld for two reasons, and a file that is not kept."""
    there = {file_name("photo", "jpg"): PHOTO, file_name("sound", "wav"): SOUND}
    home, lamp = records()
    told = (
        [
            out("photo", "redacted", "jpg", PHOTO),
            out("sound", "original", "wav", SOUND),
            {"media_id": "video", "outcome": "withheld"},
            {"media_id": "old", "outcome": "not_kept", "reason": "damaged"},
        ]
        if told is None
        else told
    )
    return contents(
        [home, {**lamp, "files": told}],
        [*log(), *(file_rows() if rows is None else rows)],
        there if files is None else files,
    )


def file_name(media_id: str, ending: str) -> str:
    return f"data/media/{LAMP}/{media_id}.{ending}"


def out(media_id: str, outcome: str, ending: str, content: bytes) -> dict[str, Any]:
    """What a record says of a file that goes out."""
    return {
        "media_id": media_id,
        "outcome": outcome,
        "name": file_name(media_id, ending),
        "content_type": "x/y",
        "sha256": sha256(content).hexdigest(),
        "size": len(content),
        "warnings": [],
    }


def file_rows() -> list[dict[str, Any]]:
    home = ("protected_person", "119.071(4)(d)")
    rows = [
        _row(LAMP, "file:photo:1:1", *home),
        _row(LAMP, "file:photo:1:2", *home),
        _row(LAMP, "file:video", *home),
        _row(LAMP, "file:video", "victim", "119.071(2)(j)"),
    ]
    return [{**each, "field": "files"} for each in rows]


def as_json(value: Any) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def as_csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    heads = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(text, heads, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def contents(
    kept: Sequence[Mapping[str, Any]] | None = None,
    withheld: Sequence[Mapping[str, Any]] | None = None,
    media: Mapping[str, bytes] | None = None,
) -> dict[str, bytes]:
    """All files but manifests and note, by name. `media`: the files of records."""
    kept = records() if kept is None else kept
    withheld = log() if withheld is None else withheld
    files = {f"data/records/{each['record_id']}.json": as_json(each) for each in kept}
    files["data/records.csv"] = as_csv(
        [{"record_id": each["record_id"], **each["public"], **each["fields"]} for each in kept]
    )
    files |= media or {}
    oxum = f"{sum(map(len, files.values()))}.{len(files)}"
    files |= {
        "bagit.txt": b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
        "bag-info.txt": (
            "Source-Organization: Miami-Dade County\n"
            f"External-Identifier: {CASE}\nPayload-Oxum: {oxum}\nBagging-Date: 2026-12-02\n"
        ).encode(),
        "letter.pdf": PDF,
        "exemption-log.json": as_json(withheld),
        "exemption-log.csv": as_csv(withheld),
        "exemption-log.pdf": PDF,
        "search-log.json": as_json([{"where": "intake", "hits": 0, "minutes": 5}]),
        "fees.json": as_json({"total": 0}),
    }
    return files


def manifest(files: Mapping[str, bytes]) -> bytes:
    lines = (f"{sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return "".join(lines).encode()


def note(tag_manifest: bytes, case_id: str = CASE, signer: Signer = SIGNER) -> bytes:
    text = f"direct311-package-v1\n{case_id}\n{sha256(tag_manifest).hexdigest()}\n"
    return str(Note(text, (signer.sign(text),))).encode()


def bagged(files: Mapping[str, bytes], signer: Signer = SIGNER) -> dict[str, bytes]:
    """The files with both manifests and the note."""
    data = {name: files[name] for name in files if name.startswith("data/")}
    tags = {name: files[name] for name in files if name not in data}
    tags[MANIFEST] = manifest(data)
    whole = {**data, **tags, TAG_MANIFEST: manifest(tags)}
    return {**whole, NOTE: note(whole[TAG_MANIFEST], signer=signer)}


def deflated(content: bytes) -> bytes:
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    return pack.compress(content) + pack.flush()


def zipped(files: Mapping[str, bytes] | Sequence[tuple[str, bytes]], mode: int = 0o100644) -> bytes:
    """A zip in the form of a package, but with the names and the order that are given."""
    pairs = sorted(files.items()) if isinstance(files, Mapping) else files
    body, directory = bytearray(), bytearray()
    for name, content in pairs:
        packed, encoded = deflated(content), name.encode()
        middle = struct.pack(
            "<5H3I2H",
            *(20, 0, 8, 0, 33),
            *(zlib.crc32(content), len(packed), len(content), len(encoded), 0),
        )
        directory += b"PK\1\2" + struct.pack("<H", 3 << 8 | 20) + middle
        directory += struct.pack("<3H2I", 0, 0, 0, mode << 16, len(body)) + encoded
        body += b"PK\3\4" + middle + encoded + packed
    count = min(len(pairs), 0xFFFF)
    end = struct.pack("<4H2IH", 0, 0, count, count, len(directory), len(body), 0)
    return bytes(body + directory + b"PK\5\6" + end)


def package() -> bytes:
    """A good one."""
    return zipped(bagged(contents()))
