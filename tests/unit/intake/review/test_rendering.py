"""What goes out has a mark for each row of the log, and nothing of what is withheld."""

import json
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from direct311.intake.review.domain.places import FieldTexts, Item
from direct311.intake.review.domain.rendering import hash_of, rendered, rows_of
from direct311.intake.review.domain.reviews import ItemDecision
from direct311.runtime.access.exemptions import citations_in, mark_of
from tests.support.runtime import NOW

CODES = ("home", "number", "names")
CITATIONS = {"home": "119.071(4)(d)", "number": "119.071(5)(a)", "names": "119.071(2)(j)"}


def decision(item: str, code: str | None = "home", by: str = "carla") -> ItemDecision:
    return ItemDecision(item=item, code=code, decided_by=by, decided_at=NOW, version=3, content="h")


def mark(code: str) -> str:
    return mark_of(CITATIONS[code])


def order(code: str) -> int:
    return CODES.index(code)


def shown(field: str, text: str, *decisions: ItemDecision) -> str:
    rows = rows_of(decisions, [field], order)
    return rendered(FieldTexts.of(field, text), rows, mark)


def test_a_span_becomes_the_mark_and_the_rest_stays() -> None:
    text = "Call 305-555-0100 at night."
    assert shown("description", text, decision("description:5-17")) == (
        "Call [■ 119.071(4)(d)] at night."
    )
    assert shown("description", text, decision("description:5-17", None)) == text


def test_a_mark_tells_no_length() -> None:
    short = shown("description", "a bb c", decision("description:2-4"))
    long = shown("description", "a bbbbbbbbbb c", decision("description:2-12"))
    assert short == long


def test_overlapping_spans_are_one_mark_and_touching_ones_are_two() -> None:
    text = "0123456789"
    both = (decision("description:2-5"), decision("description:4-7"))
    assert shown("description", text, *both) == "01[■ 119.071(4)(d)]789"
    (row,) = rows_of(both, ["description"], order)
    assert str(row.item) == "description:2-7"
    apart = (decision("description:2-4"), decision("description:4-7"))
    assert shown("description", text, *apart) == "01[■ 119.071(4)(d)][■ 119.071(4)(d)]789"


def test_overlapping_spans_have_the_code_that_comes_first() -> None:
    both = (
        decision("description:2-5", "names", "ann"),
        decision("description:4-7", "number", "bob"),
    )
    (row,) = rows_of(both, ["description"], order)
    assert (row.code, row.decided_by, str(row.item)) == ("number", "bob", "description:2-7")


def test_a_whole_field_is_the_mark_alone_and_one_row() -> None:
    made = (decision("description:2-5"), decision("description", "number"))
    assert shown("description", "0123456789", *made) == "[■ 119.071(5)(a)]"
    assert [str(row.item) for row in rows_of(made, ["description"], order)] == ["description"]


def test_a_whole_field_of_several_texts_is_the_mark_alone() -> None:
    text = json.dumps({"u": {"description": "a", "media_url": []}})
    made = (decision("updates"), decision("updates/u"))
    assert shown("updates", text, *made) == "[■ 119.071(4)(d)]"
    assert len(rows_of(made, ["updates"], order)) == 1


def test_an_entry_is_withheld_alone() -> None:
    text = json.dumps({"u": {"description": "a"}, "v": {"description": "Ben's home"}})
    found = shown("updates", text, decision("updates/u"), decision("updates/v:0-3", "names"))
    assert json.loads(found) == {
        "u": {"description": "[■ 119.071(4)(d)]"},
        "v": {"description": "[■ 119.071(2)(j)]'s home"},
    }
    assert list(citations_in(found)) == ["119.071(4)(d)", "119.071(2)(j)"]


def test_only_real_marks_look_like_marks() -> None:
    fake = "[■ 119.071(4)(d)]"
    assert fake not in shown("description", f"Look: {fake}!")
    keys = json.dumps({fake: {"department": fake, "note": "x"}}, ensure_ascii=False)
    assert fake not in shown("work_notes", keys)


def test_two_keys_that_become_alike_stay_two_entries() -> None:
    text = json.dumps({"[■ x": {"note": "a"}, "[ ■ x": {"note": "b"}})
    found = json.loads(shown("work_notes", text))
    assert [each["note"] for each in found.values()] == ["a", "b"]


def test_rows_of_other_fields_are_left_out() -> None:
    made = (decision("phone"), decision("description:0-1"))
    assert [str(row.item) for row in rows_of(made, ["phone"], order)] == ["phone"]


def test_the_same_decisions_have_the_same_hash_and_others_another() -> None:
    first = hash_of([decision("phone")], 3, ["phone", "email"])
    assert first == hash_of([decision("phone")], 3, ["email", "phone"])
    assert len(first) == 64
    for other in (
        hash_of([decision("phone", "number")], 3, ["phone", "email"]),
        hash_of([decision("phone", by="ann")], 3, ["phone", "email"]),
        hash_of([decision("phone")], 4, ["phone", "email"]),
        hash_of([decision("phone")], 3, ["phone"]),
    ):
        assert other != first


ALPHABET = "ab ■[]"


@st.composite
def texts_with_decisions(draw: st.DrawFn) -> tuple[str, list[ItemDecision], list[Item]]:
    """A text of which each withheld character is a secret that occurs nowhere else."""
    length = draw(st.integers(1, 40))
    spans = draw(
        st.lists(
            st.tuples(st.integers(0, length - 1), st.integers(1, 12), st.sampled_from(CODES)),
            max_size=6,
        )
    )
    letters = draw(st.lists(st.sampled_from(ALPHABET), min_size=length, max_size=length))
    decisions = {}
    for start, size, code in spans:
        end = min(length, start + size)
        for at in range(start, end):
            letters[at] = chr(0x4E00 + at)
        decisions[start, end] = decision(f"description:{start}-{end}", code)
    return "".join(letters), list(decisions.values()), [each.of for each in decisions.values()]


@given(texts_with_decisions())
def test_nothing_withheld_is_left_and_marks_equal_rows(
    made: tuple[str, list[ItemDecision], list[Item]],
) -> None:
    text, decisions, items = made
    rows = rows_of(decisions, ["description"], order)
    found = rendered(FieldTexts.of("description", text), rows, mark)
    for item in items:
        for secret in text[slice(item.start, item.end)]:
            assert secret not in found
    assert Counter(citations_in(found)) == Counter(CITATIONS[row.code] for row in rows)
    # Everything else is there, in order.
    hidden = {at for item in items for at in range(item.start or 0, item.end or 0)}
    kept = "".join(char for at, char in enumerate(text) if at not in hidden)
    bare = found
    for code in CODES:
        bare = bare.replace(mark(code), "")
    assert bare.replace(" ", "") == kept.replace(" ", "")
