"""What only a browser can tell: cookies, forms and pages of other origins, as it sees them."""

import base64
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import BrowserContext, ConsoleMessage, Page, expect

from direct311.runtime.http.staff import SESSION
from tests.support.app_api import order
from tests.support.browser import browsing, front_end
from tests.support.county import County, until
from tests.support.submissions import ANIMALS, photo, submission

pytestmark = [pytest.mark.e2e, pytest.mark.anyio, pytest.mark.timeout(300)]

SUBMIT = """async ({gate, key, photo, order}) => {
  const bytes = Uint8Array.from(atob(photo), each => each.charCodeAt(0));
  const headers = {"Content-Type": "application/json", "X-Api-Key": key};
  const send = async (path, body, more) => {
    const answer = await fetch(gate + path, {
      method: "POST", headers: {...headers, ...more}, body: JSON.stringify(body)});
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  const policy = await (await fetch(gate + "/v1/policy")).json();
  const files = [{content_type: "image/jpeg", size: bytes.length}];
  const [ticket] = (await send("/v1/uploads", {files})).uploads;
  const put = await fetch(ticket.url, {method: "PUT", headers: ticket.headers, body: bytes});
  if (!put.ok) throw new Error(`the store: ${put.status} ${await put.text()}`);
  const said = await send("/v1/requests", {
    ...order, file_ids: [ticket.file_id], policy_version: policy.version,
  }, {"Idempotency-Key": crypto.randomUUID()});
  const link = {"Authorization": `Bearer ${said.link.token}`};
  const id = said.service_request_id;
  const followed = await fetch(`${gate}/v1/requests/${id}/follow`, {headers: link});
  return {id, status: followed.status, service: (await followed.json()).service_code};
}"""

TRY = """async ({url, options}) => {
  try { return (await fetch(url, options)).status; } catch (error) { return error.name; }
}"""


POST_A_FORM = """url => {
  document.body.innerHTML = `<form method="post" action="${url}"></form>`;
  document.forms[0].submit();
}"""


@pytest.fixture
async def browser() -> AsyncIterator[BrowserContext]:
    async with browsing() as context:
        yield context


@pytest.fixture
def stranger() -> Iterator[str]:
    """The origin of a page that has nothing to do with the county."""
    with front_end() as origin:
        yield origin


@pytest.fixture
async def page(browser: BrowserContext) -> AsyncIterator[Page]:
    """An empty tab. What a page of ours does must not be what its own policy forbids."""
    forbidden: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            forbidden.append(message.text)

    page = await browser.new_page()
    page.on("console", heard)
    yield page
    assert forbidden == []


async def signed_in(county: County, page: Page) -> str:
    """The name of an agent who is at the page of flagged requests."""
    who = f"agent-{uuid4().hex[:8]}"
    await page.goto(f"{county.known.services['intake']}/staff/marked")
    await page.get_by_label("Who").fill(who)
    await page.get_by_label("Roles").fill("agent")
    await page.get_by_label("Operator's secret").fill(county.known.operator_secret)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Flagged requests")).to_be_visible()
    return who


async def test_an_agent_signs_in_sees_what_is_marked_and_signs_out(
    county: County, browser: BrowserContext, page: Page
) -> None:
    fields = {**submission(901), "description": f"Twice {uuid4().hex}"}
    await county.accepted(fields)
    again = await county.accepted(fields)
    who = await signed_in(county, page)
    await expect(page.get_by_text(f"Signed in as {who}.")).to_be_visible()
    await expect(page.get_by_role("cell", name=again)).to_be_visible()
    (cookie,) = await browser.cookies()
    assert cookie["name"] == SESSION
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Lax")
    # No script on the page could take it along.
    assert await page.evaluate("document.cookie") == ""

    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    assert await browser.cookies() == []
    await page.get_by_role("link", name="Sign in").click()
    await expect(page.get_by_label("Operator's secret")).to_be_visible()


async def test_a_strangers_page_cannot_sign_an_agent_out_nor_read_what_agents_see(
    county: County, page: Page, stranger: str
) -> None:
    await signed_in(county, page)
    gate = county.known.services["intake"]
    elsewhere = await page.context.new_page()
    await elsewhere.goto(stranger)
    asked = {"url": f"{gate}/staff/marked", "options": {"credentials": "include"}}
    assert await elsewhere.evaluate(TRY, asked) == "TypeError"
    async with elsewhere.expect_navigation() as arriving:
        await elsewhere.evaluate(POST_A_FORM, f"{gate}/staff/logout")
    # Another port is the same site, so the cookie came along; the page's token did not.
    answer = await arriving.value
    assert answer is not None
    assert answer.status == 403
    await page.reload()
    await expect(page.get_by_role("heading", name="Flagged requests")).to_be_visible()


async def key_for(county: County, *origins: str) -> str:
    order = {
        "reference": "WO-1",
        "client_id": f"client-{uuid4().hex[:12]}",
        "name": "A front end in a browser",
        "environment": "test",
        "origins": origins,
    }
    return str((await county.post("intake", "/v1/clients", order, "admin", "adam"))["key"])


async def test_a_page_of_a_client_sends_a_request_with_a_photo(county: County, page: Page) -> None:
    picture = photo("x", (25, 40, 1), (80, 20, 1))
    with front_end() as origin:
        key = await key_for(county, origin)
        await page.goto(origin)
        given = {
            "gate": county.known.services["intake"],
            "key": key,
            "photo": base64.b64encode(picture).decode(),
            "order": order(902),
        }
        said = await page.evaluate(SUBMIT, given)
    assert (said["status"], said["service"]) == (200, ANIMALS)
    record_id = said["id"]
    await county.routed(record_id)

    async def shown() -> bool:
        return len((await county.request(record_id))["extended_attributes"]["photos"]) == 1

    await until(shown, "the photo is shown")


async def test_a_strangers_page_reads_what_is_open_and_sends_nothing(
    county: County, page: Page, stranger: str
) -> None:
    gate = county.known.services["intake"]
    key = await key_for(county, "https://311.example.org")
    await page.goto(stranger)
    for path in (
        "/open311/v2/services.json",
        "/v1/policy",
        "/v1/requests.geojson?bbox=-80.4,25.6,-80.3,25.7",
    ):
        assert await page.evaluate(TRY, {"url": gate + path, "options": {}}) == 200
    before = (await county.get("intake", "/v1/counts", "agent"))["total"]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    simple = {"method": "POST", "headers": form, "body": f"api_key={key}&service_code={ANIMALS}"}
    asked: Any
    for asked in (
        {"url": f"{gate}/v1/uploads", "options": {"method": "POST", "headers": {"X-Api-Key": key}}},
        # A form may go anywhere without asking first: it is refused on the other side.
        {"url": f"{gate}/open311/v2/requests.json", "options": simple},
    ):
        assert await page.evaluate(TRY, asked) == "TypeError"
    assert (await county.get("intake", "/v1/counts", "agent"))["total"] == before
