"""Rules and keys that came into force are events of the access log.

Each service remembers what was in force when it last started: the file of rules, the principals,
the key-encryption key, each by an identifier that says nothing else. Where one is new to the
service's database, that is written down first and remembered after.
"""

from direct311.runtime.access.ledger import Access, Ledger
from direct311.runtime.access.rules import Caller, Decision
from direct311.runtime.clock import Clock
from direct311.runtime.storage.database import Collection


class InForce:
    """Compares with what the database remembers: one document for each kind, `_id` and `value`."""

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
        """This process works under `value` (a hash or the id of a key), which these persons
        approved. It is announced later."""
        self._expected[kind] = (value, approved_by)

    async def announce(self) -> None:
        """Write down what this process works under and the database does not remember.

        A crash between the two writes says it twice. Several copies may say it, each once.

        :raises AuditUnavailableError: not now; try again.
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
