"""Forms by hand: what is too much, broken or ambiguous is refused, and nothing touches a disk."""

import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from direct311.intake.submission.api.form_bodies import (
    LARGEST_FIELD,
    LARGEST_FORM,
    MOST_FIELDS,
    Form,
    MemoryBudget,
    UnreadableFormError,
    read_form,
)
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.problem_codes import georeport_status_of, status_of

pytestmark = pytest.mark.anyio

LINE = b"\r\n"
MULTIPART = "multipart/form-data; boundary=b"


def part(name: str, body: bytes, *, file: str | None = None, more: bytes = b"") -> bytes:
    said = f'form-data; name="{name}"' + (f'; filename="{file}"' if file is not None else "")
    return b"--b\r\nContent-Disposition: " + said.encode() + LINE + more + LINE + body + LINE


END = b"--b--\r\n"


async def read(
    body: bytes,
    content_type: str = MULTIPART,
    *,
    pieces: int = 1,
    budget: MemoryBudget | None = None,
    address: str = "a",
    keys: Mapping[str, bool] = {},
    gone: bool = False,
) -> Form:
    """`keys`: those that are known, and whether they are good."""
    size = max(1, -(-len(body) // pieces))
    parts = [body[at : at + size] for at in range(0, len(body), size)] or [b""]

    async def stream() -> AsyncIterator[Message]:
        for number, piece in enumerate(parts):
            last = number == len(parts) - 1
            yield {"type": "http.request", "body": piece, "more_body": not last or gone}
        yield {"type": "http.disconnect"}

    messages = stream()

    async def receive() -> Message:
        return await anext(messages)

    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "headers": [(b"content-type", content_type.encode())],
    }
    budget = budget or plenty()
    with budget.reserve(address) as reservation:

        def look(key: str) -> None:
            if keys.get(key):
                reservation.trust()
            elif key in keys:
                raise RefusedError("api_key", "not known")

        return await read_form(
            Request(scope, receive), reservation, look, most_files=3, largest_file=2_000_000
        )


def plenty() -> MemoryBudget:
    return MemoryBudget(20_000_000, 10_000_000)


async def test_fields_and_files_are_read_however_they_are_cut() -> None:
    photo = bytes(range(256)) * 6000
    body = (
        part("service_code", b"ANI")
        + part("description", "Ñandú".encode())
        + part("media", photo, file="Maria.jpg", more=b"Content-Type: image/jpeg\r\n")
        + part("other", b"ignored", file="x")
        + part("media", b"", file="")
        + END
    )
    for pieces in (1, 2, 7, 300):
        form = await read(body, pieces=pieces)
        assert form.pairs == [("service_code", "ANI"), ("description", "Ñandú")]
        assert [(each.content_type, each.body) for each in form.files] == [("image/jpeg", photo)]
        assert form.wrong == []


async def test_no_file_of_a_submission_is_written_to_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a temporary file")

    for name in ("TemporaryFile", "NamedTemporaryFile", "SpooledTemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, never)
    form = await read(part("media", b"x" * 1_900_000, file="a") + END, pieces=30)
    assert len(form.files[0].body) == 1_900_000


async def test_a_file_that_is_too_large_is_named_and_not_kept() -> None:
    budget = plenty()
    body = part("media", b"x" * 2_500_000, file="a") + part("lat", b"1") + END
    form = await read(body, pieces=40, budget=budget)
    assert [(each.code, each.field.name) for each in form.wrong] == [("file_too_large", "files")]
    assert (form.files, form.pairs) == ([], [("lat", "1")])
    assert budget.bytes == 0


BOMBS = {
    "no boundary": (part("a", b"1") + END, "multipart/form-data"),
    "an empty boundary": (part("a", b"1") + END, 'multipart/form-data; boundary=""'),
    "an endless boundary": (part("a", b"1") + END, f"multipart/form-data; boundary={'b' * 71}"),
    "another boundary": (part("a", b"1") + END, "multipart/form-data; boundary=c"),
    "no end": (part("a", b"1"), MULTIPART),
    "cut in a part": (part("a", b"1" * 50)[:-20], MULTIPART),
    "cut in a header": (b"--b\r\nContent-Dispo", MULTIPART),
    "nothing": (b"", MULTIPART),
    "thousands of parts": (part("a", b"") * 5000 + END, MULTIPART),
    "thousands of files": (part("media", b"x", file="a") * 500 + END, MULTIPART),
    "files that nobody asked for": (part("z", b"x", file="a") * 500 + END, MULTIPART),
    "an endless header": (
        b"--b\r\nX: " + b"x" * 500_000 + part("a", b"1") + END,
        MULTIPART,
    ),
    "a header's endless name": (b"--b\r\n" + b"x" * 500_000 + b": 1", MULTIPART),
    "many headers": (
        part("a", b"1", more=b"".join(b"X-%d: 1\r\n" % n for n in range(50))) + END,
        MULTIPART,
    ),
    "a header twice": (
        part("a", b"1", more=b'Content-Disposition: form-data; name="b"\r\n') + END,
        MULTIPART,
    ),
    "no name": (b"--b\r\nContent-Disposition: form-data\r\n\r\n1\r\n" + END, MULTIPART),
    "no disposition": (b"--b\r\n\r\n1\r\n" + END, MULTIPART),
    "another disposition": (
        b'--b\r\nContent-Disposition: attachment; name="a"\r\n\r\n1\r\n' + END,
        MULTIPART,
    ),
    "a field beyond measure": (part("a", b"x" * (LARGEST_FIELD + 1)) + END, MULTIPART),
    "fields beyond measure": (part("a", b"x" * 60_000) * 10 + END, MULTIPART),
    "bytes that are no text": (part("a", b"\xff\xfe") + END, MULTIPART),
    "a name that is no text": (
        b'--b\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n1\r\n' + END,
        MULTIPART,
    ),
    "JSON": (b"{}", "application/json"),
    "XML": (b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>", "text/xml"),
    "no type": (b"a=1", ""),
    "many fields": (urlencode([("a", "1")] * (MOST_FIELDS + 1)).encode(), "urlencoded"),
    "a form beyond measure": (b"a=" + b"x" * LARGEST_FORM, "urlencoded"),
    "a form that is no text": (b"a=%ff", "urlencoded"),
    "bytes in a form": (b"a=\xff", "urlencoded"),
}


@pytest.mark.parametrize("case", BOMBS.values(), ids=BOMBS)
@pytest.mark.parametrize("pieces", [1, 5])
async def test_a_form_bomb_is_refused_and_nothing_of_it_is_kept(
    case: tuple[bytes, str], pieces: int
) -> None:
    body, kind = case
    kind = "application/x-www-form-urlencoded" if kind == "urlencoded" else kind
    budget = plenty()
    with pytest.raises(UnreadableFormError) as refused:
        await read(body, kind, pieces=pieces, budget=budget)
    assert refused.value.problem.code == 400
    assert refused.value.problem.field in ("body", "Content-Type")
    assert budget.bytes == 0


@pytest.mark.parametrize("kind", [MULTIPART, "application/x-www-form-urlencoded"])
async def test_who_goes_away_in_the_middle_leaves_nothing(kind: str) -> None:
    with pytest.raises(UnreadableFormError):
        await read(part("media", b"x" * 1000, file="a"), kind, gone=True)


async def test_what_comes_before_the_first_part_is_not_read_for_ever() -> None:
    with pytest.raises(UnreadableFormError):
        await read(b"\r\n" + b"x" * 500_000 + part("a", b"1") + END, pieces=5)


async def test_all_calls_together_hold_so_much_and_no_more() -> None:
    budget = MemoryBudget(2_500_000, 2_000_000)
    body = part("api_key", b"good") + PHOTO + END
    with budget.reserve("b") as other:
        other.trust()
        other.hold(1_500_000)
        with pytest.raises(RefusedError) as refused:
            await read(body, pieces=20, budget=budget, keys=GOOD)
        assert (status_of(refused.value), refused.value.retry_after) == (503, 5)
        assert budget.bytes == 1_500_000
    nothing_is_held(budget)
    assert len((await read(body, budget=budget)).files) == 1


GOOD = {"good": True, "bad": False}
PHOTO = part("media", b"x" * 1_500_000, file="a")


def nothing_is_held(budget: MemoryBudget) -> None:
    assert (budget.bytes, budget.unknown, dict(budget.of)) == (0, 0, {})


async def test_one_address_leaves_others_their_part_however_many_calls_it_makes() -> None:
    budget = MemoryBudget(8_000_000, 2_000_000)
    with budget.reserve("a") as first:
        first.trust()
        first.hold(1_000_000)
        with pytest.raises(RefusedError) as refused:
            await read(PHOTO + END, pieces=20, budget=budget, address="a")
        assert (status_of(refused.value), refused.value.retry_after) == (503, 5)
        assert len((await read(PHOTO + END, pieces=20, budget=budget, address="b")).files) == 1
        assert budget.bytes == budget.of["a"] == 1_000_000
    nothing_is_held(budget)


async def test_a_call_that_no_waiting_helps_is_told_how_much_it_may_send() -> None:
    budget = MemoryBudget(8_000_000, 2_000_000)
    with pytest.raises(RefusedError) as refused:
        await read(PHOTO * 2 + END, pieces=20, budget=budget)
    assert (status_of(refused.value), refused.value.retry_after) == (413, None)
    assert refused.value.detail == "media may have 2000000 bytes in all"
    nothing_is_held(budget)


async def test_calls_without_a_good_key_leave_half_to_those_with_one() -> None:
    budget = MemoryBudget(8_000_000, 2_000_000)
    body = part("api_key", b"good") + PHOTO + END
    with budget.reserve("b") as one, budget.reserve("c") as two:
        one.hold(2_000_000)
        two.hold(1_900_000)
        for late in (PHOTO + END, PHOTO + part("api_key", b"good") + END):
            with pytest.raises(RefusedError) as refused:
                await read(late, pieces=20, budget=budget, keys=GOOD)
            assert (status_of(refused.value), refused.value.retry_after) == (503, 5)
        assert len((await read(body, pieces=20, budget=budget, keys=GOOD)).files) == 1
        # A key in the query is there before the form.
        query = {"": True}
        assert len((await read(PHOTO + END, pieces=20, budget=budget, keys=query)).files) == 1
    nothing_is_held(budget)


@pytest.mark.parametrize("pieces", [1, 20])
async def test_of_a_call_with_a_bad_key_no_file_is_held(pieces: int) -> None:
    budget = plenty()
    for first, keys in ((part("api_key", b" bad "), GOOD), (b"", {"": False})):
        with pytest.raises(RefusedError) as refused:
            await read(first + PHOTO, pieces=pieces, budget=budget, keys=keys, gone=True)
        assert georeport_status_of(refused.value) == 403
        nothing_is_held(budget)


async def test_a_bad_key_behind_a_file_ends_the_call_there() -> None:
    budget = plenty()
    late = PHOTO + part("api_key", b"bad") + b"--b\r\n"
    with pytest.raises(RefusedError) as refused:
        await read(late, pieces=20, budget=budget, keys=GOOD, gone=True)
    assert georeport_status_of(refused.value) == 403
    nothing_is_held(budget)


async def test_the_first_key_of_a_form_counts_before_that_of_the_query() -> None:
    keys = GOOD | {"": False}
    body = part("api_key", b"good") + part("api_key", b"bad") + PHOTO + END
    assert len((await read(body, pieces=20, keys=keys)).files) == 1


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            (
                *(b"--b", b"--b--", LINE, b"\n", b"\r", b"Content-Disposition: form-data", b";"),
                *(b": ", b'name="a"', b"filename=x", b"-", b"x" * 100, b"\x00", b"\xff"),
                *(part("a", b"1"), END),
            )
        ),
        max_size=30,
    ),
    st.integers(1, 9),
)
async def test_whatever_comes_is_a_form_or_refused(words: Sequence[bytes], pieces: int) -> None:
    try:
        form = await read(b"".join(words), pieces=pieces)
    except UnreadableFormError:
        return
    assert all(isinstance(value, str) for _, value in form.pairs)
