"""Witnesses of the log, over HTTP."""

from direct311.audit.log.ports.publication import (
    WitnessConflictError,
    WitnessRefusedError,
    WitnessSilentError,
)
from direct311.runtime.peers import HttpClient, HttpError
from direct311.verifier.note import VerifierKey
from direct311.verifier.submission import PATH, Submission

LARGEST_LINES = 64 * 1024
"""The most bytes read from a witness's answer: its lines have a few hundred."""


class HttpWitness:
    """`Witness`, as c2sp.org/tlog-witness; `url` is its submission prefix."""

    def __init__(self, name: str, key: VerifierKey, url: str, http: HttpClient) -> None:
        self.name = name
        self.key = key
        self._url = f"{url.rstrip('/')}/{PATH}"
        self._http = http

    async def add_checkpoint(self, submission: Submission) -> str:
        try:
            body = str(submission).encode()
            return (await self._http.post_bytes(self._url, body, most=LARGEST_LINES)).decode()
        except HttpError as error:
            # The size in an answer 409 is a number and a newline, which is JSON too.
            size = error.problem
            if error.status == 409 and type(size) is int and 0 <= size < 2**63:
                raise WitnessConflictError(size) from None
            if error.status is None or error.status >= 500:
                raise WitnessSilentError from None
            if error.status < 300:
                return ""
            raise WitnessRefusedError(error.status) from None
        except UnicodeDecodeError:
            return ""
