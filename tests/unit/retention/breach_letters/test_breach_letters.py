"""The letters after a breach as PDF: one a record in three languages, and two to authorities."""

import io

import pytest
from fastapi import APIRouter
from pypdf import PdfReader
from starlette.testclient import TestClient

from direct311.retention.breach_letters.adapters import PdfLetters
from direct311.retention.breach_letters.api import router
from direct311.retention.breach_letters.handlers import PrintBreachLetters
from direct311.runtime.access.breach_letters import load_breach_letters
from direct311.runtime.http.api import caller_of
from tests.support.service_under_test import ServiceUnderTest

COUNSEL = {"Authorization": "Bearer counsel:cora"}
BREACH = {"notice_id": "breach-1", "began_on": "2026-11-20", "ended_on": "2026-11-22"}
AUTHORITY = {
    "to": "legal_affairs",
    "persons": 612,
    "persons_at_most": 640,
    "records": 700,
    "synopsis": "A token was stolen <b>from</b> a desk & used.",
    "told_by": "2026-12-22",
}


def served(*, local: bool = True) -> TestClient:
    service = ServiceUnderTest("retention")
    letters = PrintBreachLetters(load_breach_letters(), PdfLetters(), local=local)
    found: APIRouter = router(letters, caller_of(service.authenticator))
    return service.serve(found)


def pages(content: bytes) -> list[str]:
    reader = PdfReader(io.BytesIO(content))
    assert "Creator" not in str(reader.metadata) or "Direct311" in str(reader.metadata)
    return [" ".join(each.extract_text().split()) for each in reader.pages]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_each_record_has_its_letter_in_three_languages() -> None:
    records = [{"record_id": f"record-{each}", "fields": ["phone"]} for each in range(3)]
    order = BREACH | {"records": records}
    http = served()
    answer = http.post("/v1/breach-letters", json=order, headers=COUNSEL)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["Cache-Control"] == "no-store"
    found = pages(answer.content)
    assert len(found) == 9
    assert "Notice of a breach of security" in found[0]
    assert "Aviso de una violación de seguridad" in found[1]
    assert "Enfòmasyon yo se te: enfòmasyon pou kontakte ou" in found[2]
    for number, page in enumerate(found):
        assert f"record-{number // 3}" in page
        assert "2026-11-20" in page
    assert http.post("/v1/breach-letters", json=order, headers=COUNSEL).content == answer.content


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_department_of_legal_affairs_is_told_what_the_law_wants() -> None:
    http = served()
    order = BREACH | {"authority": AUTHORITY}
    answer = http.post("/v1/breach-letters", json=order, headers=COUNSEL)
    (page,) = pages(answer.content)
    for said in ("A token was stolen <b>from</b> a desk & used.", "612", "640", "2026-12-22"):
        assert said in page
    bureaus = BREACH | {"authority": AUTHORITY | {"to": "credit_bureaus"}}
    (page,) = pages(http.post("/v1/breach-letters", json=bureaus, headers=COUNSEL).content)
    assert "timing, distribution and content" in page


def test_only_counsel_prints_and_only_one_kind_at_a_time() -> None:
    http = served()
    order = BREACH | {"records": [{"record_id": "record-1"}]}
    for role in ("records_officer", "auditor", "agent"):
        headers = {"Authorization": f"Bearer {role}:x"}
        assert http.post("/v1/breach-letters", json=order, headers=headers).status_code == 403
    for wrong in (BREACH, order | {"authority": AUTHORITY}, order | {"ended_on": "2026-11-19"}):
        assert http.post("/v1/breach-letters", json=wrong, headers=COUNSEL).status_code == 422


def test_unconfirmed_words_are_printed_on_the_local_stack_only() -> None:
    order = BREACH | {"records": [{"record_id": "record-1"}]}
    answer = served(local=False).post("/v1/breach-letters", json=order, headers=COUNSEL)
    assert answer.status_code == 409
    assert answer.json()["type"].endswith("unconfirmed_letter")
