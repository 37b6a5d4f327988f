"""The table of problem codes is complete, and so is the page that is made of it."""

from direct311.runtime.http.problem_codes import PROBLEMS
from tools.problem_codes import PAGE, ROOT, named, page

NAMED = named()


def test_there_is_something_to_check() -> None:
    assert {"not_found", "too_deep", "consent", "internal"} <= {each.code for each in NAMED}


def test_every_code_that_is_named_is_in_the_table() -> None:
    assert [each for each in NAMED if each.code not in PROBLEMS] == []


def test_who_names_a_status_names_one_of_the_table() -> None:
    otherwise = [
        each
        for each in NAMED
        if each.status is not None
        and each.status not in (PROBLEMS[each.code].status, *PROBLEMS[each.code].elsewhere)
    ]
    assert otherwise == []


def test_every_code_of_the_table_is_still_answered() -> None:
    sources = [
        path.read_text(encoding="utf-8")
        for pattern in ("libs/runtime/src/**/*.py", "services/*/src/**/*.py")
        for path in ROOT.glob(pattern)
        if path.name != "problem_codes.py"
    ]
    assert [code for code in PROBLEMS if not any(f'"{code}"' in text for text in sources)] == []


def test_what_the_reporter_does_knows_no_status() -> None:
    reporter = [each for each in NAMED if "reporter" in each.path.parts]
    assert len(reporter) > 10
    assert [each for each in reporter if each.status is not None] == []


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()
