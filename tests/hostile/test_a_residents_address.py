"""Who has a resident's link does not take the resident's mailbox away.

Messages and codes go to the e-mail address of a request. It is replaced by who can read the mailbox
that it is, or by an agent who has identified the caller; until then all goes to the old one.
"""

from collections.abc import Awaitable, Callable, Mapping

import pytest
from httpx import Response

from tests.support.app_api import App, mailed, mails, order, text_of
from tests.support.county import County
from tests.support.gateway import Gateway
from tests.support.reporters import NOTICE
from tests.support.runtime import new_id

pytestmark = pytest.mark.anyio

OLD, NEW, OTHER = "zora@example.org", "mallory@example.net", "trudy@example.com"
REASON = "told me the date and both photos by telephone"


class Attack:
    """A stranger with the link of `r-1`, which holds an address and wants messages."""

    def __init__(self) -> None:
        self.gateway = Gateway()
        self.intake = self.gateway.intake

    async def begin(self) -> None:
        await self.intake.request()
        await self.intake.request("r-2", {"description": "x", "email": NEW})
        self.link = self.intake.link_signer.issue("r-1").token
        body = {"email_notice_version": NOTICE}
        wants = self.gateway.resident("POST", self._path("notifications"), self.link, body)
        assert wants.status_code == 200

    def _path(self, call: str, record_id: str = "r-1") -> str:
        return f"/v1/requests/{record_id}/{call}"

    def correct(self, key: str | None = None, **values: str | None) -> Response:
        body = {"email_notice_version": NOTICE, **values}
        return self.gateway.resident("POST", self._path("corrections"), self.link, body, key)

    def by_an_agent(self, token: str = "agent:olga", email: str = NEW, **order: str) -> Response:
        body = {"email": email, "email_notice_version": NOTICE, "justification": REASON, **order}
        return self.gateway.resident("POST", self._path("email"), token, body)

    async def code(self, email: str = OLD, record_id: str = "r-1") -> str | None:
        """The code that comes when one is asked for with this address."""
        before = len(self.intake.mailer.sent)
        asked = self.gateway.http.post(
            self._path("codes", record_id), json={"email": email}, headers={"X-Api-Key": "app"}
        )
        assert asked.status_code == 202, asked.text
        await self.intake.mail.step()
        words = [w.strip(".") for m in self.intake.mailer.sent[before:] for w in str(m).split()]
        return next((word for word in words if word.isdigit() and len(word) == 8), None)

    def redeem(self, code: str) -> Response:
        answer: Response = self.gateway.http.post(
            self._path("codes/redeem"), json={"code": code}, headers={"X-Api-Key": "app"}
        )
        return answer

    async def news(self) -> str:
        """Where the next message goes."""
        update = {"service_request_id": "r-1", "update_id": new_id("u"), "status": "OPEN"}
        said = self.gateway.form(update, call="servicerequestupdates")
        assert said.status_code == 200, said.text
        self.intake.mailer.sent.clear()
        await self.intake.mail.step()
        (message,) = self.intake.mailer.sent
        return str(message["To"])


@pytest.fixture
async def attack() -> Attack:
    attack = Attack()
    await attack.begin()
    return attack


Try = Callable[[Attack], Awaitable[Response]]


async def _with_nothing(attack: Attack) -> Response:
    return attack.correct(email=NEW)


async def _with_a_key(attack: Attack) -> Response:
    return attack.correct("a-key", email=NEW)


async def _beside_other_values(attack: Attack) -> Response:
    return attack.correct(email=NEW, phone="305-555-0199", last_name="Mallory")


async def _with_a_guess(attack: Attack) -> Response:
    code = await attack.code()
    assert code
    return attack.correct(email=NEW, email_code=f"{(int(code) + 1) % 10**8:08}")


async def _with_no_code_asked_for(attack: Attack) -> Response:
    return attack.correct(email=NEW, email_code="00000000")


async def _with_an_empty_code(attack: Attack) -> Response:
    await attack.code()
    return attack.correct(email=NEW, email_code="")


async def _with_digits_of_another_script(attack: Attack) -> Response:
    code = await attack.code() or ""
    return attack.correct(email=NEW, email_code="".join(chr(0x660 + int(each)) for each in code))


async def _with_the_code_of_ones_own_request(attack: Attack) -> Response:
    return attack.correct(email=NEW, email_code=await attack.code(NEW, "r-2"))


async def _with_a_code_to_the_new_address(attack: Attack) -> Response:
    assert await attack.code(NEW) is None
    return attack.correct(email=NEW, email_code="12345678")


async def _with_a_code_that_was_used(attack: Attack) -> Response:
    code = await attack.code()
    assert code
    assert attack.redeem(code).status_code == 200
    return attack.correct(email=NEW, email_code=code)


async def _with_the_same_in_capitals(attack: Attack) -> Response:
    return attack.correct(email="ZORA@EXAMPLE.ORG")


async def _with_a_tag(attack: Attack) -> Response:
    return attack.correct(email="zora+mallory@example.org")


async def _with_letters_that_look_the_same(attack: Attack) -> Response:
    return attack.correct(email="z\u043era@ex\u0430mple.org")


async def _by_an_inspector(attack: Attack) -> Response:
    return attack.by_an_agent("inspector:ivo")


async def _by_an_administrator(attack: Attack) -> Response:
    return attack.by_an_agent("admin:root")


async def _by_the_link_in_an_agents_call(attack: Attack) -> Response:
    return attack.by_an_agent(attack.link)


async def _by_an_agent_in_a_residents_call(attack: Attack) -> Response:
    attack.link = "agent:olga"
    return attack.correct(email=NEW)


async def _by_an_agent_without_a_reason(attack: Attack) -> Response:
    return attack.by_an_agent(justification="")


async def _taking_it_away(attack: Attack) -> Response:
    return attack.correct(email="")


async def _taking_it_away_with_a_blank(attack: Attack) -> Response:
    return attack.correct(email=" ")


async def _taking_it_away_with_nothing(attack: Attack) -> Response:
    return attack.correct(email=None)


TRIES: Mapping[str, Try] = {
    each.__name__.strip("_"): each
    for each in (
        _with_nothing,
        _with_a_key,
        _beside_other_values,
        _with_a_guess,
        _with_no_code_asked_for,
        _with_an_empty_code,
        _with_digits_of_another_script,
        _with_the_code_of_ones_own_request,
        _with_a_code_to_the_new_address,
        _with_a_code_that_was_used,
        _with_the_same_in_capitals,
        _with_a_tag,
        _with_letters_that_look_the_same,
        _by_an_inspector,
        _by_an_administrator,
        _by_the_link_in_an_agents_call,
        _by_an_agent_in_a_residents_call,
        _by_an_agent_without_a_reason,
        _taking_it_away,
        _taking_it_away_with_a_blank,
        _taking_it_away_with_nothing,
    )
}


@pytest.mark.parametrize("replaces", TRIES.values(), ids=TRIES)
async def test_nobody_else_replaces_it_and_messages_go_on_to_it(
    attack: Attack, replaces: Try
) -> None:
    sealed = attack.intake.state().sealed
    refused = await replaces(attack)
    assert refused.status_code in (403, 422), refused.text
    for value in (NEW, OLD):
        assert value not in refused.text
    assert attack.intake.state().sealed == sealed
    assert attack.intake.state().corrections == ()
    assert await attack.news() == OLD


async def test_who_reads_the_old_mailbox_replaces_it_once(attack: Attack) -> None:
    code = await attack.code()
    assert code
    done = attack.correct("a-key", email=NEW, email_code=f"{code[:4]} {code[4:]}")
    assert (done.status_code, done.json()["fields"]) == (200, ["email"]), done.text
    assert await attack.news() == NEW
    # A retry is known by its key, though the code is used up.
    again = attack.correct("a-key", email=NEW, email_code=code)
    assert again.json() == done.json()
    assert attack.correct(email=OTHER, email_code=code).status_code == 403
    assert await attack.code(OLD) is None


async def test_a_code_is_no_good_once_the_address_is_another(attack: Attack) -> None:
    code = await attack.code()
    assert code
    assert attack.by_an_agent().status_code == 200
    assert attack.redeem(code).status_code == 403
    assert attack.correct(email=OTHER, email_code=code).status_code == 403
    assert await attack.news() == NEW


async def test_a_code_stays_where_the_correction_cannot_be_written_down(attack: Attack) -> None:
    code = await attack.code()
    attack.intake.access_log.down = True
    assert attack.correct(email=NEW, email_code=code).status_code == 503
    attack.intake.access_log.down = False
    assert attack.correct(email=NEW, email_code=code).status_code == 200


async def test_an_agent_who_has_identified_the_caller_replaces_it_and_says_how(
    attack: Attack,
) -> None:
    done = attack.by_an_agent()
    assert (done.status_code, done.json()["fields"]) == (200, ["email"]), done.text
    event = attack.intake.access_log.events()[-1]
    assert (event.action, event.why.purpose, event.agent.id) == ("correct", "respond", "olga")
    assert (event.why.justification, event.what.fields) == (REASON, ("email",))
    assert await attack.news() == NEW


async def test_a_first_address_and_all_other_values_need_no_code(attack: Attack) -> None:
    assert attack.correct(phone="305-555-0199", email_notice_version=None).status_code == 200
    await attack.intake.request("r-3", {"description": "x"})
    link = attack.intake.link_signer.issue("r-3").token
    body = {"email": OTHER, "email_notice_version": NOTICE}
    path = "/v1/requests/r-3/corrections"
    assert attack.gateway.resident("POST", path, link, body).status_code == 200
    # From then on it is an address like any other.
    refused = attack.gateway.resident("POST", path, link, body | {"email": NEW})
    assert (refused.status_code, refused.json()["field"]) == (403, "email_code")


# ---------------------------------------------------------------- on the running county


@pytest.mark.e2e
async def test_the_running_county_sends_a_code_to_the_old_address_first(county: County) -> None:
    app = App(county)
    old, new = (f"{new_id(each)}@example.org" for each in ("old", "new"))
    record_id, link = await app.submitted(order(1520, email=old))
    path = f"/v1/requests/{record_id}"
    body = {"email": new, "email_notice_version": NOTICE}
    refused = await app.call("POST", f"{path}/corrections", body, link=link)
    assert (refused.status_code, refused.json()["field"]) == (403, "email_code")
    asked = await app.call("POST", f"{path}/codes", {"email": old})
    assert asked.status_code == 202
    (message,) = await mailed(county, old)
    words = (word.strip(".") for word in text_of(message).split())
    code = next(word for word in words if word.isdigit() and len(word) == 8)
    done = await app.call("POST", f"{path}/corrections", body | {"email_code": code}, link=link)
    assert done.status_code == 200, done.text
    used = await app.call("POST", f"{path}/codes/redeem", {"code": code})
    assert used.status_code == 403
    agents = {**body, "email": old, "justification": REASON}
    given = await county.post("intake", f"{path}/email", agents, "agent", "olga")
    assert given["fields"] == ["email"]
    assert mails(county, new) == []
