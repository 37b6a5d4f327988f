"""The public API: Open311 GeoReport v2 in JSON and XML.

The routes are plain Starlette, because most traffic comes here; `open311/wire/document.py`
describes them.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from direct311.intake.catalogue.domain import wording
from direct311.intake.catalogue.domain.types import Catalogue
from direct311.intake.clients.api.failed_keys import FailedKeys
from direct311.intake.clients.domain.clients import Client, Scope
from direct311.intake.clients.handlers.admission import KEY_REFUSALS, Admission
from direct311.intake.county import day_of
from direct311.intake.jurisdiction import jurisdiction_problem
from direct311.intake.language import Language, preferred
from direct311.intake.open311.api.read_limits import Callers, parameters
from direct311.intake.open311.ports import PublicRequests, Updates
from direct311.intake.open311.wire import document, render, views
from direct311.intake.open311.wire.problems import problem
from direct311.intake.open311.wire.queries import read_query, wants_extensions
from direct311.intake.open311.wire.render import MEDIA_TYPES, Format
from direct311.intake.open311.wire.unchanged import DailyCache
from direct311.intake.open311.wire.updates import accepted_update, read_comment, read_window, update
from direct311.intake.problems import Problem
from direct311.intake.reporter.handlers.comment import AddComment
from direct311.intake.request import ServiceRequest
from direct311.intake.settings import IntakeSettings
from direct311.intake.submission.api.form_bodies import (
    LARGEST_FORM,
    Form,
    MemoryBudget,
    MemoryReservation,
    UnreadableFormError,
    first,
    read_form,
)
from direct311.intake.submission.api.forms import draft_of
from direct311.intake.submission.domain.wrong import Field, Wrong
from direct311.intake.submission.handlers.accept import Accept, Sender, WrongSubmissionError
from direct311.intake.submission.handlers.agreement import Agreement
from direct311.intake.submission.handlers.check import GEOREPORT
from direct311.runtime.clock import Clock
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.http.api import Application, PlainRoute
from direct311.runtime.http.documents import is_known
from direct311.runtime.http.problem_codes import georeport_status_of
from direct311.runtime.storage.database import DatabaseError

MOST_UPDATES = 5000
"""The most updates in one list. A client whose window has more continues after the time of the last
one."""

PART_OF_ONE = 4
"""The calls of one address may hold a quarter of the memory for files."""

Answer = Callable[[Request, Format], Awaitable[Response]]


class ProblemsError(Exception):
    """Everything that is wrong with a call, each problem once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = tuple(dict.fromkeys(problems))


class Gateway(Application):
    """An application whose OpenAPI document also has the calls of GeoReport v2.

    Middleware that is added to it is outside the framework's own: a call that goes straight to its
    endpoint passes through nothing else.
    """

    def build_middleware_stack(self) -> ASGIApp:
        added, self.user_middleware = self.user_middleware, []
        app = super().build_middleware_stack()
        for each in reversed(added):
            app = each.cls(app, *each.args, **each.kwargs)
        self.user_middleware = added
        return app

    def openapi(self) -> dict[str, Any]:
        found = super().openapi()
        document.add_to(found)
        return found


class GeoReport:
    """The endpoints of GeoReport v2."""

    def __init__(
        self,
        *,
        settings: IntakeSettings,
        catalogues: Mapping[Language, Catalogue],
        agreement: Agreement,
        admission: Admission,
        failed_keys: FailedKeys,
        callers: Callers,
        accept: Accept,
        requests: PublicRequests,
        updates: Updates,
        add_comment: AddComment,
        clock: Clock,
    ) -> None:
        self._updates = updates
        self._add_comment = add_comment
        self._settings = settings
        self._catalogues = catalogues
        self._catalogue = catalogues["en"]
        self._agreement = agreement
        self._admission = admission
        self._failed_keys = failed_keys
        self._callers = callers
        most = settings.files_in_hand
        # One file is accepted even if the budget is smaller.
        self._memory = MemoryBudget(most, max(most // PART_OF_ONE, settings.largest_file))
        self._accept = accept
        self._requests = requests
        self._clock = clock
        self._daily_cache = DailyCache()

    def routes(self) -> list[PlainRoute]:
        found = []
        forms: tuple[Format, ...] = ("json", "xml")
        for form in forms:
            v2 = "/open311/v2"
            largest = {
                f"{v2}/requests.{form}": self._largest_submission,
                f"{v2}/servicerequestupdates.{form}": LARGEST_FORM,
            }
            table: Sequence[tuple[str, str, Answer]] = (
                (f"/open311/discovery.{form}", "GET", self.discovery),
                (f"{v2}/discovery.{form}", "GET", self.discovery),
                (f"{v2}/services.{form}", "GET", self.services),
                (f"{v2}/services/{{service_code}}.{form}", "GET", self.definition),
                (f"{v2}/requests.{form}", "GET", self.requests),
                (f"{v2}/requests.{form}", "POST", self.create),
                (f"{v2}/requests/{{service_request_id}}.{form}", "GET", self.request),
                (f"{v2}/tokens/{{token}}.{form}", "GET", self.token),
                (f"{v2}/servicerequestupdates.{form}", "GET", self.updates),
                (f"{v2}/servicerequestupdates.{form}", "POST", self.comment),
            )
            found += [
                PlainRoute(
                    path,
                    _answering(answer, form),
                    methods=[method],
                    **({"largest": largest[path]} if method == "POST" else {}),
                )
                for path, method, answer in table
            ]
        return found

    @property
    def _largest_submission(self) -> int:
        return self._settings.most_files * self._settings.largest_file + LARGEST_FORM

    async def discovery(self, request: Request, form: Format) -> Response:
        policy = self._agreement.in_force()
        found = views.discovery(
            self._settings.public_url,
            policy.contact if policy else None,
            self._settings.environment,
        )
        return _response(render.tree("discovery", found, form), form)

    async def services(self, request: Request, form: Format) -> Response:
        _check_jurisdiction(request.query_params)
        today = day_of(self._clock.now())
        language = _language(request)

        def made() -> bytes:
            found = self._catalogues[language].in_force(today)
            return render.rows("services", [views.service(each) for each in found], form)

        return self._unchanged(request, form, language, ("services",), made)

    async def definition(self, request: Request, form: Format) -> Response:
        _check_jurisdiction(request.query_params)
        today = day_of(self._clock.now())
        language = _language(request)
        found = self._catalogues[language].offered(request.path_params["service_code"], today)
        if found is None:
            raise ProblemsError([Problem(404, "service_code", "service_code is not known")])

        def made() -> bytes:
            return render.tree("service_definition", views.definition(found, language), form)

        return self._unchanged(request, form, language, ("service", found.service_code), made)

    def _unchanged(
        self,
        request: Request,
        form: Format,
        language: Language,
        name: tuple[str, ...],
        made: Callable[[], bytes],
    ) -> Response:
        """An answer that is the same for everybody who reads this language, or that it has not
        changed."""
        today = day_of(self._clock.now())
        body, headers = self._daily_cache.body(today, (*name, language, form), made)
        if is_known(request.headers.get("if-none-match"), headers["ETag"]):
            return _response(b"", form, 304, headers, language)
        return _response(body, form, headers=headers, language=language)

    async def requests(self, request: Request, form: Format) -> Response:
        query, problems = read_query(parameters(request.query_params), self._clock.now())
        if problems:
            raise ProblemsError(problems)
        found = await self._requests.listed(query)
        language = _language(request)
        shown = (self._view(each, language, extensions=query.extensions) for each in found)
        body = await render.many_rows("service_requests", shown, form)
        return _response(body, form, language=language)

    async def request(self, request: Request, form: Format) -> Response:
        query, problems = read_query(parameters(request.query_params), self._clock.now())
        if problems:
            raise ProblemsError(problems)
        found = await self._requests.public(request.path_params["service_request_id"])
        if found is None:
            raise ProblemsError(
                [Problem(404, "service_request_id", "service_request_id is not known")]
            )
        language = _language(request)
        shown = [self._view(found, language, extensions=query.extensions)]
        return _response(render.rows("service_requests", shown, form), form, language=language)

    async def token(self, request: Request, form: Format) -> Response:
        _check_jurisdiction(request.query_params)
        found = await self._requests.by_token(request.path_params["token"])
        if found is None:
            raise ProblemsError([Problem(404, "token", "token is not known")])
        known = found.record_id if found.number_is_known else None
        shown = views.token(request.path_params["token"], known)
        return _response(render.rows("service_requests", shown, form), form)

    async def create(self, request: Request, form: Format) -> Response:
        with self._memory.reserve(self._callers.name(request.scope)) as reservation:
            sent = await self._sent(request, reservation, "submit")
            client = await self._client(sent.pairs, request, "submit")
            return await self._created(request, form, sent, client)

    async def _sent(self, request: Request, reservation: MemoryReservation, scope: Scope) -> Form:
        """What was sent. If the key turns out to be invalid, the rest is not read. Another city's
        `jurisdiction_id` in the query is a problem as well."""

        def look(given: str) -> None:
            if key := given or _key_of_query(request):
                with self._counting_failures(request):
                    self._admission.check(key, scope, origin=request.headers.get("origin"))
                reservation.trust()

        try:
            sent = await read_form(
                request,
                reservation,
                look,
                most_files=self._settings.most_files,
                largest_file=self._settings.largest_file,
            )
        except UnreadableFormError as error:
            raise ProblemsError([error.problem]) from None
        named = (each.strip() for each in request.query_params.getlist("jurisdiction_id"))
        if any(map(jurisdiction_problem, named)):
            sent.wrong.append(Wrong("unknown_jurisdiction", Field("jurisdiction_id")))
        return sent

    async def _created(
        self, request: Request, form: Format, sent: Form, client: Client
    ) -> Response:
        pairs, wrong = sent.pairs, sent.wrong
        if first(pairs, "media") or first(pairs, "media[]"):
            # A photo sent as text would be lost without anyone noticing.
            wrong = [*wrong, Wrong("not_a_file", Field("files"))]
        sender = Sender(
            client=client,
            source=request.client.host if request.client else "",
            language=_language(request),
            idempotency_key=request.headers.get("idempotency-key", "").strip() or None,
            # Without this check, front ends that do not know the link would receive it without
            # having asked for it.
            link_wanted=wants_extensions(request.query_params) or wants_extensions(dict(pairs)),
        )
        draft = draft_of(pairs, files=len(sent.files), wrong=wrong)
        try:
            receipt = await self._accept(draft, GEOREPORT, sender, sent.files)
        except WrongSubmissionError as error:
            raise ProblemsError(list(map(problem, error.wrong))) from None
        accepted, link = receipt.accepted, receipt.link
        found = views.accepted(accepted.public_id, receipt.notice, link, accepted.token)
        return _response(
            render.rows("service_requests", found, form),
            form,
            headers={"Cache-Control": "no-store"} if link else None,
            language=sender.language,
        )

    async def updates(self, request: Request, form: Format) -> Response:
        window, problems = read_window(request.query_params, self._clock.now())
        if problems:
            raise ProblemsError(problems)
        with self._callers.ahead(request.scope, MOST_UPDATES) as ahead:
            found = await self._updates.written(window.since, window.until, MOST_UPDATES)
            ahead.rows = len(found)
            shown = (update(each, self._catalogue.by_code(each.service_code)) for each in found)
            body = await render.many_rows("service_request_updates", shown, form)
        return _response(body, form)

    async def comment(self, request: Request, form: Format) -> Response:
        with self._memory.reserve(self._callers.name(request.scope)) as reservation:
            sent = await self._sent(request, reservation, "update")
        client = await self._client(sent.pairs, request, "update")
        comment, problems = read_comment(sent.pairs)
        if sent.files:
            problems.append(Problem(400, "media", "an update takes media_url, not files"))
        if comment is None or problems or sent.wrong:
            raise ProblemsError([*map(problem, sent.wrong), *problems])
        update_id = await self._add_comment(comment, client)
        language = _language(request)
        notice = wording.CONTACT_LEFT_OUT[language] if comment.contact_left_out else None
        body = render.rows("service_request_updates", accepted_update(update_id, notice), form)
        return _response(body, form, language=language)

    async def _client(
        self, pairs: Sequence[tuple[str, str]], request: Request, scope: Scope
    ) -> Client:
        """The client whose key the call has, in the form or in the query. The call is counted.

        :raises RefusedError: the key is not valid for this call, or there were too many calls.
        """
        key = first(pairs, "api_key") or _key_of_query(request)
        with self._counting_failures(request):
            return await self._admission(key, scope, origin=request.headers.get("origin"))

    @contextmanager
    def _counting_failures(self, request: Request) -> Iterator[None]:
        """:raises RefusedError: too many calls without a valid key."""
        try:
            yield
        except RefusedError as error:
            wait = self._failed_keys.wait(request) if error.code in KEY_REFUSALS else None
            if wait is None:
                raise
            raise RefusedError(
                "too_often", "Too many calls without a good api_key.", retry_after=wait
            ) from None

    def _view(self, found: ServiceRequest, language: Language, *, extensions: bool) -> render.Tree:
        service = self._catalogues[language].by_code(found.service_code)
        return views.request(
            found, service, found.department, extensions=extensions, language=language
        )


def _answering(answer: Answer, form: Format) -> Callable[[Request], Awaitable[Response]]:
    """Every error in the format that the client asked for."""

    async def endpoint(request: Request) -> Response:
        try:
            return await answer(request, form)
        except ProblemsError as error:
            codes = [problem.code for problem in error.problems]
            status = next((code for code in (403, 404, 409) if code in codes), 400)
            return _response(render.errors(error.problems, form), form, status)
        except RefusedError as error:
            status = georeport_status_of(error)
            problem = Problem(status, error.field or "", error.detail)
            headers = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
            return _response(render.errors([problem], form), form, status, headers)
        except (TransientError, DatabaseError):
            problem = Problem(503, "", "This cannot be answered now; send it again.")
            return _response(render.errors([problem], form), form, 503, {"Retry-After": "2"})

    return endpoint


def _key_of_query(request: Request) -> str:
    return request.query_params.get("api_key", "").strip()


def _language(request: Request) -> Language:
    # RFC 9110, section 5.3: several lines of one header form one list.
    return preferred(", ".join(request.headers.getlist("accept-language")))


def _response(
    body: bytes,
    form: Format,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    language: Language | None = None,
) -> Response:
    """`language`: the header by which the caller chose the language; answers without one are the
    same for everybody."""
    found = dict(headers or {})
    if language is not None:
        found |= {"Content-Language": language, "Vary": "Accept-Language"}
    return Response(body, status, found, MEDIA_TYPES[form])


def _check_jurisdiction(parameters: Mapping[str, str]) -> None:
    problem = jurisdiction_problem(parameters.get("jurisdiction_id", "").strip() or None)
    if problem:
        raise ProblemsError([problem])
