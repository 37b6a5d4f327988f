"""Telling reporters of a breach: each at the address that only intake opens, and once."""

import json
from datetime import date
from email.message import EmailMessage

import pytest

from direct311.intake.breach_notices.api import breach_notices_router
from direct311.intake.breach_notices.domain import BreachNotice, ReachedRecord
from direct311.intake.breach_notices.handlers import SendBreachNotices
from direct311.intake.review.handlers.door import _APART
from direct311.runtime.access.breach_letters import load_breach_letters
from direct311.runtime.access.ledger import AuditUnavailableError
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import caller_of
from tests.support.intake import PERSON, IntakeUnderTest
from tests.support.mailer import InMemoryMailer

pytestmark = pytest.mark.anyio

CORA = Caller("cora", ("counsel",))
NOTICE = "breach-1"


class TellingIntake(IntakeUnderTest):
    """Intake with the use case that tells reporters."""

    def __init__(self, *, local: bool = True, mail: bool = True) -> None:
        super().__init__()
        self.mailer = InMemoryMailer()
        self.send = SendBreachNotices(
            processor=self.processor,
            vault=self.vault,
            letters=load_breach_letters(),
            mailer=self.mailer if mail else None,
            sender="Direct311 <no-reply@direct311.test>",
            clock=self.clock,
            ids=self.ids,
            local=local,
        )

    async def told(self, *record_ids: str, notice_id: str = NOTICE) -> list[str]:
        records = [ReachedRecord(each, ("phone", "email")) for each in record_ids]
        notice = BreachNotice(notice_id, date(2026, 11, 20), date(2026, 11, 22), records)
        return [each.outcome for each in await self.send(CORA, notice)]


def text_of(message: EmailMessage) -> str:
    return str(message.get_content())


async def test_the_reporter_is_told_in_three_languages_about_this_request_alone() -> None:
    intake = TellingIntake()
    await intake.request()
    assert await intake.told("r-1") == ["sent"]
    (message,) = intake.mailer.sent
    assert str(message["To"]) == PERSON["email"]
    assert message["Subject"] == "Notice of a breach of security"
    text = text_of(message)
    for each in ("request r-1", "solicitud 311 r-1", "demann 311 ou a r-1", "2026-11-22"):
        assert each in text
    for value in PERSON.values():
        assert value not in text


async def test_opening_the_address_is_an_entry_that_says_who_told_whom_and_why() -> None:
    intake = TellingIntake()
    await intake.request()
    await intake.told("r-1")
    (event,) = intake.access_log.events()
    assert (event.action, event.what.fields, event.what.record_ids) == (
        "disclose",
        ("email",),
        ("r-1",),
    )
    assert (event.agent.id, event.agent.on_behalf_of) == ("svc:intake", "cora")
    assert (event.why.reference, event.recipient) == (NOTICE, "subject")
    assert PERSON["email"] not in event.model_dump_json()


async def test_a_repeat_tells_nobody_twice_and_opens_nothing() -> None:
    intake = TellingIntake()
    await intake.request()
    assert await intake.told("r-1") == ["sent"]
    assert await intake.told("r-1") == ["sent_before"]
    assert (len(intake.mailer.sent), len(intake.access_log.events())) == (1, 1)
    # Another breach is another notice.
    assert await intake.told("r-1", notice_id="breach-2") == ["sent"]
    assert [each.notice_id for each in intake.state().breach_notices] == [NOTICE, "breach-2"]


async def test_whom_no_mail_reaches_is_named_for_a_letter() -> None:
    intake = TellingIntake()
    await intake.request("r-1", {"phone": "305-555-0142"})
    await intake.request("r-2", PERSON | {"email": "not an address"})
    assert await intake.told("r-1", "r-2", "r-3") == ["no_email", "undeliverable", "unknown"]
    intake.mailer.refuses = True
    await intake.request("r-4")
    assert await intake.told("r-4") == ["undeliverable"]
    assert intake.mailer.sent == []
    nobody = TellingIntake(mail=False)
    await nobody.request()
    assert await nobody.told("r-1") == ["no_email"]


async def test_a_relay_that_is_down_is_asked_once_and_later_again() -> None:
    intake = TellingIntake()
    for number in (1, 2, 3):
        await intake.request(f"r-{number}")
    intake.mailer.down = True
    assert await intake.told("r-1", "r-2", "r-3") == ["later"] * 3
    assert intake.mailer.tried == 1
    intake.mailer.down = False
    assert await intake.told("r-1", "r-2", "r-3") == ["sent"] * 3
    ids = {str(each["Message-ID"]) for each in intake.mailer.sent}
    assert ids == {f"<breach-{NOTICE}-r-{number}@direct311.test>" for number in (1, 2, 3)}


async def test_without_the_log_nothing_is_opened_and_nobody_is_told() -> None:
    intake = TellingIntake()
    await intake.request()
    intake.access_log.down = True
    with pytest.raises(AuditUnavailableError):
        await intake.told("r-1")
    assert (intake.mailer.sent, intake.state().breach_notices) == ([], ())


async def test_a_destroyed_request_is_unknown() -> None:
    intake = TellingIntake()
    await intake.request(lifecycle="destroying")
    assert await intake.told("r-1") == ["unknown"]


async def test_unconfirmed_words_are_sent_to_nobody_outside_the_local_stack() -> None:
    intake = TellingIntake(local=False)
    await intake.request()
    with pytest.raises(RefusedError) as refused:
        await intake.told("r-1")
    assert refused.value.code == "unconfirmed_letter"
    assert intake.mailer.sent == []


def test_a_notice_undoes_no_review() -> None:
    assert "breach_notices" in _APART


async def test_over_http_counsel_tells_and_no_address_is_in_the_answer() -> None:
    intake = TellingIntake()
    await intake.request()
    http = intake.serve(breach_notices_router(intake.send, caller_of(intake.authenticator)))
    order = {
        "notice_id": NOTICE,
        "began_on": "2026-11-20",
        "ended_on": "2026-11-22",
        "records": [{"record_id": "r-1", "fields": ["email"]}, {"record_id": "r-2"}],
    }
    counsel = {"Authorization": "Bearer counsel:cora"}
    answer = http.post("/v1/breach-notices", json=order, headers=counsel)
    assert answer.status_code == 200, answer.text
    assert answer.json()["counts"] == {"sent": 1, "unknown": 1}
    assert PERSON["email"] not in json.dumps(answer.json())
    for role in ("agent", "records_officer", "auditor", "custodian"):
        headers = {"Authorization": f"Bearer {role}:x"}
        assert http.post("/v1/breach-notices", json=order, headers=headers).status_code == 403
    wrong = order | {"ended_on": "2026-11-19"}
    assert http.post("/v1/breach-notices", json=wrong, headers=counsel).status_code == 422
