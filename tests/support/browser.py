"""A real browser, and our own pages for it: Chromium, driven by Playwright."""

import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anyio.to_thread
import pytest
from playwright.async_api import BrowserContext, async_playwright

from deploy.local.bootstrap import Tool, install_tools

CHROMIUM = Tool(
    "chromium",
    lambda: shutil.which("chromium") is not None,
    "chromium",
    "apt-get install -y chromium",
)


@asynccontextmanager
async def browsing() -> AsyncIterator[BrowserContext]:
    """A browser's fresh profile; its console must not complain about things that our pages may not
    do."""
    if await anyio.to_thread.run_sync(install_tools, (CHROMIUM,)):
        pytest.skip(f"{CHROMIUM.name} is missing; run: {CHROMIUM.otherwise}")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        try:
            context = await browser.new_context()
            context.set_default_timeout(60_000)
            yield context
        finally:
            await browser.close()


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'<!doctype html><html lang="en"><title>A front end</title></html>'
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Logs nothing: tests say what went wrong."""


@contextmanager
def front_end() -> Iterator[str]:
    """The origin of an empty page on its own web server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever, name="front end", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
