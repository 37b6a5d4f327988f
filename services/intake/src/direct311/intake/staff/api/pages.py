"""Pages for staff: signing in and out, and the flagged requests. Plain HTML, no script."""

from collections.abc import Mapping, Sequence
from html import escape
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from direct311.intake.request import ServiceRequest
from direct311.intake.staff.ports import FlaggedRequests
from direct311.runtime.http.api import PlainRoute, require
from direct311.runtime.http.staff import (
    LOGIN,
    LOGIN_SECONDS,
    SESSION,
    SESSION_SECONDS,
    Session,
    StaffSignIn,
    set_cookie,
)
from direct311.runtime.parameters import LAST

LARGEST_FORM = 4096
SHOWN = 200
_POLICY = "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
_HEADERS = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"}
_HEAD = (
    '<!doctype html><html lang="en"><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
)
_SIGNED_OUT = (
    f"{_HEAD}<title>Signed out</title><h1>You are signed out</h1>"
    '<p><a href="/staff/login">Sign in</a></p></html>'
)


class StaffPages:
    """`/staff/…`. Not part of the API: no OpenAPI document describes pages."""

    def __init__(self, sign_in: StaffSignIn, requests: FlaggedRequests) -> None:
        self._sign_in = sign_in
        self._requests = requests

    def routes(self) -> list[PlainRoute]:
        return [
            PlainRoute("/staff/login", self.login, methods=["GET"]),
            PlainRoute("/staff/callback", self.callback, methods=["GET"]),
            PlainRoute("/staff/logout", self.logout, methods=["POST"], largest=LARGEST_FORM),
            PlainRoute("/staff/signed-out", self.signed_out, methods=["GET"]),
            PlainRoute("/staff/marked", self.flagged, methods=["GET"]),
        ]

    async def login(self, _: Request) -> Response:
        """Redirect to the identity provider."""
        address, cookie = await self._sign_in.begin()
        return _to(address, {LOGIN: (cookie, LOGIN_SECONDS)})

    async def callback(self, request: Request) -> Response:
        """The return from the identity provider."""
        given = request.query_params
        cookie = await self._sign_in.finish(
            request.cookies.get(LOGIN),
            given.get("state", ""),
            given.get("code", ""),
            _host(request),
        )
        return _to("/staff/marked", {SESSION: (cookie, SESSION_SECONDS), LOGIN: ("", 0)})

    async def logout(self, request: Request) -> Response:
        session = await self._session(request)
        if session is not None:
            form = parse_qs((await request.body()).decode("latin-1"))
            session.check(form.get("csrf", [""])[0])
            await self._sign_in.end(session)
        # Our own page, because browsers apply `form-action` to every step that a form leads to.
        return _to("/staff/signed-out", {SESSION: ("", 0)})

    async def signed_out(self, _: Request) -> Response:
        return HTMLResponse(_SIGNED_OUT, headers=_HEADERS)

    async def flagged(self, request: Request) -> Response:
        """Likely repeats and bursts, newest first."""
        session = await self._session(request)
        if session is None:
            return _to("/staff/login", {})
        require(session.caller, "agent")
        found = await self._requests.flagged(None, LAST, SHOWN)
        return HTMLResponse(_page(session, found), headers=_HEADERS)

    async def _session(self, request: Request) -> Session | None:
        session = await self._sign_in.session(request.cookies.get(SESSION), _host(request))
        if session is not None:
            request.state.caller = session.caller
        return session


def _host(request: Request) -> str | None:
    return request.client.host if request.client else None


def _to(address: str, cookies: Mapping[str, tuple[str, int]]) -> Response:
    answer = RedirectResponse(address, 303, headers={"Cache-Control": "no-store"})
    for name, (value, seconds) in cookies.items():
        answer.headers.append("Set-Cookie", set_cookie(name, value, seconds))
    return answer


def _page(session: Session, requests: Sequence[ServiceRequest]) -> str:
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td>{escape(str(cell))}</td>"
            for cell in (
                each.received_at.isoformat() if each.received_at else "",
                each.record_id,
                each.service_code,
                each.status,
                each.client_id,
                ", ".join(each.marks),
                each.likely_repeat_of or "",
            )
        )
        + "</tr>"
        for each in requests
    )
    names = ("received", "request", "type", "status", "client", "marks", "repeats")
    head = "".join(f"<th>{name}</th>" for name in names)
    return (
        f"{_HEAD}<title>Flagged requests</title>"
        f"<h1>Flagged requests</h1><p>Signed in as {escape(session.caller.sub)}.</p>"
        '<form method="post" action="/staff/logout">'
        f'<input type="hidden" name="csrf" value="{escape(session.csrf)}">'
        "<button>Sign out</button></form>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></html>"
    )
