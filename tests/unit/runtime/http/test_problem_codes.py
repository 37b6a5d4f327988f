"""Which status a refusal is answered with."""

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient

from direct311.runtime.access.rules import Decision
from direct311.runtime.errors import FieldProblem, MalformedError, RefusedError
from direct311.runtime.http.api import install
from direct311.runtime.http.health import Readiness
from direct311.runtime.http.problem_codes import (
    PROBLEMS,
    georeport_status_of,
    of_the_framework,
    status_of,
)
from direct311.runtime.telemetry import Metrics
from direct311.runtime.vault.vault import DeniedError


def answer(error: RefusedError) -> tuple[int, object]:
    app = FastAPI()
    install(app, Readiness(), Metrics())

    @app.get("/")
    async def refuse() -> None:
        raise error

    answered = TestClient(app).get("/")
    return answered.status_code, answered.json()


@pytest.mark.parametrize("code", sorted(PROBLEMS.keys() - {"malformed"}))
def test_a_code_is_answered_with_the_tables_status(code: str) -> None:
    kind = PROBLEMS[code]
    assert answer(RefusedError(code, "Why.")) == (
        kind.status,
        {
            "type": f"urn:direct311:problem:{code}",
            "title": code.replace("_", " "),
            "status": kind.status,
            "detail": "Why.",
        },
    )


@pytest.mark.parametrize("error", [RefusedError("malformed", "Why.", field="text")])
def test_what_is_malformed_is_422_and_400_in_georeport(error: RefusedError) -> None:
    for each in (error, MalformedError([FieldProblem(field="text", detail="Why.")])):
        assert (status_of(each), georeport_status_of(each)) == (422, 400)
        assert answer(each)[1] == answer(error)[1]


def test_one_thing_that_is_wrong_is_listed_as_many_would_be() -> None:
    _, told = answer(RefusedError("malformed", "Why.", field="text"))
    assert isinstance(told, dict)
    assert told["errors"] == [{"field": "text", "detail": "Why.", "code": "invalid"}]


@pytest.mark.parametrize(
    ("unsaid", "wait", "status"),
    [(None, None, 403), ("reference", None, 422), ("reference", 9, 429), (None, 9, 429)],
)
def test_the_access_rules_refuse_with_403_or_ask_for_a_reason_or_to_wait(
    unsaid: str | None, wait: int | None, status: int
) -> None:
    denied = DeniedError(decision(unsaid), retry_after=wait)
    assert status_of(denied) == georeport_status_of(denied) == status


@pytest.mark.parametrize("status", [400, 404, 405, 408, 413])
def test_what_the_framework_refuses_has_a_code_of_this_status(status: int) -> None:
    code, _ = of_the_framework(status)
    assert PROBLEMS[code].status == status


def test_other_refusals_of_the_framework_keep_their_status() -> None:
    app = FastAPI()
    install(app, Readiness(), Metrics())

    @app.get("/")
    async def refuse() -> None:
        raise HTTPException(418, "Maria Lopez")

    answered = TestClient(app).get("/")
    assert (answered.status_code, answered.json()["status"]) == (418, 418)
    assert answered.json()["type"] == "urn:direct311:problem:http"
    assert "Maria" not in answered.text


def decision(unsaid: str | None) -> Decision:
    return Decision(
        allowed=False,
        rule_id="refused:department",
        needed="Why.",
        fields=(),
        obligations=(),
        policy_hash="",
        legal_basis=None,
        unsaid=unsaid,
    )
