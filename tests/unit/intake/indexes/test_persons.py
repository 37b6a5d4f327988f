"""Which records are the same person's, told by keyed hashes alone."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from direct311.intake.indexes.domain.persons import sorted_by_person

VALUES = st.lists(st.sampled_from("abcdefgh"), max_size=2)


def indexes(**kinds: str) -> Mapping[str, tuple[str, ...]]:
    return {kind: (value,) for kind, value in kinds.items()}


def test_a_shared_number_or_address_makes_one_person() -> None:
    found = sorted_by_person(
        ["r1", "r2", "r3", "r4", "r5", "r6", "r1"],
        {
            "r1": indexes(phone="1", name="a"),
            "r2": indexes(phone="1", email="x"),
            "r3": indexes(email="x", name="b"),
            # A name is no contact, and two people can share it.
            "r4": indexes(phone="2", name="a"),
            "r5": indexes(name="a"),
        },
    )
    assert [set(each) for each in found.persons] == [{"r1", "r2", "r3"}, {"r4"}]
    assert (found.without_contact, found.gone) == (("r5",), ("r6",))


def test_those_who_commented_are_counted_by_record_and_are_nobody_of_these() -> None:
    found = sorted_by_person(
        ["r1", "r2", "r3"],
        {
            "r1": {"phone": ("1",), "senders": ("x", "y", "x")},
            "r2": {"phone": ("2",), "senders": ("y",)},
        },
    )
    assert len(found.persons) == 2
    assert found.senders == {"r1": 2, "r2": 1}


def test_a_number_is_not_an_address() -> None:
    found = sorted_by_person(["r1", "r2"], {"r1": indexes(phone="1"), "r2": indexes(email="1")})
    assert len(found.persons) == 2


@given(st.lists(st.tuples(VALUES, VALUES), max_size=12))
def test_persons_are_the_connected_records(records: list[tuple[list[str], list[str]]]) -> None:
    names = [f"r{number}" for number in range(len(records))]
    given_ = {
        name: {"phone": phones, "email": emails}
        for name, (phones, emails) in zip(names, records, strict=True)
    }
    found = sorted_by_person(names, given_)
    # The slow way: join groups that share anything, until none does.
    groups: list[tuple[set[str], set[str]]] = []
    for name, (phones, emails) in zip(names, records, strict=True):
        values = {f"p{value}" for value in phones} | {f"e{value}" for value in emails}
        if not values:
            assert name in found.without_contact
            continue
        mine = ({name}, values)
        for group in [group for group in groups if group[1] & values]:
            groups.remove(group)
            mine = (mine[0] | group[0], mine[1] | group[1])
        groups.append(mine)
    assert sorted(map(sorted, found.persons)) == sorted(sorted(names) for names, _ in groups)
