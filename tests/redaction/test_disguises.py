"""How many numbers in disguise are found, and how much that only looks like them: made by rule."""

from collections import defaultdict

import pytest

from direct311.redaction import Kind, redact
from tests.redaction.disguises import (
    DISGUISES,
    INNOCENT,
    LANGUAGES,
    MAILS,
    Sample,
    found_in,
    innocents,
    samples,
)

EACH = 12
PROMISED = 0.99
"""Of each disguise, over kinds and languages."""
TAKEN = {"folio", "folio alone", "order number", "parcel", "id of a request"}
"""Three, three and four digits, or nine or ten, can stand in them side by side. Where a number
could be either of two things it goes, as before any disguise was read."""
MOST_WRONG = 0.005


Found = list[tuple[Sample, bool]]


@pytest.fixture(scope="module")
def found() -> Found:
    return [(each, each.hidden(redact(each.text))) for each in samples(EACH)]


@pytest.mark.policy("P5")
@pytest.mark.parametrize("disguise", sorted({*DISGUISES, *MAILS}))
def test_of_each_disguise_nearly_all_are_found(disguise: str, found: Found) -> None:
    these = [hit for each, hit in found if each.disguise == disguise]
    assert len(these) >= EACH * len(LANGUAGES)
    assert sum(these) / len(these) >= PROMISED


@pytest.mark.policy("P5")
@pytest.mark.parametrize("language", LANGUAGES)
def test_in_each_language_nearly_all_are_found(language: str, found: Found) -> None:
    hits = [hit for each, hit in found if each.language == language]
    assert sum(hits) / len(hits) >= PROMISED


def test_what_only_looks_like_a_number_of_somebodys_stays() -> None:
    wrong = total = 0
    for each in innocents(40):
        if each.what not in TAKEN:
            total += 1
            wrong += bool(found_in(redact(each.text)))
    assert total > 3000
    assert wrong / total <= MOST_WRONG


def test_the_figures_by_kind_and_disguise(found: Found, capsys: pytest.CaptureFixture[str]) -> None:
    kinds: tuple[Kind, ...] = ("card", "bank", "social_security", "telephone", "email")
    cells: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for each, hit in found:
        cells[each.disguise, each.kind].append(hit)
    taken: dict[str, list[bool]] = defaultdict(list)
    for innocent in innocents(20):
        taken[innocent.what].append(bool(found_in(redact(innocent.text))))
    hits = sum(hit for _, hit in found)
    wrong = sum(map(sum, taken.values()))
    lines = [f"| disguise | {' | '.join(kinds)} |", "|---" * (len(kinds) + 1) + "|"]
    for disguise in (*DISGUISES, *(each for each in MAILS if each not in DISGUISES)):
        shown = [
            f"{sum(cell)}/{len(cell)}" if (cell := cells.get((disguise, kind))) else ""
            for kind in kinds
        ]
        lines.append(f"| {disguise} | {' | '.join(shown)} |")
    lines.append(f"recall {hits / len(found):.2%} of {len(found)}")
    lines.append(
        f"precision {hits / (hits + wrong):.2%}: {wrong} of {sum(map(len, taken.values()))}"
    )
    lines += [f"  {what}: {sum(each)} of {len(each)}" for what, each in taken.items() if any(each)]
    with capsys.disabled():
        print("\n" + "\n".join(lines))  # noqa: T201
    assert set(taken) == set(INNOCENT)
    assert hits / (hits + wrong) >= 0.97
