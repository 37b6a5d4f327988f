"""The signed report of cases, checked offline."""

from pathlib import Path
from typing import Any

import pytest

from direct311.verifier.__main__ import main
from direct311.verifier.cases_report import FORM, report_text, verify_cases_report
from direct311.verifier.checkpoint import Trust
from direct311.verifier.note import Note, Signer
from direct311.verifier.report import Fault
from tests.support.audit_log import LOG_SIGNER, private_key, write_log

TRUST = Trust((LOG_SIGNER.key,))
LINE: dict[str, Any] = {
    "received": 3,
    "open": 1,
    "closed": 2,
    "outcomes": {"full": 2},
    "released": 2,
    "withheld": 5,
}
NONE: dict[str, Any] = dict.fromkeys(LINE, 0) | {"outcomes": {}}


def report(**changes: Any) -> dict[str, Any]:
    found = {
        "log": LOG_SIGNER.key.name,
        "size": 40,
        "as_of": "2026-12-01T10:00:00+00:00",
        "year": 2026,
        "kinds": [
            {"kind": "public_records", **LINE},
            {"kind": "law_enforcement", **LINE},
            {"kind": "referral", **NONE},
        ],
        "instruments": [{"instrument": "trial_subpoena", **LINE}],
    }
    return found | changes


def signed(text: str, signer: Signer = LOG_SIGNER) -> bytes:
    return str(Note(text, (signer.sign(text),))).encode()


def test_a_report_that_the_log_signed_is_good() -> None:
    found = verify_cases_report(signed(report_text(report())), TRUST)
    assert found.ok
    assert "it counts 6 cases" in found.text
    assert "first 40 entries" in found.text


def test_another_key_another_log_and_another_note_are_refused() -> None:
    text = report_text(report())
    stranger = Signer(LOG_SIGNER.key.name, private_key("stranger"))
    elsewhere = report_text(report(log="another.example.org"))
    checkpoint = write_log([b"x"], []).checkpoints[1].encode()
    for data in (signed(text, stranger), signed(elsewhere), text.encode(), b"\xff"):
        found = verify_cases_report(data, TRUST)
        assert [each.fault for each in found.findings] == [Fault.NOTE]
    found = verify_cases_report(checkpoint, TRUST)
    assert [each.fault for each in found.findings] == [Fault.MALFORMED]


@pytest.mark.parametrize(
    "text",
    [
        f"{FORM}\nnot json\n",
        f"{FORM}\n[]\n",
        f'{FORM}\n{{"year":2026}}\n',
        report_text(report()).replace('","', '", "'),
        report_text(report()) + "more\n",
        report_text(report(kinds=[1])),
        report_text(report(kinds=None)),
        report_text(report(instruments=[{"instrument": "x"}])),
    ],
)
def test_a_signed_note_of_another_form_is_malformed(text: str) -> None:
    found = verify_cases_report(signed(text), TRUST)
    assert [each.fault for each in found.findings] == [Fault.MALFORMED]


def test_numbers_that_contradict_each_other_are_named() -> None:
    kinds = report()["kinds"]
    wrong = report(kinds=[kinds[0] | {"open": 2}, kinds[1], kinds[2]])
    assert (
        "public_records: open and closed"
        in verify_cases_report(signed(report_text(wrong)), TRUST).text
    )
    wrong = report(kinds=[kinds[0], kinds[1] | {"outcomes": {"full": 1}}, kinds[2]])
    assert (
        "law_enforcement: the outcomes"
        in verify_cases_report(signed(report_text(wrong)), TRUST).text
    )
    wrong = report(instruments=[])
    assert (
        "the instruments' cases are not those"
        in verify_cases_report(signed(report_text(wrong)), TRUST).text
    )


def test_the_command_checks_a_saved_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, changed = tmp_path / "good.note", tmp_path / "changed.note"
    good.write_bytes(signed(report_text(report())))
    changed.write_bytes(good.read_bytes().replace(b'"year":2026', b'"year":2025'))
    key = ["--vkey", str(LOG_SIGNER.key)]
    assert main(["report", str(good), *key]) == 0
    assert capsys.readouterr().out.startswith("GOOD")
    assert main(["report", str(changed), *key]) == 1
    assert "[note]" in capsys.readouterr().out
