"""What Open311 refuses is refused in the format that was asked for, and says when to come back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from direct311.intake.catalogue.adapters import load_catalogue, load_policies
from direct311.intake.language import LANGUAGES
from direct311.intake.open311.api.georeport import GeoReport
from direct311.intake.settings import IntakeSettings
from direct311.intake.submission.handlers.accept import Accept
from direct311.intake.submission.handlers.agreement import Agreement
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.storage.database import DatabaseError
from tests.support.quotas import callers
from tests.support.runtime import SetClock

POLICIES = load_policies().content
IN_FORCE = "2026-1"
STRICT = {"express_consent": True}
FIELDS = {"service_code": "ANI-STRAY-DOG", "lat": "25.7", "long": "-80.3"}


@dataclass
class Raising:
    """A store or use case of which every call fails."""

    error: Exception

    def __getattr__(self, name: str) -> Any:
        return self.__call__

    async def __call__(self, *_: Any, **__: Any) -> Any:
        raise self.error


class Admitting:
    async def __call__(self, *_: Any, **__: Any) -> str:
        return "app"

    def check(self, *_: Any, **__: Any) -> None:
        pass


@dataclass
class Refusing:
    """A door that lets nobody in, and counts as good ones do."""

    tried: list[str]

    async def __call__(self, key: str, *_: Any, **__: Any) -> str:
        raise AssertionError("all of it was read")

    def check(self, key: str, *_: Any, **__: Any) -> None:
        self.tried.append(key)
        raise RefusedError("api_key", "api_key is missing or not known", field="api_key")


@dataclass
class Failures:
    """`FailedKeys`; `seconds`: until the next try."""

    seconds: int | None

    def wait(self, _: object) -> int | None:
        return self.seconds


def http(
    error: Exception,
    *,
    change: Mapping[str, object] = {},
    admitting: bool = True,
    admit: Refusing | None = None,
    failures: Failures | None = None,
    reads: int = 1_200,
) -> TestClient:
    """`change`: of every version of the policy. `reads`: of an address in a minute."""
    policies = tuple(each.model_copy(update=dict(change)) for each in POLICIES.policies)
    clock = SetClock()
    raising: Any = Raising(error)
    catalogue = load_catalogue().content
    agreement = Agreement(POLICIES.model_copy(update={"policies": policies}), clock)
    report = GeoReport(
        settings=IntakeSettings.model_construct(
            public_url="http://county.example",
            environment="local",
            most_files=5,
            largest_file=1000,
            files_in_hand=10_000,
        ),
        catalogues=dict.fromkeys(LANGUAGES, catalogue),
        agreement=agreement,
        admission=admit or (Admitting() if admitting else raising),  # type: ignore[arg-type]
        failed_keys=failures,  # type: ignore[arg-type]
        callers=callers(clock, most=reads),
        accept=Accept(
            catalogue=catalogue,
            agreement=agreement,
            submit=raising,
            links=None,  # type: ignore[arg-type]
            clock=clock,
            most_files=5,
        ),
        requests=raising,
        updates=raising,
        add_comment=raising,
        clock=clock,
    )
    app = FastAPI()
    app.router.routes.extend(report.routes())
    return TestClient(app)


def told(answer: httpx.Response, form: str) -> tuple[str, str]:
    """Code and words of the one error."""
    assert answer.headers["content-type"].endswith(f"/{form}; charset=utf-8")
    if form == "json":
        (error,) = answer.json()
        return str(error["code"]), error["description"]
    (element,) = ElementTree.fromstring(answer.text)
    return element.findtext("code") or "", element.findtext("description") or ""


@pytest.mark.policy("P2")
@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("named", [None, "2025-1"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_policy_that_needs_express_consent_answers_409_with_its_text(
    form: str, named: str | None, language: str
) -> None:
    fields = FIELDS | ({"policy_version": named} if named else {})
    answer = http(AssertionError("submitted"), change=STRICT).post(
        f"/open311/v2/requests.{form}", data=fields, headers={"Accept-Language": language}
    )
    assert answer.status_code == 409
    code, words = told(answer, form)
    policy = POLICIES.by_version(IN_FORCE)
    assert code == "409"
    assert policy is not None
    assert IN_FORCE in words
    # XML's parser makes one of all kinds of white space.
    text = policy.texts[language]  # type: ignore[index]
    assert " ".join(text.body.split()) in " ".join(words.split())


@pytest.mark.parametrize("form", ["json", "xml"])
def test_who_names_that_version_goes_on(form: str) -> None:
    answer = http(TransientError("submitted"), change=STRICT).post(
        f"/open311/v2/requests.{form}", data=FIELDS | {"policy_version": IN_FORCE}
    )
    # As far as the use case, which fails here.
    assert answer.status_code == 503


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("path", ["requests", "servicerequestupdates"])
def test_a_used_up_quota_is_429_and_says_when_to_come_back(form: str, path: str) -> None:
    used_up = RefusedError("quota", "Used up.", field="api_key", retry_after=17)
    answer = http(used_up, admitting=False).post(f"/open311/v2/{path}.{form}", data=FIELDS)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "17")
    assert told(answer, form) == ("429", "Used up.")


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize(
    "path",
    [
        "requests.{form}",
        "requests/a.{form}",
        "tokens/a.{form}",
        "servicerequestupdates.{form}",
    ],
)
@pytest.mark.parametrize("error", [DatabaseError("away"), TransientError("away")])
def test_a_database_that_is_away_is_503_and_says_when_to_come_back(
    form: str, path: str, error: Exception
) -> None:
    answer = http(error).get(f"/open311/v2/{path.format(form=form)}")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert told(answer, form)[0] == "503"


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("error", [DatabaseError("full"), TransientError("full")])
def test_what_cannot_be_kept_is_503_and_says_when_to_come_back(form: str, error: Exception) -> None:
    for path, fields in (
        ("requests", FIELDS),
        ("servicerequestupdates", {"service_request_id": "a", "update_id": "1", "status": "OPEN"}),
    ):
        answer = http(error).post(f"/open311/v2/{path}.{form}", data=fields)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2"), path
        assert told(answer, form)[0] == "503"


@pytest.mark.parametrize("form", ["json", "xml"])
def test_where_no_policy_is_in_force_it_is_503_with_a_time(form: str) -> None:
    to_come = {"effective_from": date(2999, 1, 1)}
    answer = http(AssertionError("submitted"), change=to_come).post(
        f"/open311/v2/requests.{form}", data=FIELDS
    )
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3600")


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("path", ["requests", "servicerequestupdates"])
@pytest.mark.parametrize("in_form", ["", "miamidade", "broward.org"])
def test_another_citys_jurisdiction_behind_the_question_mark_of_a_post_is_404(
    form: str, path: str, in_form: str
) -> None:
    fields = FIELDS | {"service_request_id": "a", "update_id": "1", "status": "OPEN"}
    answer = http(AssertionError("taken")).post(
        f"/open311/v2/{path}.{form}?jurisdiction_id=broward.org",
        data=fields | {"jurisdiction_id": in_form},
    )
    assert answer.status_code == 404
    assert told(answer, form) == ("404", "jurisdiction_id must be miamidade")


@pytest.mark.parametrize("path", ["requests", "servicerequestupdates"])
@pytest.mark.parametrize("name", ["", "miamidade", "miamidade.gov"])
def test_ours_is_taken_there(path: str, name: str) -> None:
    fields = FIELDS | {"service_request_id": "a", "update_id": "1", "status": "OPEN"}
    answer = http(TransientError("taken")).post(
        f"/open311/v2/{path}.json?jurisdiction_id={name}",
        data=fields | {"jurisdiction_id": "miamidade"},
    )
    # As far as the use case, which fails here.
    assert answer.status_code == 503


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("field", ["media", "media[]"])
def test_a_photo_that_comes_as_text_is_refused_by_name(form: str, field: str) -> None:
    client = http(AssertionError("submitted"))
    answer = client.post(f"/open311/v2/requests.{form}", data=FIELDS | {field: "iVBORw0KGgo="})
    assert answer.status_code == 400
    assert told(answer, form) == ("400", "media must be a file, in multipart/form-data")
    empty = http(TransientError("submitted")).post(
        f"/open311/v2/requests.{form}", data=FIELDS | {field: " "}
    )
    assert empty.status_code == 503


def photos(count: int) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("media", ("a.jpg", b"x" * 900, "image/jpeg"))] * count


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("query", [{}, {"api_key": "bad"}])
def test_a_key_that_is_none_is_refused_before_the_files_are_read(
    form: str, query: Mapping[str, str]
) -> None:
    admit = Refusing([])
    fields = FIELDS | ({} if query else {"api_key": "bad"})
    sent: dict[str, Any] = {"params": query, "data": fields, "files": photos(1)}
    path = f"/open311/v2/requests.{form}"
    once = http(AssertionError(), admit=admit, failures=Failures(None)).post(path, **sent)
    assert once.status_code == 403
    assert told(once, form) == ("403", "api_key is missing or not known")
    assert admit.tried == ["bad"]
    often = http(AssertionError(), admit=admit, failures=Failures(9)).post(path, **sent)
    assert (often.status_code, often.headers["retry-after"]) == (429, "9")
    assert told(often, form) == ("429", "Too many calls without a good api_key.")


@pytest.mark.parametrize("form", ["json", "xml"])
def test_files_of_one_call_are_so_large_and_no_larger_together(form: str) -> None:
    client = http(TransientError("submitted"))
    path = f"/open311/v2/requests.{form}"
    fields = FIELDS | {"api_key": "good"}
    for _ in range(3):
        # What was held is let go.
        assert client.post(path, data=fields, files=photos(2)).status_code == 503
    answer = client.post(path, data=fields, files=photos(3))
    assert answer.status_code == 413
    assert told(answer, form) == ("413", "media may have 2500 bytes in all")
