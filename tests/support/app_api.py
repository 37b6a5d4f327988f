"""The county's app, and its reporters with their links and mailboxes."""

import mailbox
from collections.abc import Mapping
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from typing import Any

import httpx

from direct311.cli.reporters import reporter
from tests.support.county import County, Document, until

NOTICE = "668.6076-1"


class App:
    """A front end with an API key."""

    def __init__(self, county: County, client: str | None = "app") -> None:
        self.county = county
        self.url = county.known.services["intake"]
        key = county.known.api_keys[client] if client else None
        self.headers = {"X-Api-Key": key} if key else {}

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        link: str | None = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """A call with the API key, and with a reporter's link if there is one."""
        sent = {**self.headers, **(headers or {})}
        sent |= {"Authorization": f"Bearer {link}"} if link else {}
        sent |= {"Idempotency-Key": key} if key else {}
        options: dict[str, Any] = {} if body is None else {"json": body}
        return await self.county.http.request(
            method, f"{self.url}{path}", headers=sent, timeout=60, **options
        )

    async def submitted(self, order: Document, key: str | None = None) -> tuple[str, str]:
        """The id and the link of a submission that must be accepted."""
        answer = await self.call("POST", "/v1/requests", order, key=key)
        assert answer.status_code == 201, answer.text
        said = answer.json()
        return str(said["service_request_id"]), str(said["link"]["token"])

    async def uploaded(self, body: bytes, kind: str = "image/jpeg", **announced: object) -> str:
        """The id of a file that was uploaded to the store."""
        order = {"files": [{"content_type": kind, "size": len(body), **announced}]}
        answer = await self.call("POST", "/v1/uploads", order)
        assert answer.status_code == 201, answer.text
        (ticket,) = answer.json()["uploads"]
        put = await self.county.http.put(ticket["url"], content=body, headers=ticket["headers"])
        assert put.status_code == 200, put.text
        return str(ticket["file_id"])

    async def followed(self, record_id: str, link: str) -> Document:
        answer = await self.call("GET", f"/v1/requests/{record_id}/follow", link=link)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def order(number: int, **members: object) -> Document:
    """A submission in JSON: a stray dog in Kendall, with its reporter's contact data."""
    person = reporter(number)
    return {
        "service_code": "ANI-STRAY-DOG",
        "lat": 25.666,
        "long": -80.358,
        "description": "It runs along the canal.",
        "first_name": person.first_name,
        "last_name": person.last_name,
        "email": person.email,
        "phone": person.phone,
        "email_notice_version": NOTICE,
        **members,
    }


def mails(county: County, address: str) -> list[EmailMessage]:
    """The messages that have arrived for an address, oldest first."""
    folder = county.stack.place.mail / "box"
    if not folder.exists():
        return []
    found = []
    for message in mailbox.Maildir(folder):
        parsed = BytesParser(_class=EmailMessage, policy=default).parsebytes(message.as_bytes())
        if parsed["X-RcptTo"] == address:
            found.append(parsed)
    return sorted(found, key=lambda each: each["Date"].datetime)


async def mailed(county: County, address: str, count: int = 1) -> list[EmailMessage]:
    """The first messages for an address, once this many have arrived."""

    async def look() -> list[EmailMessage] | None:
        found = mails(county, address)
        return found if len(found) >= count else None

    return await until(look, f"{count} messages have come")


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())
