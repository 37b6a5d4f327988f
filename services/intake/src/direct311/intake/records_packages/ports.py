"""What the download of released records needs from outside."""

from typing import Protocol

from direct311.intake.records_packages.domain import ReleasedPackage


class ReleasedPackages(Protocol):
    """The county's case desk, which keeps the packages."""

    async def fetch(self, token: str, number: int | None) -> ReleasedPackage:
        """A package that was released to the requester with this token; the newest without a
        `number`. Reading its content raises `RefusedError` with `case_desk_unavailable` if it
        breaks off.

        :raises RefusedError: `unknown_case` if no case has this token; `not_released` if there is
            no such package; `not_readable` if it no longer exists; `case_desk_unavailable` if the
            desk does not answer.
        """
        ...
