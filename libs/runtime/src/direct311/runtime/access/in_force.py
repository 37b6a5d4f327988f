"""The access log has an event for rules and keys that come into force.

Each service remembers what was in force when it last started: the file of rules, the principals and
the key-encryption key, each by an identifier that reveals nothing else. If one is new to the
service's database, the service first writes the event and then remembers it.
"""

from direct311.runtime.access.ledger import Access, Ledger
from direct311.runtime.access.rules import Caller, Decision
from direct311.runtime.clock import Clock
from direct311.runtime.storage.database import Collection


class InForce:
    """Compares with what the database remembers: one document per kind, with `_id` and `value`."""

    def __init__(
        self,
        collection: Collection,
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self._collection = collection
        self._ledger = ledger
        self._clock = clock
        self._expected: dict[str, tuple[str, tuple[str, ...]]] = {}

    def expect(self, kind: str, value: str, approved_by: tuple[str, ...] = ()) -> None:
        """Note that this process works under `value` (a hash or a key's id), which these people
        approved. `announce` writes it down later."""
        self._expected[kind] = (value, approved_by)

    async def announce(self) -> None:
        """Write down everything that this process works under and that the database does not
        remember.

        A crash between the two writes makes a second event. Several copies may each write one
        event.

        :raises AuditUnavailableError: the log cannot be written now; try again.
        """
        for kind, (value, approved_by) in list(self._expected.items()):
            known = await self._collection.find_one({"_id": kind})
            before = known["value"] if known else None
            if before == value:
                del self._expected[kind]
                continue
            caller = Caller("svc:configuration", ("service",), authentication="service")
            access = Access(
                caller,
                action="policy_change",
                purpose=None,
                operation=f"{kind} in force",
                reference=f"approved by {', '.join(approved_by)}" if approved_by else None,
            )
            decision = Decision(
                allowed=True,
                rule_id=kind,
                needed="",
                fields=(),
                obligations=(),
                policy_hash=value,
                legal_basis=None,
            )
            reason = f"in place of {before}" if before else "the first"
            await self._ledger.write(access, decision, "success", reason=reason)
            await self._collection.update_one(
                {"_id": kind},
                {"$set": {"value": value, "since": self._clock.now()}},
                upsert=True,
            )
            del self._expected[kind]
