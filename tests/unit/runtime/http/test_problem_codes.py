"""Which status a refusal is answered with."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from direct311.runtime.errors import FieldProblem, MalformedError, RefusedError
from direct311.runtime.http.api import install
from direct311.runtime.http.health import Readiness
from direct311.runtime.http.problem_codes import PROBLEMS, status_of
from direct311.runtime.telemetry import Metrics


def answer(error: RefusedError) -> tuple[int, object]:
    app = FastAPI()
    install(app, Readiness(), Metrics())

    @app.get("/")
    async def refuse() -> None:
        raise error

    answered = TestClient(app).get("/")
    return answered.status_code, answered.json()


@pytest.mark.parametrize("code", PROBLEMS)
def test_a_code_is_answered_with_the_tables_status(code: str) -> None:
    kind = PROBLEMS[code]
    assert answer(RefusedError(code, "Why.")) == answer(RefusedError(kind.status, code, "Why."))
    assert answer(RefusedError(code, "Why.")) == (
        kind.status,
        {
            "type": f"urn:direct311:problem:{code}",
            "title": code.replace("_", " "),
            "status": kind.status,
            "detail": "Why.",
        },
    )


def test_who_names_a_status_has_it() -> None:
    assert status_of(RefusedError(400, "too_many", "Why.")) == 400


def test_what_is_malformed_is_422() -> None:
    assert status_of(MalformedError([FieldProblem(field="text", detail="is required")])) == 422
