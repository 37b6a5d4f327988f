"""The yearly report of disclosure cases, signed as a whole with the keys of the log.

It is a note (c2sp.org/signed-note). Its text has two lines: the name of this form, and the report
as JSON in one form (keys sorted, no spaces, ASCII). The first line keeps it from passing for a
checkpoint, whose first line is the log's origin.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from direct311.verifier.checkpoint import Trust
from direct311.verifier.event import decode_json
from direct311.verifier.note import Note, NoteError, UnverifiedNoteError
from direct311.verifier.report import Fault, Finding, Report, count

FORM: Final = "direct311-cases-report-v1"
LAW_ENFORCEMENT: Final = ("law_enforcement", "referral")
_KEYS: Final = {"log", "size", "as_of", "year", "kinds", "instruments"}
_SUMMED: Final = ("received", "open", "closed", "released", "withheld")
"""What the lines by instrument add up to, over the kinds of law enforcement."""


def report_text(report: Mapping[str, Any]) -> str:
    """The text that is signed."""
    content = json.dumps(report, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return f"{FORM}\n{content}\n"


def verify_cases_report(data: bytes, trust: Trust) -> Report:
    """Check a saved report: the signature of the log that it names, its form, and that its numbers
    agree with each other."""
    try:
        note = Note.parse(data.decode())
        signed = note.verify(trust.log_keys)
        report = _content(note.text)
        own = [key for key in trust.log_keys if key in signed and key.name == report["log"]]
        if not own:
            raise UnverifiedNoteError("the report is not signed by a key of the log that it names")
    except (NoteError, UnicodeDecodeError) as error:
        return Report((Finding(Fault.NOTE, str(error)),))
    except ValueError as error:
        return Report((Finding(Fault.MALFORMED, str(error)),))
    try:
        findings = [Finding(Fault.MALFORMED, says) for says in _contradictions(report)]
    except (AttributeError, KeyError, TypeError):
        findings = [Finding(Fault.MALFORMED, "a line of the report has another form")]
    if findings:
        return Report(tuple(findings))
    received = sum(each["received"] for each in report["kinds"])
    verified = (
        f"the report of {report['year']} is signed by the log {own[0].name}",
        f"it is made of the log's first {count(report['size'], 'entry')}, as of {report['as_of']}",
        f"it counts {count(received, 'case')}, and its numbers agree with each other",
    )
    notes = (
        "the log vouches for the report; only the entries, which auditors may read, prove its "
        "numbers",
        "a case that was exempt then is not in it",
    )
    return Report((), verified, notes)


def _content(text: str) -> dict[str, Any]:
    form, _, line = text.partition("\n")
    if form != FORM:
        raise ValueError("the note is something else than a report of cases")
    try:
        report = decode_json(line.encode())
    except ValueError:
        raise ValueError("the report is not JSON") from None
    if not isinstance(report, dict) or set(report) != _KEYS:
        raise ValueError("the report has another form")
    if report_text(report) != text:
        raise ValueError("the report is not in its one form")
    return report


def _contradictions(report: Mapping[str, Any]) -> Iterator[str]:
    for where, lines in (("kind", report["kinds"]), ("instrument", report["instruments"])):
        for line in lines:
            name = line[where]
            if line["received"] != line["open"] + line["closed"]:
                yield f"{name}: open and closed cases are not the received ones"
            if sum(line["outcomes"].values()) != line["closed"]:
                yield f"{name}: the outcomes are not those of the closed cases"
    kinds = [line for line in report["kinds"] if line["kind"] in LAW_ENFORCEMENT]
    for what in _SUMMED:
        if sum(line[what] for line in kinds) != sum(line[what] for line in report["instruments"]):
            yield f"the instruments' cases are not those of law enforcement: {what}"
