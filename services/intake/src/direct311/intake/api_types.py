"""What the models and routes of several JSON APIs share."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Header, Request
from pydantic import Field

from direct311.intake.language import Language
from direct311.runtime.access.rules import Caller
from direct311.runtime.text import Lines
from direct311.schemas import Instant, Model

Text = Annotated[str, Field(max_length=500), Lines]
CallerOf = Callable[[Request], Awaitable[Caller]]
IdempotencyKey = Annotated[
    str | None, Header(min_length=1, max_length=200, pattern=r"^[\x20-\x7e]+$")
]
Guidance = dict[Language, str]
MOST_UPLOADS = 20


class LinkAnswer(Model):
    """`token`: send it as `Authorization: Bearer …`, never in a URL."""

    token: str
    expires_at: Instant
