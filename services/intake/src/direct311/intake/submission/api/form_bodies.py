"""Reads a form within strict limits, and never on disk.

A file in a submission is personal. A parser that spools large parts into a temporary file would
leave it there unencrypted, so files stay in memory. How much memory the files of all calls may take
together is limited, and so are the shares of one address and of calls without a good key.
"""

import mimetypes
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from direct311.intake.problems import Problem
from direct311.intake.submission.domain.wrong import Field, Wrong
from direct311.intake.uploads.ports import File
from direct311.runtime.errors import RefusedError

MOST_FIELDS = 300
LARGEST_FIELD = 64 * 1024
LARGEST_FORM = 512 * 1024
"""The most bytes of a form without files."""
MOST_HEADERS = 8
LONGEST_HEADER = 1024
"""The longest header of a part, in bytes."""
LONGEST_BOUNDARY = 70
"""RFC 2046, section 5.1.1."""
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
PRELIMINARY = 64 * 1024
"""The most bytes outside any part: the text before the first part is not part of the form."""

LookAtKey = Callable[[str], None]
"""Is given the form's `api_key` (empty if none has come yet) before a file is held, and again if
the key comes after a file. Raises `RefusedError` if nothing more needs to be read."""

UNREADABLE = Problem(400, "body", "the form cannot be read, or has too many or too large parts")
WRONG_TYPE = Problem(400, "Content-Type", f"Content-Type must be {FORMS[0]} or {FORMS[1]}")


class UnreadableFormError(Exception):
    """The form cannot be read; `problem` says what it must be."""

    def __init__(self, problem: Problem = UNREADABLE) -> None:
        super().__init__(problem.field)
        self.problem = problem


@dataclass(slots=True)
class Form:
    """What was sent. `wrong`: what is wrong with single files, and with anything outside the
    form."""

    pairs: list[tuple[str, str]] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    wrong: list[Wrong] = field(default_factory=list)


class MemoryBudget:
    """Bytes of files that all calls may hold together: `most` in all, of which the calls of one
    address may hold `of_one`. All calls whose key has not been checked yet may together hold half,
    and at least as much as one address."""

    def __init__(self, most: int, of_one: int) -> None:
        self.most = most
        self.of_one = of_one
        self.of_unknown = max(most // 2, of_one)
        self.bytes = 0
        self.unknown = 0
        self.of: Counter[str] = Counter()

    @contextmanager
    def reserve(self, name: str) -> Iterator["MemoryReservation"]:
        """`name`: identifies the address."""
        reservation = MemoryReservation(self, name)
        try:
            yield reservation
        finally:
            reservation.release()


class MemoryReservation:
    """What one call holds of the budget."""

    def __init__(self, all_calls: MemoryBudget, name: str) -> None:
        self._all = all_calls
        self._name = name
        self._known = False
        self.bytes = 0

    def hold(self, count: int) -> None:
        """:raises RefusedError: `too_large`: this call by itself holds more than an address may;
        `busy`: all calls together hold too much, or all calls of this address, or all calls without
        a good key."""
        self._add(count)
        every = self._all
        if self.bytes > every.of_one:
            raise RefusedError(
                "too_large",
                f"media may have {every.of_one} bytes in all",
                field="media",
            )
        if (
            every.bytes > every.most
            or every.of[self._name] > every.of_one
            or every.unknown > every.of_unknown
        ):
            raise RefusedError(
                "busy", "Too many files are being sent; send it again.", retry_after=5
            )

    def trust(self) -> None:
        """The call has a good key."""
        if not self._known:
            self._known = True
            self._all.unknown -= self.bytes

    def release(self) -> None:
        self._add(-self.bytes)
        if not self._all.of[self._name]:
            del self._all.of[self._name]

    def _add(self, count: int) -> None:
        self.bytes += count
        self._all.bytes += count
        self._all.of[self._name] += count
        if not self._known:
            self._all.unknown += count


async def read_form(
    request: Request,
    reservation: MemoryReservation,
    look: LookAtKey,
    *,
    most_files: int,
    largest_file: int,
) -> Form:
    """The fields, and the files of the fields `media`.

    :raises UnreadableFormError: the body is not a form, or exceeds a limit.
    :raises RefusedError: it comes too slowly, its calls hold too much, or `look` refuses its key.
    """
    said = request.headers.get("content-type", "")
    kind = said.partition(";")[0].strip().lower()
    if kind not in FORMS:
        raise UnreadableFormError(WRONG_TYPE)
    try:
        if kind == FORMS[0]:
            return Form(await _urlencoded(request.stream()))
        parts = _Parts(_boundary(said), reservation, look, most_files, largest_file)
        async for piece in request.stream():
            parts.write(piece)
        return parts.form()
    except (HTTPException, ClientDisconnect, FormParserError, ValueError):
        raise UnreadableFormError from None


async def _urlencoded(stream: AsyncIterator[bytes]) -> list[tuple[str, str]]:
    """Read the body as a whole, which is five times as fast as in parts."""
    body = bytearray()
    async for chunk in stream:
        body += chunk
        if len(body) > LARGEST_FORM:
            raise UnreadableFormError
    return parse_qsl(
        body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"
    )


def _boundary(content_type: str) -> bytes:
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= LONGEST_BOUNDARY:
        raise UnreadableFormError
    return boundary


class _Parts:
    """Parts of a multipart form (RFC 7578) as they arrive."""

    def __init__(
        self,
        boundary: bytes,
        reservation: MemoryReservation,
        look: LookAtKey,
        most_files: int,
        largest_file: int,
    ) -> None:
        self._reservation = reservation
        self._look = look
        self._key: str | None = None
        self._most_files = most_files
        self._largest_file = largest_file
        self._form = Form()
        self._fields = 0
        self._files = 0
        self._read = 0
        self._of_fields = 0
        self._ended = False
        self._name = ""
        self._kind: str | None = None
        self._is_file = False
        self._wanted = False
        self._body = bytearray()
        self._size = 0
        self._header = bytearray()
        self._value = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._described,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._last,
            },
            max_header_count=MOST_HEADERS,
            max_header_size=LONGEST_HEADER,
        )

    def write(self, piece: bytes) -> None:
        self._read += len(piece)
        self._parser.write(piece)
        if self._fields + self._files == 0 and self._read > PRELIMINARY:
            raise UnreadableFormError

    def form(self) -> Form:
        """:raises UnreadableFormError: the last boundary has not come."""
        if not self._ended:
            raise UnreadableFormError
        return self._form

    def _begin(self) -> None:
        self._headers = {}
        self._body = bytearray()
        self._size = 0

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        name = bytes(self._header).lower()
        if name in self._headers:
            raise UnreadableFormError
        self._headers[name] = bytes(self._value)
        self._header, self._value = bytearray(), bytearray()

    def _described(self) -> None:
        disposition, options = parse_options_header(self._headers.get(b"content-disposition"))
        name = options.get(b"name")
        if disposition != b"form-data" or name is None or self._ended:
            raise UnreadableFormError
        self._name = name.decode()
        self._is_file = b"filename" in options
        self._wanted = self._is_file and self._name in ("media", "media[]")
        if self._is_file:
            self._files += 1
            kind = self._headers.get(b"content-type")
            self._kind = kind.decode("latin-1") if kind is not None else None
        else:
            self._fields += 1
        if self._files > self._most_files or self._fields > MOST_FIELDS:
            raise UnreadableFormError
        if self._wanted:
            self._look(self._key or "")

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if self._is_file:
            # Parts that are too large or not expected are skipped.
            if self._wanted and self._size <= self._largest_file:
                self._reservation.hold(end - start)
                self._body += data[start:end]
            return
        self._of_fields += end - start
        if self._size > LARGEST_FIELD or self._of_fields > LARGEST_FORM:
            raise UnreadableFormError
        self._body += data[start:end]

    def _end(self) -> None:
        body, self._body = bytes(self._body), bytearray()
        if not self._is_file:
            value = body.decode()
            self._form.pairs.append((self._name, value))
            # The first one counts.
            if self._name == "api_key" and self._key is None:
                self._key = value.strip()
                if self._reservation.bytes:
                    self._look(self._key)
        elif self._wanted and self._size > self._largest_file:
            self._form.wrong.append(Wrong("file_too_large", Field("files"), self._largest_file))
        elif self._wanted and body:
            self._form.files.append(File(content_type=media_type(self._kind), body=body))

    def _last(self) -> None:
        self._ended = True


def media_type(said: str | None) -> str:
    """A file's declared type, if it is a known one, without parameters: clients put file names
    there, and the type goes into events."""
    essence = (said or "").partition(";")[0].strip().lower()
    if mimetypes.guess_extension(essence, strict=False):
        return essence
    main = essence.partition("/")[0]
    return f"{main if main in ('image', 'video', 'audio') else 'application'}/octet-stream"


def first(pairs: Sequence[tuple[str, str]], name: str) -> str:
    """The first value of a field, without surrounding spaces; empty if there is none."""
    return next((value.strip() for each, value in pairs if each == name), "")
