"""What a front end reports about the device and itself: kinds and versions, separate from all
requests.

Policy statement P6: browser, operating system and device type are collected for compatibility and
improvement. Each is counted separately by day, so that no two of them can be combined again, and
none belongs to a request.
"""

import re
from collections.abc import Mapping

from direct311.schemas import Model

_VERSION = r"[0-9]{1,3}(?:\.[0-9]{1,3}){0,2}"
_PATTERNS: Mapping[str, re.Pattern[str]] = {
    "device": re.compile(r"phone|tablet|computer|kiosk|other"),
    "operating_system": re.compile(
        rf"(?:android|ios|ipados|windows|macos|linux|chromeos|other)(?: {_VERSION})?"
    ),
    "browser": re.compile(rf"(?:chrome|firefox|safari|edge|opera|samsung|other)(?: {_VERSION})?"),
    "app_version": re.compile(_VERSION),
}
WANTED: Mapping[str, str] = {
    "device": "one of phone, tablet, computer, kiosk, other",
    "operating_system": (
        "one of android, ios, ipados, windows, macos, linux, chromeos, other, with a version such "
        "as 17.2"
    ),
    "browser": (
        "one of chrome, firefox, safari, edge, opera, samsung, other, with a version such as 131"
    ),
    "app_version": "a version such as 2.10.1",
}
"""What each may be, in words."""


class AppFacts(Model):
    """Each is checked against a short pattern, because other text could identify a person."""

    device: str | None = None
    operating_system: str | None = None
    browser: str | None = None
    app_version: str | None = None

    def given(self) -> dict[str, str]:
        """The given values, in lower case."""
        return {
            name: " ".join(value.lower().split())
            for name, value in self.model_dump(exclude_none=True).items()
            if value.strip()
        }

    def problems(self) -> list[tuple[str, str]]:
        """The wrong fields, and what would be right."""
        return [
            (name, f"{name} must be {WANTED[name]}")
            for name, value in self.given().items()
            if not _PATTERNS[name].fullmatch(value)
        ]
