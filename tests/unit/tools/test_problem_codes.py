"""The table of problem codes is complete, and so is the page that is made of it."""

from direct311.runtime.http.fields import FIELD_CODES
from direct311.runtime.http.problem_codes import PROBLEMS, of_the_framework
from tools.problem_codes import PAGE, ROOT, named, page

NAMED = named()


def test_there_is_something_to_check() -> None:
    assert {"not_found", "too_deep", "consent", "internal"} <= {each.code for each in NAMED}


def test_every_code_that_is_named_is_in_the_table() -> None:
    assert [each for each in NAMED if each.code not in PROBLEMS] == []


def test_every_code_of_the_table_is_still_answered() -> None:
    sources = [
        path.read_text(encoding="utf-8")
        for pattern in ("libs/runtime/src/**/*.py", "services/*/src/**/*.py")
        for path in ROOT.glob(pattern)
        if path.name != "problem_codes.py"
    ]
    of_the_edge = {of_the_framework(status)[0] for status in range(400, 600)}
    unused = [code for code in PROBLEMS if not any(f'"{code}"' in text for text in sources)]
    assert [code for code in unused if code not in of_the_edge] == []


def test_every_code_of_a_single_error_is_on_the_page_and_given_somewhere() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8")
        for pattern in ("libs/runtime/src/**/*.py", "services/*/src/**/*.py")
        for path in ROOT.glob(pattern)
    )
    told = page()
    for code in FIELD_CODES:
        assert f"| `{code}` |" in told
        # Once in the table, and once where it is given.
        assert sources.count(f'"{code}"') > 1, code


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()
