"""What a case file keeps of packages that were encrypted to their recipient, and of who got them.

The recipient opens a download with a one-time code that somebody reads out on the telephone. The
code is kept as its hash alone, and what was encrypted is sealed in the store.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from direct311.retention.case_file.packages import PACKAGE
from direct311.schemas import Instant, Model, replaced

MOST_DELIVERIES: Final = 50
"""The most times that packages of one case are encrypted."""
MOST_CODES: Final = 50
"""The most one-time codes of one delivery."""


def delivery_name(delivery_id: str) -> str:
    """Under which name the pieces of what was encrypted are sealed."""
    return f"{PACKAGE}/delivery/{delivery_id}"


class DeliveryCode(Model):
    """A one-time code. `code_hash`: SHA-256 (hex) of it. `agency`: at whose published number it was
    read out; `list_version`: of the file that has the number. `used_at`: when the download
    began."""

    code_hash: str
    agency: str
    list_version: str
    told_by: str
    told_at: Instant
    valid_until: Instant
    used_at: Instant | None = None

    def used(self, at: datetime) -> "DeliveryCode":
        """A copy that opens no download any more."""
        return replaced(self, used_at=at)


class Delivery(Model):
    """A package, encrypted to its recipient.

    `package`: SHA-256 (hex) of the package itself, which the recipient can compute after
    decrypting. `key`: the recipient's public key; `None`: a passphrase. `sha256`, `size`: of what
    was encrypted. `withdrawn_at`: from then on nobody downloads it.
    """

    delivery_id: str
    package: str
    key: str | None = None
    sha256: str
    size: int
    encrypted_by: str
    encrypted_at: Instant
    codes: tuple[DeliveryCode, ...] = ()
    withdrawn_at: Instant | None = None

    @property
    def sealed_name(self) -> str:
        """What binds its ciphertext to it; the key binds the case."""
        return delivery_name(self.delivery_id)

    @property
    def code(self) -> DeliveryCode | None:
        """The newest code; the ones before are void."""
        return self.codes[-1] if self.codes else None

    @property
    def downloaded(self) -> bool:
        """Whether somebody has downloaded it."""
        return any(each.used_at for each in self.codes)

    @property
    def acts(self) -> Iterable[datetime]:
        """When somebody did something about it."""
        yield self.encrypted_at
        for each in self.codes:
            yield each.told_at
            if each.used_at is not None:
                yield each.used_at

    def with_code(self, code: DeliveryCode) -> "Delivery":
        """A copy with this code as the newest."""
        return replaced(self, codes=(*self.codes, code))

    def with_newest(self, code: DeliveryCode) -> "Delivery":
        """A copy in which the newest code is as given."""
        return replaced(self, codes=(*self.codes[:-1], code))

    def withdrawn(self, at: datetime) -> "Delivery":
        """A copy that nobody downloads any more."""
        return replaced(self, withdrawn_at=at)


class CaseDeliveries(Model):
    """All deliveries of a case, oldest first. Of each package the newest one counts."""

    list: tuple[Delivery, ...] = ()

    def of(self, package: str) -> Delivery | None:
        """What a package was encrypted to, if that was not withdrawn."""
        found = next((each for each in reversed(self.list) if each.package == package), None)
        return found if found is not None and found.withdrawn_at is None else None

    def of_code(self, code_hash: str) -> Delivery | None:
        """The delivery whose newest code has this hash, if it counts."""
        for each in self.list:
            if each.code is not None and each.code.code_hash == code_hash:
                return each if self.of(each.package) == each else None
        return None

    @property
    def objects(self) -> int:
        """How many sealed objects there are."""
        return len(self.list)

    @property
    def size(self) -> int:
        """The bytes of these, before they were sealed."""
        return sum(each.size for each in self.list)

    @property
    def acts(self) -> Iterable[datetime]:
        """When somebody did something about them."""
        for each in self.list:
            yield from each.acts

    def with_delivery(self, delivery: Delivery) -> "CaseDeliveries":
        """A copy with this delivery, in place of the one with the same id."""
        kept = tuple(each for each in self.list if each.delivery_id != delivery.delivery_id)
        return replaced(self, list=(*kept, delivery))

    def without(self, package: str, at: datetime) -> "CaseDeliveries":
        """A copy in which nobody downloads this package any more."""
        found = self.of(package)
        return self if found is None else self.with_delivery(found.withdrawn(at))
