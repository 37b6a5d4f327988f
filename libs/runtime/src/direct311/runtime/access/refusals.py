"""Refusals as events of the access log: the first of each kind at once, its repeats as a count.

A refusal is recorded before it is answered. A caller that asks the same again within the minute
(UTC) gets the same answer from memory, and all repeats become one event with their count at the end
of the minute: a script that is refused a thousand times makes two entries. The number of different
refusals is limited too. The refusals of a session, and of a network address, are written one by one
up to a limit per minute. Those over the limit become one more event with their count and their
records (up to a hundred), and are answered with 429. That event is not exempt from inspection, so
it does not name the records of secret accesses. Whatever others do at an address, a staff session
has its first few refusals as separate events.

Openings are never combined. A killed process loses the count of repeats in its last minute, but
never a first refusal. Each copy of a service counts for itself.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from direct311.runtime.access.cases import AccessCase
from direct311.runtime.access.rules import Caller
from direct311.runtime.clock import Clock

Write = Callable[[int | None, str | None, datetime | None, Sequence[str]], Awaitable[str]]
"""Writes an event for this many refusals (`None`: one) of these records, which repeat the event
with this id; the first of them was at this time. Returns its id; raises `AuditUnavailableError`."""

MOST_RECORDS = 100
"""The most records named in an event for several refusals."""
TOGETHER = 100
"""How many events of repeats are sent at the same time."""
RATE = "refused:rate"
"""The rule that refuses a call because of too many refusals, and the code of the answer."""


@dataclass(frozen=True, slots=True)
class RefusalLimits:
    """How many refusals a copy writes and answers in a minute (UTC).

    `kinds_of_a_session`, `kinds_of_an_address`, `most_kinds`: the most different refusals with
    separate events, for one session, for all sessions of one network address, and for everybody;
    memory holds no more than that. `first_of_a_session`: how many a staff session always has,
    whatever others did at its address; a resident's link, of which anybody can have many, has none.
    `answers_to_a_session`, `answers_to_an_address`: how many are answered with their reason,
    including repeats; after that the answer is 429.
    """

    kinds_of_a_session: int = 20
    first_of_a_session: int = 5
    kinds_of_an_address: int = 300
    most_kinds: int = 5_000
    answers_to_a_session: int = 60
    answers_to_an_address: int = 1_200


@dataclass(frozen=True, slots=True)
class Refused:
    """What two refusals must have in common to count as the same; `records` is empty if there are
    none. `secret`: see `Access.is_secret`."""

    caller: Caller
    action: str
    operation: str
    purpose: str | None
    rule: str
    records: tuple[str, ...]
    fields: tuple[str, ...] = ()
    case: AccessCase | None = None
    secret: bool = False

    @property
    def session(self) -> Hashable:
        caller = self.caller
        return "session", caller.sub, caller.token_id, caller.via

    @property
    def address(self) -> Hashable | None:
        source = self.caller.source
        return None if source is None else ("address", source)


@dataclass(slots=True, eq=False)
class _Gathered:
    """One kind of refusal in one minute."""

    write: Write
    first: asyncio.Future[str] = field(default_factory=lambda: asyncio.Future())
    repeats: int = 0
    repeated_at: datetime | None = None
    records: dict[str, None] = field(default_factory=dict)
    """When the first repeat was."""

    def repeat(self, records: Sequence[str], at: datetime) -> None:
        self.repeats += 1
        self.repeated_at = self.repeated_at or at
        self.records.update(dict.fromkeys(records[: MOST_RECORDS - len(self.records)]))


@dataclass(slots=True)
class _Minute:
    start: datetime
    kinds: dict[Hashable, _Gathered] = field(default_factory=dict)
    written: Counter[Hashable] = field(default_factory=Counter)
    answered: Counter[Hashable] = field(default_factory=Counter)


class Refusals:
    """The refusals of one process."""

    def __init__(self, clock: Clock, limits: RefusalLimits) -> None:
        self._clock = clock
        self._limits = limits
        self._minute = _Minute(clock.now().replace(second=0, microsecond=0))
        self._over: list[_Gathered] = []

    async def note(
        self, refused: Refused, own: Write, further: Callable[[Caller], Write]
    ) -> int | None:
        """Returns once the refusal is in the log, or counted as a repeat of one that is. If it was
        over the limit, returns the number of seconds until there is room again.

        `own` writes this refusal; `further` returns a function that writes one event for all
        refusals over the limit: of this caller, or of everybody (a caller without a name).

        :raises AuditUnavailableError: the refusal could not be written, so it must not be answered.
        """
        now = self._clock.now()
        self._turn(now)
        minute = self._minute
        kind, crowd = self._place(minute, refused)
        answered = self._answer(minute, refused)
        shared = crowd is not None
        records = () if shared and refused.secret else refused.records
        while (gathered := minute.kinds.get(kind)) is not None:
            gathered.repeat(records, now)
            # Nobody gets an answer before the first refusal is durable.
            await asyncio.wait([gathered.first])
            if not gathered.first.cancelled():
                gathered.first.result()
                break
        else:
            gathered = _Gathered(own if crowd is None else further(crowd))
            minute.kinds[kind] = gathered
            try:
                await self._write_first(gathered, records)
            except BaseException:
                del minute.kinds[kind]
                if crowd is None:
                    minute.written.subtract(_counted(refused))
                raise
        if answered and crowd is None:
            return None
        left = minute.start + timedelta(minutes=1) - now
        return max(1, -(-left // timedelta(seconds=1)))

    async def flush(self, *, ending: bool = False) -> None:
        """Write the repeats of past minutes and, if `ending`, of the current one.

        :raises AuditUnavailableError: the log cannot be written now; nothing is forgotten.
        """
        now = self._clock.now()
        self._turn(now + timedelta(minutes=1) if ending else now)
        done = [each for each in self._over if each.first.done()]
        for at in range(0, len(done), TOGETHER):
            some = done[at : at + TOGETHER]
            told = await asyncio.gather(*map(_tell, some), return_exceptions=True)
            gone = {each for each, how in zip(some, told, strict=True) if how is None}
            self._over = [each for each in self._over if each not in gone]
            for how in told:
                if how is not None:
                    raise how

    def _turn(self, now: datetime) -> None:
        start = now.replace(second=0, microsecond=0)
        if start == self._minute.start:
            return
        kinds = self._minute.kinds.values()
        self._over += [each for each in kinds if each.repeats or not each.first.done()]
        self._minute = _Minute(start)

    def _place(self, minute: _Minute, refused: Refused) -> tuple[Hashable, Caller | None]:
        """What a refusal counts as, and who its event names if not the refused caller."""
        if refused in minute.kinds:
            return refused, None
        limits, address = self._limits, refused.address
        if minute.written[None] >= limits.most_kinds:
            return None, Caller("unknown", authentication="none")
        few = 0 if refused.caller.authentication == "signed_link" else limits.first_of_a_session
        crowded = minute.written[address] >= limits.kinds_of_an_address
        if address is not None and crowded and minute.written[refused.session] >= few:
            return address, Caller("unknown", authentication="none", address=refused.caller.address)
        if minute.written[refused.session] >= limits.kinds_of_a_session:
            return refused.session, refused.caller
        minute.written.update(_counted(refused))
        return refused, None

    def _answer(self, minute: _Minute, refused: Refused) -> bool:
        """Whether there is room for one more answer. Does not count callers whose refusals are not
        kept."""
        limits, address = self._limits, refused.address
        rates = {refused.session: limits.answers_to_a_session}
        if address is not None:
            rates[address] = limits.answers_to_an_address
        room = all(minute.answered[who] < most for who, most in rates.items())
        minute.answered.update(who for who in rates if who in minute.written)
        return room

    async def _write_first(self, gathered: _Gathered, records: Sequence[str]) -> None:
        try:
            gathered.first.set_result(await gathered.write(None, None, None, records))
        except Exception as error:
            # Callers that wait for it must not get an answer either. There may be none waiting.
            gathered.first.set_exception(error)
            gathered.first.exception()
            raise
        except BaseException:
            # This caller has left; the next one writes it.
            gathered.first.cancel()
            raise


async def _tell(gathered: _Gathered) -> None:
    first = gathered.first
    if gathered.repeats and not first.cancelled() and first.exception() is None:
        await gathered.write(
            gathered.repeats, first.result(), gathered.repeated_at, tuple(gathered.records)
        )


def _counted(refused: Refused) -> list[Hashable]:
    """The key under which a refusal with its own event is counted."""
    return [None, refused.session, *([] if refused.address is None else [refused.address])]
