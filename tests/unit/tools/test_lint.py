"""The house rules of `tools.lint`: each finds what it is for, and nothing of ours."""

from pathlib import Path

from tools.lint import COPIER, check, check_all

HERE = Path("services/intake/src/direct311/intake/request.py")


def found(text: str, path: Path = HERE) -> list[int]:
    """The lines on which the rules find something."""
    return [finding.line for finding in check(path, text)]


def test_nothing_is_found_in_libraries_and_services() -> None:
    assert check_all() == []


def test_a_copy_by_dictionary_is_found() -> None:
    assert found("after = before.model_copy(update={'statsu': 'closed'})") == [1]
    assert found("after = before.model_copy(update=changes, deep=True)") == [1]
    assert found("after = before.model_copy(**how)") == [1]


def test_a_plain_copy_is_not() -> None:
    assert found("again = before.model_copy(deep=True)") == []


def test_the_one_helper_may_copy_by_dictionary() -> None:
    assert found("model.model_copy(update=changes)", COPIER) == []


def test_replaced_is_for_own_methods() -> None:
    assert found("class A:\n    def moved(self, to):\n        return replaced(self, at=to)") == []
    assert found("after = replaced(before, at=to)") == [1]
    assert found("after = replaced(request.place, at=to)") == [1]


def test_replaced_names_each_field() -> None:
    assert found("class A:\n    def moved(self, **to):\n        return replaced(self, **to)") == [3]
