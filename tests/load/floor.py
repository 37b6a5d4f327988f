"""The floor: bare handlers that read a form and make one journaled insert, or make one `find_one`.

Run as a process of its own, served as the services are:
`python -m tests.load.floor URL NAME PORT motor|direct`, the last through which client.
"""

import sys
from uuid import uuid4

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from direct311.runtime.storage.database import connect, connect_directly


def application(url: str, name: str, client: str) -> Starlette:
    database = connect_directly(url, name) if client == "direct" else connect(url, name)
    collection = database["floor"]

    async def create(request: Request) -> JSONResponse:
        form = await request.form()
        record_id = str(uuid4())
        await collection.insert_one({"_id": record_id, **{k: str(v) for k, v in form.items()}})
        return JSONResponse([{"service_request_id": record_id}])

    async def read(request: Request) -> JSONResponse:
        record_id = request.path_params["record_id"].removesuffix(".json")
        return JSONResponse([await collection.find_one({"_id": record_id})])

    return Starlette(
        routes=[
            Route("/open311/v2/requests.json", create, methods=["POST"]),
            Route("/open311/v2/requests/{record_id}", read),
        ]
    )


def main() -> None:
    url, name, port, client = sys.argv[1:]
    uvicorn.run(
        application(url, name, client),
        host="127.0.0.1",
        port=int(port),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
