"""What is wrong with a form of GeoReport v2, in its own names and words."""

from direct311.intake.problems import Problem
from direct311.intake.submission.api.naming import Naming
from direct311.intake.submission.domain.wrong import Wrong

NAMING = Naming(
    names={
        "latitude": "lat",
        "longitude": "long",
        "address": "address_string",
        "answers": "attribute",
        "media_urls": "media_url",
        "files": "media",
        "idempotency_key": "Idempotency-Key",
    },
    item="{name}[{item}]",
    words={"file_required": "this type needs a file in the field media, or a media_url"},
)
_NOT_FOUND = ("unknown_jurisdiction", "unknown_service")


def problem(wrong: Wrong) -> Problem:
    """The same problems in the words of GeoReport v2: 404 for unknown things, 400 for the rest."""
    status = 404 if wrong.code in _NOT_FOUND else 400
    return Problem(status, NAMING.of(wrong.field), NAMING.said(wrong))
