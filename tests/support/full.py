"""What a gateway answers if something behind it is full or down."""

from collections.abc import Mapping

import httpx

from tests.support.county import County

PERSONAL = ("last_name", "email", "phone", "description")


def later(answer: httpx.Response, form: str, sent: Mapping[str, str]) -> None:
    """Checks for 503 in the requested format, with a time to retry and nothing of what was
    `sent`."""
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) > 0
    start = "<?xml" if form == "xml" else '[{"code":503'
    assert answer.text.replace(" ", "").startswith(start)
    personal = [sent[name] for name in PERSONAL if name in sent]
    assert personal
    for each in personal:
        assert each not in answer.text


async def requests_stored(county: County) -> int:
    """How many requests intake has."""
    return int((await county.get("intake", "/v1/counts", "agent"))["total"])
