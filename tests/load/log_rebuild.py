"""How fast the audit log's query index is made again after it was dropped."""

import asyncio
import time
from datetime import datetime
from typing import Any

from deploy.local.stack import Stack
from direct311.cli.index import PATH
from direct311.cli.stack import LocalStack, Session
from direct311.runtime.peers import HttpClient
from direct311.runtime.storage import database as mongo


def rebuild_rate(stack: Stack) -> tuple[float, int]:
    """Entries a second from the request to a whole index, all of them opened; how many."""
    return asyncio.run(_rebuild(LocalStack.model_validate(stack.dev)))


async def _rebuild(dev: LocalStack) -> tuple[float, int]:
    database = mongo.connect(dev.database.url, "audit")
    http = HttpClient(timeout=30.0)
    session = Session(dev, http)
    try:
        await database["entries"].drop()
        state: Any = await session.post("audit", PATH, {"reference": "BENCH-1"}, "admin", "bench")
        deadline = time.monotonic() + 600
        while state["state"] == "running" and time.monotonic() < deadline:
            await asyncio.sleep(0.2)
            state = await session.get("audit", PATH, "admin", "bench")
    finally:
        await http.close()
        mongo.disconnect(database)
    if state["state"] != "done" or state["mended"] != state["size"]:
        raise SystemExit(f"the index was not made again: {state['problem']}")
    ends = [datetime.fromisoformat(state[name]) for name in ("started_at", "finished_at")]
    return state["size"] / (ends[1] - ends[0]).total_seconds(), state["size"]
