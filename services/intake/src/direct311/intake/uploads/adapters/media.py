"""Files of a submission, uploaded to the media service's incoming bucket with its tickets."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from direct311.intake.uploads.domain import AnnouncedFile
from direct311.intake.uploads.ports import Address, File
from direct311.runtime.errors import TransientError
from direct311.runtime.peers import HttpClient, HttpError, Peer
from direct311.schemas.events import UploadRef


class MediaUploads:
    """`Uploads` through `POST /internal/uploads` of the media service."""

    def __init__(self, media: Peer, http: HttpClient) -> None:
        self._media = media
        self._http = http

    async def put(self, files: Sequence[File]) -> Sequence[UploadRef]:
        announced = await asyncio.to_thread(_announced, files)
        try:
            answer = await self._media.post("/internal/uploads", {"uploads": announced})
            tickets = answer["uploads"]
            await asyncio.gather(
                *(
                    self._http.put_bytes(ticket["url"], file.body, ticket["headers"])
                    for ticket, file in zip(tickets, files, strict=True)
                )
            )
        except (HttpError, KeyError, ValueError):
            raise TransientError("the media service did not take the files") from None
        return [
            UploadRef(upload_id=ticket["upload_id"], **about)
            for ticket, about in zip(tickets, announced, strict=True)
        ]

    async def addresses(self, files: Sequence[AnnouncedFile]) -> Sequence[Address]:
        announced = [{"content_type": file.content_type, "size": file.size} for file in files]
        try:
            answer = await self._media.post("/internal/uploads", {"uploads": announced})
            return [
                Address(
                    ticket["upload_id"],
                    ticket["url"],
                    ticket["headers"],
                    datetime.fromisoformat(ticket["expires_at"]),
                )
                for ticket in answer["uploads"]
            ]
        except (HttpError, KeyError, ValueError):
            raise TransientError("the media service gives no tickets") from None

    async def examine(self, upload_ids: Sequence[str]) -> Mapping[str, tuple[int, str]]:
        question = {"upload_ids": list(upload_ids)}
        try:
            answer = await self._media.post("/internal/uploads/examine", question, seconds=30)
            return {each["upload_id"]: (each["size"], each["sha256"]) for each in answer["uploads"]}
        except (HttpError, KeyError, ValueError):
            raise TransientError("the media service does not answer") from None

    async def withdraw(self, uploads: Sequence[UploadRef]) -> None:
        # What cannot be deleted now, the media service's sweep deletes after a day.
        with contextlib.suppress(HttpError):
            ids = [upload.upload_id for upload in uploads]
            await self._media.post("/internal/uploads/withdraw", {"upload_ids": ids})


def _announced(files: Sequence[File]) -> list[dict[str, Any]]:
    return [
        {
            "content_type": file.content_type,
            "size": len(file.body),
            "sha256": sha256(file.body).hexdigest(),
        }
        for file in files
    ]
