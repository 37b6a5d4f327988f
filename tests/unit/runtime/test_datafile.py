"""Any data file: what the loader promises to whoever edits one."""

from hashlib import sha256
from pathlib import Path

import pytest

from direct311.runtime.datafile import DataFileError, load
from direct311.schemas import Model


class Plant(Model, extra="forbid"):
    name: str
    height: int
    leaves: tuple[str, ...] = ()


class Garden(Model, extra="forbid"):
    garden: str
    plants: tuple[Plant, ...] = ()


def written(folder: Path, text: str) -> Path:
    path = folder / "garden.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_accepted_file_carries_the_hash_of_its_bytes(tmp_path: Path) -> None:
    path = written(tmp_path, "garden: south\nplants: [{name: fern, height: 2}]\n")
    file = load(Garden, path)
    assert file.content.plants == (Plant(name="fern", height=2),)
    assert file.sha256 == sha256(path.read_bytes()).hexdigest()
    assert file.name == "garden.yaml"


def test_every_problem_is_named_by_entry_and_field(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "garden: south\n"
        "plants:\n"
        "  - {name: fern, height: tall}\n"
        "  - {name: palm, hight: 3}\n"
        "  - {name: moss, height: 1, leaves: [a, 7]}\n",
    )
    with pytest.raises(DataFileError) as refused:
        load(Garden, path)
    assert [problem[:2] for problem in refused.value.problems] == [
        ("fern", "height"),
        ("palm", "height"),
        ("palm", "hight"),
        ("moss", "leaves[1]"),
    ]
    assert str(refused.value).splitlines()[0].startswith("garden.yaml: fern: height: ")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("garden: a\ngarden: b\n", "line 2"),
        ("garden: a\nplants: [}\n", "line 2"),
        ("? [a, b]\n: c\n", "line 1"),
    ],
)
def test_what_is_not_a_clean_yaml_mapping_is_refused_by_line(
    tmp_path: Path, text: str, field: str
) -> None:
    with pytest.raises(DataFileError) as refused:
        load(Garden, written(tmp_path, text))
    assert refused.value.problems[0][1] == field


def test_tags_that_build_objects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileError):
        load(Garden, written(tmp_path, "garden: !!python/object/apply:os.getcwd []\n"))


@pytest.mark.parametrize("text", ["", "just words\n", "- a\n- b\n"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataFileError):
        load(Garden, written(tmp_path, text))


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"garden\.yaml: cannot be read"):
        load(Garden, tmp_path / "garden.yaml")


def test_a_check_of_content_refuses_too(tmp_path: Path) -> None:
    path = written(tmp_path, "garden: south\n")
    with pytest.raises(DataFileError, match=r"garden\.yaml: plants: there are none"):
        load(Garden, path, lambda each: [] if each.plants else [("", "plants", "there are none")])
