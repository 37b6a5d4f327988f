"""The files of instruments and agencies: what is wrong with one is said when it is loaded."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from direct311.retention.legal_process.adapters import load_agencies, load_instruments
from direct311.runtime.datafile import DataFileError, packaged

FIELDS = tuple(
    field
    for each in yaml.safe_load(packaged("direct311.retention", "instruments.yaml").read_bytes())[
        "classes"
    ]
    for field in each["fields"]
)


def changed(name: str, where: Path, entry: int | None = 0, **changes: Any) -> Path:
    """The packaged file with something else in one entry, or in the file itself."""
    tree = yaml.safe_load(packaged("direct311.retention", name).read_bytes())
    (tree if entry is None else tree["list"][entry]).update(changes)
    where = where / name
    where.write_text(yaml.safe_dump(tree, sort_keys=False))
    return where


@pytest.mark.parametrize(
    ("entry", "field", "changes"),
    [
        (0, "approvers", {"approvers": []}),
        (0, "approvers", {"approvers": ["king"]}),
        (0, "approvers", {"approvers": ["counsel", "counsel"]}),
        (0, "opens", {"opens": ["everything"]}),
        (0, "opens", {"opens": []}),
        (0, "verify", {"verify": ["instrument"]}),
        (0, "documents", {"documents": []}),
        (0, "most_persons", {"most_persons": 0}),
        (0, "most_persons", {"most_persons": 501}),
        (8, "grant_hours", {"grant_hours": 0}),
        (8, "follow_up_hours", {"follow_up_hours": None}),
        (8, "verify", {"verify": ["instrument", "officer"]}),
        (0, "instrument", {"instrument": "warrant"}),
        (None, "refusals", {"refusals": ["too_broad"]}),
        (None, "threats", {"threats": []}),
        (None, "ways", {"ways": ["courier", "courier"]}),
        (None, "fields", {"classes": [{"opens": "contact", "fields": ["shoe_size"]}]}),
        (
            None,
            "fields",
            {"classes": [{"opens": each, "fields": ["phone"]} for each in ("one", "other")]},
        ),
    ],
)
def test_a_file_of_instruments_that_promises_too_much_or_nothing_is_refused(
    tmp_path: Path, entry: int | None, field: str, changes: dict[str, Any]
) -> None:
    path = changed("instruments.yaml", tmp_path, entry, **changes)
    with pytest.raises(DataFileError) as error:
        load_instruments(path, fields=FIELDS, local=True)
    assert field in {found for _, found, _ in error.value.problems}


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("number", {"number": "the one in the letter"}),
        ("number", {"number": "+1 305 555 0142"}),
        ("agency", {"agency": "sample_police"}),
        ("read_on", {"confirmed": True}),
        ("confirmed", {"confirmed": True, "sample": True}),
    ],
)
def test_a_file_of_agencies_with_a_wrong_number_is_refused(
    tmp_path: Path, field: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(DataFileError) as error:
        load_agencies(changed("agencies.yaml", tmp_path, **changes), local=True)
    assert field in {found for _, found, _ in error.value.problems}


def test_what_nobody_confirmed_does_not_load_outside_the_local_stack(tmp_path: Path) -> None:
    instruments = changed("instruments.yaml", tmp_path, 5, confirmed=True)
    found = load_instruments(instruments, fields=FIELDS, local=False)
    assert [each.instrument for each in found.list] == ["warrant"]
    agencies = changed("agencies.yaml", tmp_path, confirmed=True, read_on="2026-11-30")
    assert [each.agency for each in load_agencies(agencies, local=False).list] == [
        "miami_dade_sheriff"
    ]
    assert load_instruments(fields=FIELDS, local=False).list == ()
    assert load_agencies(local=False).list == ()


def test_the_samples_have_numbers_that_are_kept_for_fiction() -> None:
    for each in load_agencies(local=True).list:
        assert each.sample == ("555 01" in each.number)
