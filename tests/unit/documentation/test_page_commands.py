"""No page has a command that is neither run by a test nor named with the reason why not."""

import doctest

import pytest

from tests.support.conformance import ROOT
from tests.support.page_commands import Block, blocks, commands, pages, rules


def _unaccounted(page: str, block: Block) -> list[str]:
    if test := rules().elsewhere.get(page, {}).get(block.language):
        assert (ROOT / test).is_file()
        return []
    if block.language == "console":
        assert commands(block)
        return []
    if block.text.startswith(">>> "):
        return []
    return [] if rules().exception(page, block.text) else [f"{page}:{block.line}: {block.first}"]


@pytest.mark.parametrize("page", pages())
def test_every_block_is_run_or_named(page: str) -> None:
    assert [each for block in blocks(page) for each in _of(page, block)] == []


def _of(page: str, block: Block) -> list[str]:
    return _unaccounted(page, block) if block.language in RUNNABLE else []


RUNNABLE = frozenset({"console", "sh", "python", "javascript", "js"})


@pytest.mark.parametrize(
    "entry", rules().not_run, ids=lambda entry: f"{entry.page}: {entry.begins}"
)
def test_what_is_named_is_on_its_page(entry: object) -> None:
    page, begins = getattr(entry, "page", ""), getattr(entry, "begins", "")
    texts = [block.text for block in blocks(page)]
    texts += [
        each.text
        for block in blocks(page)
        if block.language == "console"
        for each in commands(block)
    ]
    assert any(text.startswith(begins) for text in texts)


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
        if block.language == "python" and block.text.startswith(">>> ")
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
