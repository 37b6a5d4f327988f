"""Where a text stands in a record, and which part of it an item names."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.intake.review.domain.places import FieldTexts, Item, item_of


def same(text: str) -> str:
    return text


def places(field: str, value: object) -> dict[str, str]:
    found = FieldTexts.of(field, json.dumps(value, ensure_ascii=False))
    return {each.place: each.text for each in found.entries}


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("phone", Item("phone")),
        ("description:10-22", Item("description", 10, 22)),
        ("updates/7f:4-16", Item("updates/7f", 4, 16)),
        ("work_notes/parks-a%3Ab", Item("work_notes/parks-a%3Ab")),
    ],
)
def test_an_item_is_a_place_or_a_span_of_it(text: str, item: Item) -> None:
    assert item_of(text) == item
    assert str(item) == text


@pytest.mark.parametrize(
    "text",
    ["", "phone:", "phone:3-3", "phone:5-3", "phone:03-5", "phone:-3-5", "a b", "phone:1-2:3-4"],
)
def test_an_item_is_written_in_one_way_only(text: str) -> None:
    assert item_of(text) is None
    assert item_of("x" * 501) is None


def test_each_text_of_a_field_has_its_place() -> None:
    updates = {"u-1": {"description": "Still there.", "media_url": ["https://a.example/1"]}}
    assert places("updates", updates) == {
        "updates/u-1": "Still there.",
        "updates/u-1/media_url/0": "https://a.example/1",
    }
    notes = {"parks-9": {"department": "parks", "update_id": "9", "note": "Called them."}}
    assert places("work_notes", notes) == {"work_notes/parks-9": "Called them."}
    comments = [{"at": "2026-11-01T00:00:00Z", "text": "One"}, {"at": "…", "text": "Two"}]
    assert places("comments", comments) == {"comments/0": "One", "comments/1": "Two"}
    assert places("attributes", {"COLOR": ["red", "blue"]}) == {
        "attributes/COLOR/0": "red",
        "attributes/COLOR/1": "blue",
    }
    assert places("media_url", ["https://a.example/1"]) == {"media_url/0": "https://a.example/1"}
    senders = {"u-1": {"phone": "305-555-0100"}}
    assert places("update_contacts", senders) == {"update_contacts/u-1/phone": "305-555-0100"}


def test_a_field_that_is_no_json_is_one_text() -> None:
    for text in ("[not json", '"just a text"', "12"):
        (entry,) = FieldTexts.of("updates", text).entries
        assert (entry.place, entry.text) == ("updates", text)
    (entry,) = FieldTexts.of("description", '["a"]').entries
    assert (entry.place, entry.text) == ("description", '["a"]')


def test_nothing_of_an_unknown_form_is_left_out() -> None:
    value = {"u": {"description": "a", "more": [{"deep": "b"}, 3055550100]}}
    assert set(places("updates", value).values()) == {"a", "b", "3055550100"}


def test_keys_of_other_systems_cannot_be_taken_for_places() -> None:
    found = places("work_notes", {"parks-1/2:3-4": {"note": "x"}, "parks-é": {"note": "y"}})
    assert found == {"work_notes/parks-1%2F2%3A3-4": "x", "work_notes/parks-%C3%A9": "y"}
    for place in found:
        assert item_of(place) == Item(place)


def test_a_field_covers_all_in_it_and_an_entry_its_own_text() -> None:
    field, entry = Item("updates"), Item("updates/u-1")
    assert field.covers(entry)
    assert field.covers(Item("updates/u-1", 2, 4))
    assert entry.covers(Item("updates/u-1", 2, 4))
    assert not entry.covers(Item("updates/u-1/media_url/0"))
    assert not entry.covers(field)
    span = Item("updates/u-1", 2, 8)
    assert span.covers(Item("updates/u-1", 3, 8))
    assert not span.covers(Item("updates/u-1", 3, 9))
    assert not span.covers(entry)


@given(
    st.dictionaries(
        st.text(min_size=1),
        st.fixed_dictionaries({"description": st.text(), "media_url": st.lists(st.text())}),
        max_size=4,
    )
)
def test_a_field_is_built_anew_from_its_own_texts(value: dict[str, object]) -> None:
    found = FieldTexts.of("updates", json.dumps(value))
    assert len({each.place for each in found.entries}) == len(found.entries)
    texts = {each.place: each.text for each in found.entries}
    assert json.loads(found.rebuilt(texts, same)) == value
