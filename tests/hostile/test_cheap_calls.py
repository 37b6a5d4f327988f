"""No call that is cheap to make costs others much.

What anybody may ask is counted by what it costs; documents are made once; what costs something to
say is said again for a while. Nothing here is about time: how a bystander fares while calls are
flooded is measured by `python -m tests.load.bystander`.
"""

import asyncio
import gzip
import re
from collections.abc import AsyncIterator, Mapping
from io import BytesIO
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from direct311.intake.open311.api.read_limits import ReadLimited
from direct311.media.pictures import Limits
from direct311.media.record import RejectionReason
from direct311.media.uploads.adapters.pictures import examine
from direct311.media.uploads.domain import Accepted, Rejected
from direct311.runtime.http.api import Application, install
from direct311.runtime.http.health import Readiness
from direct311.runtime.telemetry import Metrics
from tests.support import pictures
from tests.support.county import County
from tests.support.quotas import callers
from tests.support.runtime import SetClock

pytestmark = pytest.mark.anyio

FLOOD = 40


class Counted(Application):
    """A service that counts how often its document is made."""

    made = 0

    def openapi(self) -> dict[str, Any]:
        self.made += 1
        return super().openapi()


class Served:
    """The service, behind an address of the caller's choice."""

    def __init__(self) -> None:
        self.app = Counted(title="a service", version="1")
        self.readiness, self.checks = Readiness(), 0

        async def check() -> str | None:
            self.checks += 1
            await asyncio.sleep(0.02)
            return None

        self.readiness.add("database", check)
        install(self.app, self.readiness, Metrics())
        # As large as a document of many calls is.
        for number in range(60):
            self.app.get(f"/call-{number}")(_answer)

    def http(self, address: str = "192.0.2.1") -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, client=(address, 1))
        return httpx.AsyncClient(transport=transport, base_url="http://service")


async def _answer() -> dict[str, str]:
    return {}


@pytest.fixture
def served() -> Served:
    return Served()


DOCUMENTS: dict[str, tuple[str, str, Mapping[str, str]]] = {
    "plain": ("GET", "/openapi.json", {"Accept-Encoding": "identity"}),
    "compressed": ("GET", "/openapi.json", {"Accept-Encoding": "gzip"}),
    "compressed among others": ("GET", "/openapi.json", {"Accept-Encoding": "br;q=1, gzip;q=0.1"}),
    "never compressed": ("GET", "/openapi.json", {"Accept-Encoding": "gzip;q=0"}),
    "head alone": ("HEAD", "/openapi.json", {}),
    "another query each time": ("GET", "/openapi.json?{n}", {}),
    "queries that look like versions": ("GET", "/openapi.json?v={n}&t={n}", {}),
    "caches told to ask": ("GET", "/openapi.json", {"Cache-Control": "no-cache"}),
    "pragma": ("GET", "/openapi.json", {"Pragma": "no-cache", "Cache-Control": "max-age=0"}),
    "a tag that is none": ("GET", "/openapi.json", {"If-None-Match": '"none"'}),
    "a part": ("GET", "/openapi.json", {"Range": "bytes=0-1"}),
    "another type": ("GET", "/openapi.json", {"Accept": "text/html;q=0.{n}"}),
    "a page elsewhere": ("GET", "/openapi.json", {"Origin": "https://page-{n}.example"}),
    "an escaped letter": ("GET", "/openapi%2Ejson", {}),
    "a forwarded prefix": ("GET", "/openapi.json", {"X-Forwarded-Prefix": "/{n}"}),
}


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_the_document_is_made_once(served: Served, name: str) -> None:
    method, path, headers = DOCUMENTS[name]
    bodies = set()
    async with served.http() as http:
        for number in range(FLOOD):
            filled = {key: value.replace("{n}", str(number)) for key, value in headers.items()}
            answer = await http.request(method, path.replace("{n}", str(number)), headers=filled)
            assert answer.status_code == 200
            assert answer.headers["etag"]
            bodies.add(answer.content)
    assert served.app.made == 1
    assert len(bodies) == 1


@pytest.mark.parametrize(
    "path",
    ["/openapi.json", "/docs", "/redoc", "/docs/oauth2-redirect", "/docs/assets/swagger-ui.css"],
)
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_who_has_a_document_gets_a_line(served: Served, path: str, encoding: str) -> None:
    async with served.http() as http:
        asked = {"Accept-Encoding": encoding}
        first = await http.get(path, headers=asked)
        tag = first.headers["etag"]
        for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
            again = await http.get(path, headers={**asked, "If-None-Match": known})
            assert (again.status_code, again.content) == (304, b"")
        other = {"Accept-Encoding": "identity" if encoding == "gzip" else "gzip"}
        plain = await http.get(path, headers=other)
        assert plain.content == first.content


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_a_page_loads_from_its_own_service_only(served: Served, path: str) -> None:
    async with served.http() as http:
        page = await http.get(path)
        loaded = re.findall(r"""(?:src|href)=["']([^"']+)""", page.text)
        assert any(each.endswith(".js") for each in loaded)
        for each in loaded:
            assert each.startswith("/docs/assets/"), each
            asset = await http.get(each)
            assert (asset.status_code, len(asset.content) > 1000) == (200, True)


async def test_a_document_is_compressed_once_and_small(served: Served) -> None:
    async with served.http() as http:
        plain = await http.get("/openapi.json", headers={"Accept-Encoding": "identity"})
        small = await http.get("/openapi.json", headers={"Accept-Encoding": "gzip"})
    assert small.headers["content-encoding"] == "gzip"
    assert int(small.headers["content-length"]) * 4 < int(plain.headers["content-length"])
    assert small.content == plain.content
    sent = served.app.documents["/openapi.json"]._small
    assert gzip.decompress(sent) == plain.content


@pytest.mark.parametrize(
    "address",
    ["192.0.2.{n}", "2001:db8::{n}", "2001:db8:0:0:{n}::"],
    ids=["v4", "v6", "a v6 network"],
)
async def test_an_address_gets_so_many_documents_a_minute(served: Served, address: str) -> None:
    alike = not address.startswith("192")
    statuses = []
    for number in range(10):
        async with served.http(address.replace("{n}", str(number if alike else 7))) as http:
            statuses += [(await http.get("/docs")).status_code for _ in range(40)]
    # Over the turn of a minute there may be as many again.
    assert 300 <= statuses.count(200) <= 400
    async with served.http("198.51.100.1") as http:
        assert (await http.get("/docs")).status_code == 200
    if statuses.count(200) == 300:
        async with served.http(address.replace("{n}", "7")) as http:
            refused = await http.get("/openapi.json")
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 60


@pytest.mark.parametrize("together", [True, False], ids=["at once", "one after the other"])
async def test_asking_whether_it_is_ready_looks_now_and_then(
    served: Served, together: bool
) -> None:
    async with served.http() as http:
        if together:
            await asyncio.gather(*(http.get("/health/ready") for _ in range(FLOOD)))
        else:
            for _ in range(FLOOD):
                await http.get("/health/ready")
        assert served.checks <= FLOOD // 4
        served.readiness.draining = True
        # Who takes traffic away is told at once.
        assert (await http.get("/health/ready")).status_code == 503


async def test_numbers_are_counted_now_and_then(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = 0

    def count(_: Metrics) -> bytes:
        nonlocal counted
        counted += 1
        return b"x" * counted

    monkeypatch.setattr(Metrics, "exposition", count)
    async with served.http() as http:
        await asyncio.gather(*(http.get("/metrics") for _ in range(FLOOD)))
    assert counted == 1


# ---------------------------------------------------------------- the gateway's reads

AREA = "bbox=-80.40,25.60,-80.35,25.65"
CODES = ",".join(f"TYPE-{number}" for number in range(40))
WEIGHTS = {
    "nearby looks at 500 rows": ("/v1/requests/nearby?service_code=A&lat=25.7&long=-80.3", 5),
    "nearby in vain": ("/v1/requests/nearby", 5),
    "nearby with what it does not know": ("/v1/requests/nearby?limit=1", 5),
    "geojson": (f"/v1/requests.geojson?{AREA}", 2),
    "geojson of 500": (f"/v1/requests.geojson?{AREA}&limit=500", 5),
    "geojson of many types": (f"/v1/requests.geojson?{AREA}&service_code={CODES}", 16),
    "geojson of 500 of many types": (
        f"/v1/requests.geojson?{AREA}&limit=500&service_code={CODES}",
        40,
    ),
    "atom": (f"/v1/requests.atom?{AREA}", 1),
    "atom of 500 of many types": (f"/v1/requests.atom?{AREA}&limit=500&service_code={CODES}", 40),
    "digits of another script": (f"/v1/requests.atom?{AREA}&limit=%D9%A5%D9%A0%D9%A0", 10),
    "less than none": (f"/v1/requests.atom?{AREA}&limit=-1", 10),
    "a fraction": (f"/v1/requests.atom?{AREA}&limit=500.0", 10),
    "in thousands": (f"/v1/requests.atom?{AREA}&limit=5_00", 10),
    "as a power": (f"/v1/requests.atom?{AREA}&limit=5e2", 10),
    "beyond all bounds": (f"/v1/requests.atom?{AREA}&limit={'9' * 40}", 10),
    "said twice, small last": (f"/v1/requests.atom?{AREA}&limit=500&limit=100", 1),
    "said twice, large last": (f"/v1/requests.atom?{AREA}&limit=1&limit=500", 5),
    "a page of a thousand": ("/open311/v2/requests.json?page_size=1000", 10),
    "a page of many types": (f"/open311/v2/requests.xml?page_size=1000&service_code={CODES}", 80),
    "types in parts": (
        "/open311/v2/requests.json?" + "&".join(f"service_code=T{n}" for n in range(40)),
        8,
    ),
    "ids by the hundred": (
        "/open311/v2/requests.json?service_request_id=" + ",".join(map(str, range(1000))),
        10,
    ),
    "the document": ("/openapi.json", 10),
    "the document, another each time": ("/openapi.json?1", 10),
    "back from the identity provider": ("/staff/callback?state=x&code=y", 10),
}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("name", WEIGHTS)
async def test_a_read_counts_by_what_it_costs(name: str, method: str) -> None:
    path, weight = WEIGHTS[name]
    most, let_in = 200, 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal let_in
        let_in += 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    limited = ReadLimited(app, callers=callers(SetClock(), most=most))
    transport = httpx.ASGITransport(limited)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        statuses = [(await http.request(method, path)).status_code for _ in range(most + 1)]
    # The last one may go over what is left.
    assert let_in == statuses.count(200) == -(-most // weight)
    assert statuses[-1] == 429


# ---------------------------------------------------------------- live


@pytest.fixture
async def stranger() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=30) as http:
        yield http


@pytest.mark.e2e
@pytest.mark.parametrize("service", ["intake", "media", "geo", "routing", "retention", "audit"])
async def test_every_service_gives_its_document_once(
    county: County, stranger: httpx.AsyncClient, service: str
) -> None:
    address = county.known.services[service]
    first = await stranger.get(f"{address}/openapi.json")
    assert (first.status_code, first.headers["content-encoding"]) == (200, "gzip")
    assert first.json()["paths"]
    again = await stranger.get(
        f"{address}/openapi.json", headers={"If-None-Match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    # And nothing else of it answers whoever has no token.
    opened = {"/health/live", "/health/ready", "/metrics"}
    for path, item in first.json()["paths"].items():
        if service == "intake" or path in opened or "get" not in item:
            continue
        asked = await stranger.get(address + path.replace("{", "").replace("}", ""))
        assert asked.status_code in (401, 404, 422), (path, asked.status_code)


def _progressive(mode: str = "RGB", *, more: int = 0, padding: bytes = b"") -> bytes:
    """A progressive picture whose last scan, with its tables, comes `more` times again."""
    stream = BytesIO()
    pictures.scene(512, 512, mode).save(stream, "JPEG", progressive=True)
    data = stream.getvalue()
    last = data.rindex(b"\xff\xda")
    tables = data.rindex(b"\xff\xc4", 0, last)
    scan = padding + data[tables:-2]
    return data[:-2] + scan * more + data[-2:]


def _with_comment(data: bytes, comment: bytes) -> bytes:
    return data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment + data[2:]


SCANS: Mapping[str, bytes] = {
    "a few too many": _progressive(more=30),
    "many": _progressive(more=300),
    "many in grey": _progressive("L", more=300),
    "many with signs between": _progressive(more=60, padding=b"\xff" * 7),
    "many with rubbish between": _progressive(more=60, padding=b"\x00\x11\xff\x00"),
    "many behind a comment": _with_comment(_progressive(more=60), b"\xff\xd9 the end"),
}


@pytest.mark.parametrize("data", SCANS.values(), ids=SCANS)
def test_a_picture_of_many_scans_is_not_decoded(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[object] = []

    def load(picture: object) -> None:
        decoded.append(picture)

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    verdict = examine(data, "image/jpeg", Limits())
    assert isinstance(verdict, Rejected)
    assert verdict.reason == RejectionReason.DAMAGED
    assert decoded == []


def test_scans_times_pixels_have_an_end() -> None:
    verdict = examine(_progressive(more=10), "image/jpeg", Limits(max_passed=512 * 512 * 15))
    assert isinstance(verdict, Rejected)
    assert verdict.reason == RejectionReason.BOMB


@pytest.mark.parametrize(
    "data",
    [
        _progressive(),
        _progressive("L"),
        _progressive(more=5),
        _with_comment(_progressive(), b"\xff\xda\x00\x02" * 100),
        _progressive() + b"\xff\xda\x00\x02" * 100,
    ],
    ids=["colours", "grey", "some more", "scans in a comment", "scans behind the end"],
)
def test_a_progressive_picture_of_a_camera_has_its_copy(data: bytes) -> None:
    verdict = examine(data, "image/jpeg", Limits())
    assert isinstance(verdict, Accepted)
    assert verdict.clean_copy is not None
