"""Points in a text: coordinates written into an address count as a pin."""

import re
from collections.abc import Iterator

from direct311.schemas.unicode import normalized

MOST = 6
"""The most points in one text."""

_ANGLE = re.compile(
    # 25 degrees 42 minutes 23.4 seconds, the last of them as it may be; or 25.7065, 25,7065.
    r"(?<![\d.,])(?:(\d{1,3})\s*[\u00b0o]\s*(\d{1,2}(?:[.,]\d{1,9})?)\s*['\u2032\u2019]"
    r"(?:\s*(\d{1,2}(?:[.,]\d{1,9})?)\s*[\"'\u2032\u2019\u201d]{1,2})?"
    r"|(\d{1,3}[.,]\d{3,15})(?!\d))"
)


def points_in(text: str | None) -> Iterator[tuple[float, float]]:
    """Every two consecutive angles, in degrees and without signs, in the written order: latitude
    first if the writer put it first."""
    before: float | None = None
    count = 0
    for found in _ANGLE.finditer(normalized("NFKC", text or "")):
        angle = _degrees(*found.groups())
        if before is not None and count < MOST:
            count += 1
            yield before, angle
        before = angle


def _degrees(
    degrees: str | None, minutes: str | None, seconds: str | None, decimal: str | None
) -> float:
    parts = [decimal] if decimal else [degrees, minutes, seconds]
    numbers = (float((part or "0").replace(",", ".")) for part in parts)
    return sum(number / divisor for number, divisor in zip(numbers, (1, 60, 3600), strict=False))
