"""No page has a command that is neither run by a test nor named with the reason why not."""

import doctest

import pytest

from tests.support.conformance import ROOT
from tests.support.page_commands import RUN, Block, NotRun, blocks, commands, pages, rules

SESSION = ">>> "
"""How a session of Python's own shell begins."""


@pytest.mark.parametrize("page", pages())
def test_every_block_is_run_or_named(page: str) -> None:
    found = [block for block in blocks(page) if block.language in RUN]
    assert [f"line {block.line}" for block in found if not _accounted(page, block)] == []


def _accounted(page: str, block: Block) -> bool:
    if test := rules().elsewhere.get(page, {}).get(block.language):
        return (ROOT / test).is_file()
    if block.language == "console":
        return bool(commands(block))
    return block.text.startswith(SESSION) or rules().exception(page, block.text) is not None


@pytest.mark.parametrize("named", rules().not_run, ids=str)
def test_what_is_named_is_on_its_page(named: NotRun) -> None:
    found = blocks(named.page)
    texts = [block.text for block in found]
    texts += [
        each.text for block in found if block.language == "console" for each in commands(block)
    ]
    assert [text for text in texts if text.startswith(named.begins)]


def test_a_command_has_its_lines_and_its_output() -> None:
    block = Block(
        "console",
        "$ echo a \\\n    b\na b\n$ cat <<'END'\nx\nEND\nx\n$ say '{\n}'\n$ true",
        10,
    )
    assert [(each.text, each.shown, each.line) for each in commands(block)] == [
        ("echo a \\\n    b", "a b", 11),
        ("cat <<'END'\nx\nEND", "x", 14),
        ("say '{\n}'", "", 18),
        ("true", "", 20),
    ]


@pytest.mark.parametrize(
    ("page", "block"),
    [
        (page, block)
        for page in pages()
        for block in blocks(page)
        if block.language == "python" and block.text.startswith(SESSION)
    ],
)
def test_a_python_session_answers_as_its_page_shows(page: str, block: Block) -> None:
    session = doctest.DocTestParser().get_doctest(block.text + "\n", {}, page, page, block.line)
    runner = doctest.DocTestRunner(verbose=False)
    assert runner.run(session).failed == 0


def test_code_that_a_page_quotes_is_in_its_file() -> None:
    quoted = 0
    for block in (each for page in pages() for each in blocks(page) if each.language == "python"):
        for piece in block.text.split("\n\n\n"):
            first, _, code = piece.partition("\n")
            if first.startswith("# ") and first.endswith(".py"):
                quoted += 1
                text = (ROOT / first.removeprefix("# ")).read_text(encoding="utf-8")
                lines = {line.strip() for line in text.splitlines()}
                assert [line for line in code.splitlines() if line.strip() not in lines] == []
    assert quoted >= 3
