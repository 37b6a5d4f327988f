"""While a case is exempt nothing in the system shows it; then the resident sees the access."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from deploy.local.stack import Stack
from direct311.runtime.messaging.signing import Signer
from direct311.schemas import Event, encode, topics
from direct311.schemas import events as ev
from direct311.schemas.model import Model
from direct311.schemas.secrecy import NO_END, DelayedNotice
from tests.e2e.test_legal_process import AGENCY, DANGER, Desk
from tests.support.app_api import App, order
from tests.support.county import County, Document, entering, until
from tests.support.no_trace import WORDS, files_under, traces_in
from tests.unit.audit.events import Producer

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]

LANGUAGES = {
    "en": ("The liaison to law enforcement", "To help law enforcement identify unlawful activity."),
    "es": (
        "El enlace con las fuerzas del orden",
        "Para ayudar a las fuerzas del orden a identificar actividades ilegales.",
    ),
    "ht": ("Moun ki fè lyezon ak lapolis", "Pou ede lapolis idantifye aktivite ilegal."),
}


@pytest.fixture
async def county(disposable: Stack) -> AsyncIterator[County]:
    async with entering(disposable) as county:
        yield county


class Case:
    """A case for law enforcement about one request, and the access under it, as intake signs it."""

    def __init__(self, county: County, record_id: str, link: str) -> None:
        self.county, self.record_id, self.link = county, record_id, link
        self.case_id, self.officer = str(uuid4()), f"officer-{uuid4().hex}"
        signer = Signer.from_file(county.stack.root / "keys" / "intake-signing.json")
        self.producer = Producer("intake", signer)

    async def accessed(self, exempt_until: datetime) -> None:
        """An access under the case is in the log, as counsel finds."""
        before = len(await self.entries("counsel"))
        await self.county.send(
            self.producer.access(
                self.record_id,
                actor=self.officer,
                roles=("liaison",),
                purpose="law_enforcement",
                case_id=self.case_id,
                exempt_until=exempt_until,
                at=datetime.now(UTC),
            )
        )

        async def logged() -> bool:
            return len(await self.entries("counsel")) > before

        await until(logged, "counsel finds the access in the log")

    async def says(self, version: int, exemption: ev.CaseExemption) -> None:
        """Retention tells a step of the case, signed with its key of the stack."""
        told = ev.DisclosureRecorded(
            case_id=self.case_id,
            version=version,
            kind="law_enforcement",
            exemption=exemption,
            step="narrowed",
            state="scoped",
            actor=self.officer,
            occurred_at=datetime.now(UTC),
        )
        event: Event[Model] = Event(
            str(uuid4()), "/direct311/retention", self.case_id, datetime.now(UTC), told
        )
        signer = Signer.from_file(self.county.stack.root / "keys" / "retention-signing.json")
        await self.county.send(signer.sign(encode(event)))

    async def shown(self) -> tuple[bool, bool]:
        """Whether an auditor without the right sees the access, and whether the resident does."""
        auditor = any(each["action"] == "view" for each in await self.entries("auditor"))
        listed = (await self.seen())["accesses"]
        return auditor, any(each["purpose"] == "law_enforcement" for each in listed)

    async def steps(self) -> int:
        """How many steps of the case the log has, as counsel finds."""
        return sum(each["action"] == "case" for each in await self.entries("counsel"))

    async def entries(self, role: str) -> list[Document]:
        path = f"/v1/entries?case={self.case_id}&reference=L-1&limit=100"
        found: list[Document] = (await self.county.get("audit", path, role, "ines"))["entries"]
        return found

    async def seen(self, language: str = "en", **query: str) -> Document:
        """The resident's list, from the gateway."""
        url = f"{self.county.known.services['intake']}/v1/requests/{self.record_id}/accesses"
        headers = {"Authorization": f"Bearer {self.link}", "Accept-Language": language}
        answer = await self.county.http.get(url, headers=headers, params=query, timeout=30)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def pages_of_one(self) -> list[Document]:
        """The resident's list, page by page."""
        found, query = [], {"limit": "1"}
        while True:
            page = await self.seen(**query)
            found.append(page)
            if page["next"] is None:
                return found
            query = {"limit": "1", "cursor": page["next"]}

    async def residents_views(self) -> dict[str, object]:
        """Everything that the reporter and the public can see of the request."""
        views: dict[str, object] = {name: await self.seen(name) for name in LANGUAGES}
        views["public"] = await self.county.request(self.record_id)
        views["follow"] = await App(self.county).followed(self.record_id, self.link)
        views["pages"] = await self.pages_of_one()
        return views

    async def auditors_views(self) -> dict[str, object]:
        """Everything that an auditor without the right can ask about the request and its time."""
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        times = {"since": today.isoformat(), "until": (today + timedelta(days=1)).isoformat()}
        letter, place = {"reference": "L-1"}, {"record": self.record_id}
        questions: dict[str, tuple[str, Document]] = {
            "by purpose": ("/v1/counts", {"by": ["purpose", "action"]}),
            "by case": ("/v1/counts", {"by": ["case", "actor"]}),
            "of the record": ("/v1/counts", {"by": ["actor", "outcome"], "filter": place}),
            "bundle": ("/v1/bundles", {"filter": place}),
            "breach": ("/v1/breaches", times),
            "timeline": (f"/v1/records/{self.record_id}/timeline", {"unit": "hour"}),
            **{
                name: ("/v1/exports", {"filter": place, "format": name})
                for name in ("ndjson", "csv", "ocsf")
            },
        }
        views: dict[str, object] = {}
        for name, (path, body) in questions.items():
            answer = await self.county.ask("POST", "audit", path, "auditor", "ines", body | letter)
            assert answer.status_code == 200, (name, answer.text)
            views[name] = answer.content
        for query in (f"record={self.record_id}", f"actor={self.officer}", f"case={self.case_id}"):
            path = f"/v1/entries?{query}&reference=L-1&limit=100"
            page = await self.county.get("audit", path, "auditor", "ines")
            views[query.partition("=")[0]] = page["entries"]
        views["reconciliation"] = await self.county.get("audit", "/v1/reconciliation", "auditor")
        return views

    async def operators_views(self) -> dict[str, object]:
        """Metrics, log files, and every topic except the sealed log's own."""
        views: dict[str, object] = dict(files_under(self.county.stack.place.log))
        for name, url in self.county.known.services.items():
            views[f"metrics of {name}"] = (await self.county.http.get(f"{url}/metrics")).text
        for topic in {each.topic for each in topics.ALL} - {"pii.accessed"}:
            if "{" not in topic:
                for message in await self.county.messages(topic):
                    views[f"{topic} {message.partition} {message.offset}"] = message.value or b""
        return views


async def counted_openly(county: County) -> list[Document]:
    """What an auditor without the right counts of law enforcement."""
    body = {"by": ["purpose", "action"], "reference": "L-1"}
    answer = await county.ask("POST", "audit", "/v1/counts", "auditor", "ines", body)
    assert answer.status_code == 200, answer.text
    return [each for each in answer.json()["groups"] if each["key"][0] == "law_enforcement"]


@pytest.mark.policy("P13")
async def test_an_exempt_access_leaves_no_trace_until_its_time_and_then_shows_by_itself(
    county: County,
) -> None:
    record_id, link = await App(county).submitted(order(960))
    assert (await county.read_contact(record_id, "agent", "olga")).status_code == 200
    case = Case(county, record_id, link)
    # What somebody tries without a case is a trace too, and goes through intake's own ledger.
    tried = await county.read_contact(
        record_id, "liaison", "lena", purpose="law_enforcement", reference="D-1"
    )
    assert tried.status_code == 403
    await case.accessed(NO_END)

    own = (case.officer, case.case_id)
    assert traces_in(await case.residents_views(), (*own, *WORDS)) == []
    assert traces_in(await case.auditors_views(), (*own, "law_enforcement")) == []
    assert traces_in(await case.operators_views(), (*own, "law_enforcement")) == []
    # An auditor knows that something is withheld there, as for every exempt entry.
    path = f"/v1/entries?record={record_id}&reference=L-1&limit=100"
    page = await county.get("audit", path, "auditor", "ines")
    assert page["withheld"] == 2
    assert sum(each["withheld"] for each in page["entries"]) == 2
    # The liaison's own sign-in is about no record.
    path_of_liaison = "/v1/entries?actor=lena&reference=L-1&limit=100"
    found = (await county.get("audit", path_of_liaison, "auditor", "ines"))["entries"]
    assert {(each["action"], tuple(each["record_ids"])) for each in found} <= {("sign_in", ())}

    # The next one has an end, which passes without any event.
    await case.accessed(datetime.now(UTC) + timedelta(seconds=6))
    assert traces_in({"list": await case.seen()}, WORDS) == []
    assert await case.entries("auditor") == []

    async def shown() -> Document | None:
        found = (await case.seen())["accesses"]
        return next((each for each in found if each["purpose"] == "law_enforcement"), None)

    access = await until(shown, "the resident sees the access")
    assert (access["action"], access["outcome"]) == ("view", "success")
    for language, (who, why) in LANGUAGES.items():
        found = (await case.seen(language))["accesses"]
        assert [
            (each["who"], each["why"]) for each in found if each["purpose"] == "law_enforcement"
        ] == [(who, why)]
    (entry,) = await case.entries("auditor")
    assert (entry["actor"], entry["case_id"]) == (case.officer, case.case_id)
    # The one without an end is still withheld.
    assert (await county.get("audit", path, "auditor", "ines"))["withheld"] == 2


def exempt(until: datetime, document: str | None = None) -> ev.CaseExemption:
    """Exempt until then; where there is a document, because it delays the notice until then."""
    dated_at = datetime.now(UTC) - timedelta(days=1)
    notice = DelayedNotice(document=document, dated_at=dated_at, until=until) if document else None
    return ev.CaseExemption(exempt=True, until=until, code="119.071(2)(c)", notice=notice)


@pytest.mark.policy("P13")
async def test_what_retention_says_about_a_case_ends_and_prolongs_the_withholding(
    county: County,
) -> None:
    record_id, link = await App(county).submitted(order(961))
    case = Case(county, record_id, link)
    await case.accessed(NO_END)
    assert await case.shown() == (False, False)

    async def opened() -> bool:
        return await case.shown() == (True, True)

    async def closed() -> bool:
        return await case.shown() == (False, False)

    # Its end, and a new exemption, count for the access that has happened.
    await case.says(1, ev.CaseExemption())
    await until(opened, "the case's end opens its entries")
    soon = datetime.now(UTC) + timedelta(seconds=8)
    await case.says(2, exempt(soon, "a" * 64))
    await until(closed, "the case withholds its entries again")

    # The same document prolongs nothing: the step is in the log and a dead letter.
    letters = len(await county.messages("deadletters.audit"))
    await case.says(3, exempt(soon + timedelta(days=30), "a" * 64))

    async def refused() -> bool:
        told = len(await county.messages("deadletters.audit")) > letters
        return told and await case.steps() == 3

    await until(refused, "audit refuses the step")
    await until(opened, "the delay ends by the clock")

    # Another document does.
    await case.says(4, exempt(datetime.now(UTC) + timedelta(days=30), "b" * 64))
    await until(closed, "another document withholds the entries")
    await case.says(5, ev.CaseExemption())
    await until(opened, "the case's end opens its entries for good")


@pytest.mark.policy("P13", "P18")
async def test_a_case_of_the_desk_leaves_no_trace_until_the_liaison_ends_its_secrecy(
    county: County,
) -> None:
    """The same views, after a liaison has opened a case, got a grant and read a reporter's
    telephone number under it."""
    record_id, link = await App(county).submitted(order(962))
    # Cases whose secrecy has ended count, and others may have ended theirs on this stack.
    before = await counted_openly(county)
    desk = Desk(county, record_id)
    await desk.opened()
    threat = {"version": 0, "agency": AGENCY, "threat": "life", "words": DANGER}
    await desk.done("POST", "exigent", threat)
    await desk.called("officer", instrument="exigent_request")
    scope = {"record_ids": [record_id], "fields": ["phone"]}
    await desk.done("PUT", "legal-scope", {"version": 0, "asked": scope, "granted": scope})
    await desk.approve((await desk.prepare()).json(), "emergency", desk.duty)
    await desk.reads()
    case = Case(county, record_id, link)
    case.case_id, case.officer = desk.case_id, desk.liaison

    async def logged() -> bool:
        return any(each["action"] == "view" for each in await case.entries("counsel"))

    await until(logged, "counsel finds the access in the log")
    own = (desk.liaison, desk.duty, "canary", "exigent", AGENCY)
    assert traces_in(await case.residents_views(), (*own, case.case_id, *WORDS)) == []
    # That the liaison has signed in is about no record. Every hold reads `case <id>`.
    views = await case.auditors_views()
    of_people = {"by case", "actor", "breach"}
    assert await counted_openly(county) == before
    del views["by purpose"]
    assert traces_in(views, ("law_enforcement", "exigent")) == []
    alone = {name: view for name, view in views.items() if name not in of_people}
    assert traces_in(alone, own) == []
    path = f"/v1/entries?actor={desk.liaison}&reference=L-1&limit=100"
    found = (await county.get("audit", path, "auditor", "ines"))["entries"]
    assert {(each["action"], tuple(each["record_ids"])) for each in found} == {("sign_in", ())}
    # Only the services that check grants read the first topic, and only audit reads the second.
    told = {
        name: view
        for name, view in (await case.operators_views()).items()
        if not name.startswith(("disclosure ", "act.recorded "))
    }
    assert traces_in(told, (*own, "law_enforcement")) == []

    # The liaison ends the secrecy: the resident sees that somebody has read the number, and when.
    await desk.done("DELETE", "notice")

    async def shown() -> bool:
        return await case.shown() == (True, True)

    await until(shown, "the resident and the auditor see the access")
    for language, told_as in LANGUAGES.items():
        seen = (await case.seen(language))["accesses"]
        assert told_as in [(each["who"], each["why"]) for each in seen]
