"""The receipt of a release: an entry of the audit log that says which package went out."""

from collections.abc import Sequence

from direct311.verifier.bundle import verify_receipt
from direct311.verifier.checkpoint import Trust
from direct311.verifier.event import EventKey, decode_json
from direct311.verifier.report import Fault, Finding, Report

RELEASED = "gov.miamidade.direct311.disclosure.released.v1"


def check_release(
    data: bytes,
    trust: Trust,
    keys: Sequence[EventKey] | None,
    *,
    package: str,
    case_id: str,
    where: str,
) -> Report:
    """Check a receipt as `verify_receipt` does, and that it is of the release of this package.

    `package` is the SHA-256 of the zip, `where` names the receipt in findings.
    """
    report = verify_receipt(data, trust, keys)
    findings = [Finding(each.fault, each.says, each.index, where=where) for each in report.findings]
    if not findings:
        event = decode_json(data)["event"]
        findings += [
            Finding(Fault.RECEIPT, says, where=where)
            for says in _differences(event, package, case_id)
        ]
    said = (*report.verified, f"{where}: it says that this package was released")
    return Report(tuple(findings), said, report.notes)


def _differences(event: object, package: str, case_id: str) -> list[str]:
    if not isinstance(event, dict):
        return ["its entry stays sealed, so that it shows no release"]
    body = event["body"]
    if event["type"] != RELEASED or not isinstance(body, dict):
        return ["it is the receipt of something else than a release"]
    wrong = []
    if body.get("package") != package:
        wrong.append("another package was released: its SHA-256 differs")
    if body.get("case_id") != case_id or event["subject"] != case_id:
        wrong.append("the release was of another case")
    return wrong
