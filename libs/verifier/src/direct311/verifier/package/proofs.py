"""The proof in a package: a bundle of the entries that the case's own events have in the log.

It shows that these steps were logged, in this order and at these times, before the package was
built. An entry that stays sealed shows that something was logged then, and no more.
"""

from collections.abc import Sequence
from typing import Any

from direct311.verifier.bundle import verify_bundle
from direct311.verifier.checkpoint import Trust
from direct311.verifier.event import EventKey, decode_json
from direct311.verifier.report import Fault, Finding, Report

PROOFS = "proofs/bundle.json"
_OF_CASES = "gov.miamidade.direct311.disclosure."


def check_proofs(
    data: bytes, trust: Trust, keys: Sequence[EventKey] | None, *, case_id: str
) -> Report:
    """Check the bundle as `verify_bundle` does, and that each event in it is of this case."""
    report = verify_bundle(data, trust, keys)
    findings = [
        Finding(each.fault, each.says, each.index, where=PROOFS) for each in report.findings
    ]
    if not findings:
        findings += [
            Finding(Fault.RECEIPT, "it is of something else than the case", index, where=PROOFS)
            for index, event in _events(decode_json(data))
            if event["subject"] != case_id or not event["type"].startswith(_OF_CASES)
        ]
    said = tuple(f"{PROOFS}: {each}" for each in report.verified)
    return Report(tuple(findings), said, report.notes)


def _events(document: Any) -> list[tuple[int, Any]]:
    return [(each["index"], each["event"]) for each in document["receipts"] if each["event"]]
