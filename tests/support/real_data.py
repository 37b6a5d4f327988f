"""Where the county's real records are: `DIRECT311_DATA`, or else `shared/data` next to the
checkout."""

import os
from pathlib import Path

import pytest


def _folder() -> Path | None:
    given = os.environ.get("DIRECT311_DATA")
    folder = Path(given) if given else Path(__file__).parents[3] / "shared" / "data"
    return folder if folder.is_dir() else None


_FOUND = _folder()
REAL_DATA = _FOUND or Path("shared/data")

needs_real_data = pytest.mark.skipif(
    _FOUND is None,
    reason="real records: set DIRECT311_DATA, or put shared/data beside the checkout",
)
