"""For how long nobody learns that law enforcement asked, and by which document.

A case is secret from its opening on, for the days of its kind. A document delays the notice to the
subject by at most 90 days from its date, and only another, newer document prolongs that. When it
has ended, the accesses show by themselves, and nothing hides them again.
"""

from datetime import datetime

from direct311.retention.cases.domain import CaseFile
from direct311.retention.cases.work import Changed, check_version
from direct311.retention.legal_process.domain import process_of
from direct311.retention.legal_process.handlers.desk import LegalDesk
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.state import Change
from direct311.schemas.secrecy import DelayedNotice, NoticeError


class Secrecy:
    """Prolonged by documents; ended by time, or by the desk when the matter is not active."""

    def __init__(self, desk: LegalDesk) -> None:
        self._desk = desk

    async def delay(
        self,
        caller: Caller,
        case_id: str,
        version: int,
        document: str,
        dated_at: datetime,
        until: datetime,
    ) -> CaseFile:
        """Delay the notice to the subject by a document in the case file. May be repeated.

        :param version: the case's, as the caller has seen it.
        :param document: SHA-256 (hex) of the order or certification.
        :param dated_at: when it was given.
        :raises RefusedError: the caller's desk has no such case, its secrecy has ended, its
            instrument has no delay, somebody has changed it, or the document cannot do this.
        """
        await self._desk.found(caller, case_id)
        now = self._desk.work.clock.now()
        try:
            notice = DelayedNotice(document=document, dated_at=dated_at, until=until)
        except ValueError:
            raise RefusedError(
                "notice_period",
                "A notice is delayed by at most 90 days from the date of its document.",
                field="until",
            ) from None
        if not dated_at <= now < until:
            raise RefusedError(
                "notice_period",
                "The document is from the past, the end in the future.",
                field="until",
            )

        async def decide(state: CaseFile) -> Changed:
            legal = process_of(state)
            if legal.notice == notice:
                return None
            check_version(state, version)
            if state.exempt_until is None or state.exempt_until <= now:
                raise RefusedError("secrecy_ended", "What was shown is not hidden again.")
            if self._desk.instrument_of(state).notice != "delayed":
                raise RefusedError("notice", "This instrument has no delayed notice.")
            if state.document(document) is None:
                raise RefusedError(
                    "document", "Put the document into the case file first.", field="document"
                )
            if any(each.document == document for each in legal.notices):
                raise _new_document()
            if legal.notice is not None:
                try:
                    legal.notice.extended(notice)
                except NoticeError:
                    raise _new_document() from None
            after = state.processed(legal.delayed(notice)).exempt(until)
            step = self._desk.told(
                after, caller, "notice_delayed", now, hashes={"document": document}
            )
            return Change(after, (step,))

        return await self._desk.work.change(case_id, decide)

    async def end(self, caller: Caller, case_id: str) -> CaseFile:
        """The matter is not active any more: from now on the accesses show. May be repeated.

        :raises RefusedError: the caller's desk has no such case.
        """
        await self._desk.found(caller, case_id)

        async def decide(state: CaseFile) -> Changed:
            now = self._desk.work.clock.now()
            if state.exempt_until is None or state.exempt_until <= now:
                return None
            after = state.exempt(now)
            return Change(after, (self._desk.told(after, caller, "secrecy_ended", now),))

        return await self._desk.work.change(case_id, decide)


def _new_document() -> RefusedError:
    return RefusedError(
        "notice_document", "Only a new document prolongs the delay.", field="document"
    )
