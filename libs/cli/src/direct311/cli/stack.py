"""The stack that a command works on: `dev.json`, as the local stack writes it."""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlencode

from direct311.runtime.peers import HttpClient
from direct311.schemas import Model


class StackMissingError(Exception):
    """There is no stack to work with; the message says what to do."""


class Kafka(Model):
    bootstrap: str
    username: str
    password: str


class Store(Model):
    endpoint: str
    access_key: str
    secret_key: str


class Database(Model):
    url: str


class Department(Model):
    username: str
    password: str
    group: str
    client_id: str = ""
    client_secret: str = ""


class LocalStack(Model):
    """Addresses and credentials of one running stack. Contains secrets: never print all of it."""

    environment: str
    root: Path
    services: dict[str, str]
    audiences: dict[str, str]
    api_keys: dict[str, str]
    issuer: str
    approval_client: str = ""
    operator_secret: str
    kafka: Kafka
    database: Database
    store: Store
    departments: dict[str, Department]
    data_dir: Path
    log_dir: Path


def find() -> LocalStack:
    """The stack that `DIRECT311_STACK` names, or the `.stack` folder here or in a folder above.

    :raises StackMissingError: there is no stack, or its file cannot be read.
    """
    named = os.environ.get("DIRECT311_STACK")
    if named:
        candidates = [Path(named)]
    else:
        here = Path.cwd()
        candidates = [folder / ".stack" / "dev.json" for folder in (here, *here.parents)]
    for path in candidates:
        if path.is_file():
            try:
                return LocalStack.model_validate(json.loads(path.read_bytes()))
            except (ValueError, OSError):
                raise StackMissingError(
                    f"{path} is not what the local stack writes; run `make up` again."
                ) from None
    raise StackMissingError("No running stack here. Run `make up`, or set DIRECT311_STACK.")


async def token(stack: LocalStack, http: HttpClient, service: str, role: str, name: str) -> str:
    """A bearer token from the development issuer, valid only at this service. `role` may be
    `department:CODE`.

    :raises HttpError: the issuer does not answer or refuses.
    """
    kind, _, department = role.partition(":")
    audience = stack.audiences.get(service)
    body: dict[str, object] = {"sub": name, "roles": [kind], "audience": audience}
    if department:
        body["department"] = department
    answer = await http.post_json(
        f"{stack.issuer}/dev/token", body, {"X-Operator-Secret": stack.operator_secret}
    )
    return str(answer["access_token"])


class Session:
    """Calls the stack's services on somebody's behalf."""

    def __init__(self, stack: LocalStack, http: HttpClient) -> None:
        self.stack = stack
        self.http = http
        self._tokens: dict[tuple[str, str, str], str] = {}

    async def headers(self, service: str, role: str, name: str) -> dict[str, str]:
        """The Authorization header of a person with this role, for calls to this service."""
        key = (service, role, name)
        if key not in self._tokens:
            self._tokens[key] = await token(self.stack, self.http, service, role, name)
        return {"Authorization": f"Bearer {self._tokens[key]}"}

    async def get(self, service: str, path: str, role: str, name: str) -> object:
        """A GET as somebody; the answer's JSON.

        :raises HttpError: no answer, or not a 2xx.
        """
        url = self.stack.services[service] + path
        return await self.http.get_json(url, await self.headers(service, role, name))

    async def post(
        self,
        service: str,
        path: str,
        body: object,
        role: str,
        name: str,
        *,
        seconds: float | None = None,
    ) -> object:
        """A POST as somebody; the answer's JSON. `seconds`: a time limit for a long answer.

        :raises HttpError: no answer, or not a 2xx.
        """
        url, headers = self.stack.services[service] + path, await self.headers(service, role, name)
        return await self.http.post_json(url, body, headers, seconds=seconds)

    async def post_file(
        self,
        service: str,
        path: str,
        body: bytes,
        media_type: str,
        role: str,
        name: str,
        *,
        seconds: float,
    ) -> object:
        """A POST of a file as somebody; the answer's JSON. Waits up to `seconds`.

        :raises HttpError: no answer, or not a 2xx.
        """
        headers = await self.headers(service, role, name) | {"Content-Type": media_type}
        url = self.stack.services[service] + path
        return await self.http.post_file(url, body, headers, seconds=seconds)

    async def put(self, service: str, path: str, body: object, role: str, name: str) -> object:
        """A PUT as somebody; the answer's JSON.

        :raises HttpError: no answer, or not a 2xx.
        """
        url = self.stack.services[service] + path
        return await self.http.put_json(url, body, await self.headers(service, role, name))

    async def delete(self, service: str, path: str, role: str, name: str) -> None:
        """A DELETE as somebody.

        :raises HttpError: no answer, or not a 2xx.
        """
        url = self.stack.services[service] + path
        await self.http.delete(url, await self.headers(service, role, name))

    async def get_query(
        self, service: str, path: str, query: Mapping[str, object], role: str, name: str
    ) -> object:
        """A GET with a query, as somebody; the answer's JSON.

        :raises HttpError: no answer, or not a 2xx.
        """
        return await self.get(service, f"{path}?{urlencode(query)}", role, name)

    async def save(
        self,
        service: str,
        path: str,
        body: object,
        role: str,
        name: str,
        out: Path,
        *,
        ends: bytes | None = None,
        heard: Callable[[Mapping[str, str]], None] = lambda _: None,
    ) -> Mapping[str, str]:
        """A POST as somebody that writes the answer into a file as it arrives. Returns the answer's
        headers; `heard` gets them first. The file changes only once there is an answer.

        `ends`: how a whole line ends, if the answer is appended to the file; a line that broke off
        is cut off first.

        :raises HttpError: no answer, an incomplete answer, or not a 2xx.
        """
        url = self.stack.services[service] + path
        headers = await self.headers(service, role, name)
        with ExitStack() as open_files:

            @cache
            def file() -> BinaryIO:
                if ends is not None:
                    _cut(out, ends)
                return open_files.enter_context(out.open("wb" if ends is None else "ab"))

            found = await self.http.post_stream(
                url, body, lambda piece: file().write(piece), headers, heard
            )
            file()
        return found


def _cut(path: Path, ends: bytes, at_once: int = 1 << 20) -> None:
    """Remove everything after a file's last whole line, if the file exists."""
    if not path.is_file():
        return
    with path.open("r+b") as file:
        end = file.seek(0, 2)
        low, rest = end, b""
        while low > 0:
            start = max(0, low - at_once)
            file.seek(start)
            rest = file.read(low - start) + rest[: len(ends) - 1]
            if (found := rest.rfind(ends)) >= 0:
                low = start + found + len(ends)
                break
            low = start
        file.truncate(low)
