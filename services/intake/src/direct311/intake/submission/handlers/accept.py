"""The one way in: every API calls this with a submission."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from direct311.intake.catalogue.domain.types import Catalogue
from direct311.intake.clients.domain.clients import Client
from direct311.intake.language import Language
from direct311.intake.submission.domain.draft import Draft
from direct311.intake.submission.domain.wrong import Field, Wrong
from direct311.intake.submission.handlers.agreement import Agreement
from direct311.intake.submission.handlers.check import Way, check
from direct311.intake.submission.handlers.submit import Accepted, Desk, Submit
from direct311.intake.uploads.ports import File
from direct311.runtime.access.links import LinkKeyError, LinkSigner, SignedLink
from direct311.runtime.clock import Clock

LONGEST_IDEMPOTENCY_KEY = 200

_log = structlog.get_logger(__name__)


class WrongSubmissionError(Exception):
    """Everything that is wrong with a submission, each problem once."""

    def __init__(self, wrong: Sequence[Wrong]) -> None:
        super().__init__(f"{len(wrong)} problems")
        self.wrong = tuple(wrong)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends a submission, and how. `client`: the admitted client, whose call has been counted.
    `source`: the network address. `link_wanted`: whether the answer may contain a signed link.
    `desk`: the staff who take the submission for somebody else."""

    client: Client
    source: str
    language: Language
    idempotency_key: str | None = None
    link_wanted: bool = True
    desk: Desk | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a submission. `notice`: what the resident is told. `link`: the link with which
    the reporter opens the request."""

    accepted: Accepted
    notice: str | None
    link: SignedLink | None


class Accept:
    """Checks a submission, finds the policy that applies to it, stores it once, and answers with a
    notice and a link.

    Each API admits the client before it reads the whole body (`clients`), so that calls that cannot
    be read count too.
    """

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        agreement: Agreement,
        submit: Submit,
        links: LinkSigner,
        clock: Clock,
        most_files: int,
    ) -> None:
        """`most_files`: how many uploaded files a request may name."""
        self._catalogue = catalogue
        self._agreement = agreement
        self._submit = submit
        self._links = links
        self._clock = clock
        self._most_files = most_files

    async def __call__(
        self, draft: Draft, way: Way, sender: Sender, files: Sequence[File] = ()
    ) -> Receipt:
        """Accept a submission. `files`: the files that came with it.

        :raises WrongSubmissionError: it breaks a rule; nothing was stored.
        :raises RefusedError: the policy or the notice is not one of ours, the policy needs express
            consent, no policy is in force, a retry's key was used for other content, or a file that
            the submission names was not uploaded.
        :raises TransientError: the database, the store or the media service did not accept it;
            nothing is left half stored.
        """
        now = self._clock.now()
        checked = check(draft, self._catalogue, now, way, most_files=self._most_files)
        submission, service = checked.submission, checked.service
        if submission is None or service is None:
            raise WrongSubmissionError(checked.wrong)
        policy = self._agreement.of(submission, language=sender.language)
        key = sender.idempotency_key
        if key is not None and not _is_key(key):
            raise WrongSubmissionError([Wrong("key_form", Field("idempotency_key"))])
        accepted = await self._submit(
            submission, files, sender.client, service, policy, key, sender.source, sender.desk
        )
        notice = self._agreement.notice(accepted, submission, sender.language)
        return Receipt(accepted, notice, self._link(accepted) if sender.link_wanted else None)

    def _link(self, accepted: Accepted) -> SignedLink | None:
        if accepted.public_id is None or not accepted.opens:
            # A link names its request, so an answer without the number must not contain one.
            return None
        try:
            return self._links.issue(accepted.record_id)
        except LinkKeyError:
            # The request is accepted anyway; the reporter can get a link later from an agent or by
            # a code.
            _log.error("links.key_not_in_force")
            return None


def _is_key(key: str) -> bool:
    return len(key) <= LONGEST_IDEMPOTENCY_KEY and key.isascii() and key.isprintable()
