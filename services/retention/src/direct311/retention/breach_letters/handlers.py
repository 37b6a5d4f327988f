"""Printing letters. Nothing is opened and nothing is stored: a letter to a person names the request
by its number, and whoever posts it finds the address by that number, which is an access."""

from collections.abc import Sequence

from direct311.retention.breach_letters.domain import BreachPeriod, LetterRecord
from direct311.retention.breach_letters.ports import Page, Printer
from direct311.runtime.access.breach_letters import (
    LETTER_LANGUAGES,
    Authority,
    BreachDays,
    BreachLetters,
    BreachNumbers,
    to_authority,
    to_person,
)


class PrintBreachLetters:
    """:param local: whether this is a local stack, where unconfirmed words may be used."""

    def __init__(self, letters: BreachLetters, printer: Printer, *, local: bool) -> None:
        self._letters = letters
        self._printer = printer
        self._local = local

    def to_people(self, breach: BreachPeriod, records: Sequence[LetterRecord]) -> bytes:
        """A letter for each record, in each language on a page of its own. The same call prints
        the same bytes.

        :raises RefusedError: counsel has not confirmed the words.
        """
        self._letters.check_usable(local=self._local)
        days = BreachDays(breach.began_on, breach.ended_on)
        pages: list[Page] = [
            to_person(self._letters, days, each.record_id, each.fields, language)
            for each in records
            for language in LETTER_LANGUAGES
        ]
        return self._printed(breach, pages)

    def to_authority(self, breach: BreachPeriod, to: Authority, numbers: BreachNumbers) -> bytes:
        """The letter to the Department of Legal Affairs, or to consumer reporting agencies.

        :raises RefusedError: counsel has not confirmed the words.
        """
        self._letters.check_usable(local=self._local)
        days = BreachDays(breach.began_on, breach.ended_on)
        return self._printed(breach, [to_authority(self._letters, days, to, numbers)])

    def _printed(self, breach: BreachPeriod, pages: Sequence[Page]) -> bytes:
        title = f"Notice of breach {breach.notice_id}"
        return self._printer.printed(title, self._letters.organization, pages)
