"""What counts as the output that a page shows."""

import pytest

from tests.support.page_output import difference

ONE, OTHER = "01a213de-31f0-7245-a5e0-10ea754957f7", "11b3a3ff-31f0-7245-a5e0-20ea754957f8"


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (f"record {ONE}", f"record {OTHER}"),
        ("at 2026-11-25T18:00:58.607000Z", "at 2027-01-01T00:00:00Z"),
        ("due 2026-11-25, 12 s", "due 2027-01-02, 3.5 s"),
        ("hash 294a3621deadbeef", "hash ffffffff00000000"),
        ('{"a": 1,\n  "b": "x y"}', '{"a":1,"b":"x\ny"}'),
        ('[{"id":"01a20d05…6982", …}]', f'[{{"id":"{ONE}","status":"open"}}]'),
        ("… status: open …", "id: 7\nstatus: open\nplace: none"),
        ("┏━━━┓\n│ a │", "┏━━━━━━┓\n│ a    │"),
        (f"log/a+d509085c+{'Ab1/' * 12}=", f"log/a+00000000+{'Xy2+' * 12}"),
        ("d311_test_Ia6c…", "d311_test_9x_y"),
    ],
)
def test_the_same_output_of_another_run(shown: str, printed: str) -> None:
    assert difference(shown, printed) is None


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (f"record {ONE}", "record 12"),
        ("at 2026-11-25T18:00:58Z", "at noon"),
        ("GOOD", "WRONG"),
        ("3 of 3", "2 of 3"),
        ("hash 294a3621deadbeef", "hash ffff"),
        ("status: open", "status: open\nplace: none"),
        ("… status: open …", "status: closed"),
        ("a b", "ab"),
        ("…  end", "end of it"),
        ("x", ""),
    ],
)
def test_another_output(shown: str, printed: str) -> None:
    assert difference(shown, printed) is not None


def test_a_number_varies_only_where_it_is_said() -> None:
    varies = ["over # entries", "│ # │"]
    assert difference("over 50 entries: 3 of 3", "over 1,024 entries: 3 of 3", varies) is None
    assert difference("over 50 entries: 3 of 3", "over 50 entries: 4 of 4", varies)
    assert difference("│ intake │ 5 │", "│ intake │ 77 │", varies) is None


def test_it_says_where() -> None:
    told = difference("status: open, place: none", "status: open, place: here")
    assert told is not None
    assert "'none'" in told
    assert "here" in told
