"""What goes out of a record's files, and what the exemption log says about them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

from direct311.retention.case_file.packages import PACKAGE
from direct311.schemas import Instant, Model, replaced
from direct311.schemas.model import RecordId

FIELD: Final = "files"
"""What files are called in the exemption log."""
GRANTED: Final = "media_original"
"""The field of a grant that opens files."""
FOLDER: Final = "data/media/"

FileOutcome = Literal["original", "redacted", "withheld", "not_kept", "not_in_scope"]
"""`original`: goes out as it came. `redacted`: goes out anew, with boxes burnt in. `withheld`:
nothing of it goes out. `not_kept`: there is none any more, or it was never taken. `not_in_scope`:
no grant of the case names it."""

ENDINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "application/msword": "doc",
        "application/pdf": "pdf",
        "application/rtf": "rtf",
        "application/vnd.oasis.opendocument.text": "odt",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
        "audio/aac": "aac",
        "audio/amr": "amr",
        "audio/flac": "flac",
        "audio/mp4": "m4a",
        "audio/mpeg": "mp3",
        "audio/ogg": "ogg",
        "audio/wav": "wav",
        "image/avif": "avif",
        "image/bmp": "bmp",
        "image/gif": "gif",
        "image/heic": "heic",
        "image/jpeg": "jpg",
        "image/png": "png",
        "image/tiff": "tif",
        "image/webp": "webp",
        "text/csv": "csv",
        "text/plain": "txt",
        "video/3gpp": "3gp",
        "video/3gpp2": "3g2",
        "video/mp4": "mp4",
        "video/mpeg": "mpg",
        "video/quicktime": "mov",
        "video/webm": "webm",
        "video/x-matroska": "mkv",
        "video/x-msvideo": "avi",
    }
)
"""How the names of files end, by their type. Any other type is `bin`."""


class WithheldItem(Model):
    """One item that is withheld, as its owner tells it. `item`: the field, or its part as
    `<field>:<start>-<end>`; of a file `file:<media id>`, or for a box burnt into it
    `file:<media id>:<page>:<number of the box on that page>`."""

    item: str
    field: str
    code: str
    citation: str
    decided_by: str
    decided_at: Instant
    version: int

    def of_file(self, item: str) -> "WithheldItem":
        """A copy under the name that an item of a file has in the log."""
        return replaced(self, item=item, field=FIELD)


class CollectedFile(Model):
    """What goes out of one file. `decisions`: SHA-256 (hex) of the decision. `reason`: why it is
    not kept, or why a file that was to be redacted is withheld whole, as a code. `warnings`: what
    goes out with it and shows on no page. `sha256`, `size`, `crc`: of its bytes."""

    media_id: RecordId
    outcome: FileOutcome
    reason: str | None = None
    decisions: str | None = None
    content_type: str | None = None
    warnings: tuple[str, ...] = ()
    sha256: str = ""
    size: int = 0
    crc: int = 0
    withheld: tuple[WithheldItem, ...] = ()

    @property
    def goes_out(self) -> bool:
        """Whether the package has its bytes."""
        return self.outcome in ("original", "redacted")

    @property
    def sealed_name(self) -> str:
        """Under which name its pieces are sealed."""
        return file_name(self.sha256)

    def name(self, record_id: str) -> str:
        """Its name in the package."""
        return f"{FOLDER}{record_id}/{self.media_id}.{ENDINGS.get(self.content_type or '', 'bin')}"

    def shown(self, record_id: str) -> Mapping[str, Any]:
        """What the record's own file in the package says of it."""
        said: dict[str, Any] = {"media_id": self.media_id, "outcome": self.outcome}
        if self.reason is not None:
            said["reason"] = self.reason
        if self.goes_out:
            said |= {
                "name": self.name(record_id),
                "content_type": self.content_type,
                "sha256": self.sha256,
                "size": self.size,
                "warnings": list(self.warnings),
            }
        return said


def file_name(sha256: str) -> str:
    """Under which name the pieces of a file with this hash are sealed."""
    return f"{PACKAGE}/file/{sha256}"


def rows_of(
    media_id: str, pages: Iterable[tuple[int | None, WithheldItem]]
) -> Iterator[WithheldItem]:
    """The rows of the exemption log about a file, from its owner's rows with the page of each box,
    or `None` where the whole file is withheld. Boxes are counted on each page, from 1."""
    boxes: Counter[int] = Counter()
    for page, row in pages:
        item = f"file:{media_id}"
        if page is not None:
            boxes[page] += 1
            item = f"{item}:{page}:{boxes[page]}"
        yield row.of_file(item)
