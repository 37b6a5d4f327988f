"""Answers calls of what does not exist under Open311's address, in the format that the client asked
for."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from direct311.intake.open311.wire import render
from direct311.intake.open311.wire.render import MEDIA_TYPES, Format
from direct311.intake.problems import Problem
from direct311.runtime.http.api import PlainRoute

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def unserved_routes(served: Sequence[PlainRoute]) -> list[PlainRoute]:
    """One route for each format. They match everything that no other route serves, so they must
    come last."""
    forms: tuple[Format, ...] = ("json", "xml")
    return [
        PlainRoute(f"/open311/{{rest:path}}.{form}", _answering(served, form), methods=METHODS)
        for form in forms
    ]


def _answering(
    served: Sequence[PlainRoute], form: Format
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        allowed = sorted(
            {
                method
                for route in served
                if route.matches(request.scope)[0] is Match.PARTIAL
                for method in route.methods or ()
            }
        )
        if allowed:
            problem = Problem(405, "", f"only {' and '.join(allowed)} are served here")
        else:
            problem = Problem(404, "", "nothing is served here")
        headers = {"Allow": ", ".join(allowed)} if allowed else {}
        return Response(render.errors([problem], form), problem.code, headers, MEDIA_TYPES[form])

    return endpoint
