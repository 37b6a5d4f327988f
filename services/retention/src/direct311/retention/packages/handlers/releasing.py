"""Approving and releasing: other people approve one hash, and what has that hash goes out once.

The approval is a fresh sign-in whose ID token has the hash of the package. The release and the
event that says so are one write, so nothing goes out without its entry in the log.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256 as sha256_of

from direct311.retention.case_file.packages import BuiltPackage, PackageApproval, PackageState
from direct311.retention.cases.approving import FreshSignIns, has_approved, role_for
from direct311.retention.cases.domain import CaseFile, KindRules
from direct311.retention.cases.ports import SealedDocuments
from direct311.retention.cases.work import (
    CaseWork,
    Changed,
    check_open,
    check_unopposed,
    unknown_case,
)
from direct311.retention.packages.domain.case_work import is_unpaid
from direct311.retention.packages.domain.courses import course_of
from direct311.retention.packages.handlers.collecting import with_counts
from direct311.retention.packages.handlers.seen import (
    FIELDS,
    opened,
    seen,
    unlocked,
)
from direct311.retention.packages.handlers.third_person import check_releases
from direct311.retention.packages.ports import TokenCases
from direct311.runtime.access.disclosures import nonce_of_package
from direct311.runtime.access.fresh_sign_in import Approvals, ProviderKeys
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.state import Change, Outgoing
from direct311.schemas import events as ev


@dataclass(frozen=True, slots=True)
class ShownPackage:
    """A package as its approvers see it. `nonce`: what the ID token of everybody who approves it
    has as its nonce. `missing`: the roles in which somebody must still approve it."""

    package: BuiltPackage
    state: PackageState
    nonce: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FetchedPackage:
    """A package while it is read: its hash, how many bytes it has, and these, piece by piece.
    `number`: which of the released ones, from 1; `of`: how many there are."""

    sha256: str
    size: int
    content: AsyncGenerator[bytes]
    number: int = 0
    of: int = 0


class Releasing:
    """:param approvals: what checks a fresh sign-in; `None` if no client for approvals is
    configured, and then nothing is approved."""

    def __init__(
        self,
        work: CaseWork,
        cases: TokenCases,
        sealed: SealedDocuments,
        approvals: Approvals | None,
        provider: ProviderKeys,
    ) -> None:
        self._work = work
        self._cases = cases
        self._sealed = sealed
        self._sign_ins = FreshSignIns(approvals, provider)

    async def packages(
        self, caller: Caller, case_id: str
    ) -> tuple[CaseFile, Sequence[ShownPackage]]:
        """The case and its packages, oldest first. Opens nothing.

        :raises RefusedError: there is no such case for this caller.
        """
        state, rules = await seen(self._work, caller, case_id)
        return state, [shown(state, each, rules) for each in state.packages.packages]

    async def approve(
        self, caller: Caller, case_id: str, sha256: str, id_token: str
    ) -> tuple[CaseFile, ShownPackage]:
        """Approve the newest package with the ID token of a fresh sign-in; may be repeated. With
        the last approval that it needs it can be released.

        :param sha256: of the package, as the caller has seen it.
        :raises RefusedError: there is no such case for this caller, the newest package has another
            hash, the same person built or approved it, its role is not needed, or the ID token is
            no fresh sign-in of the caller for this package.
        :raises TransientError: the identity provider has never answered.
        """
        _, rules = await seen(self._work, caller, case_id)
        self._sign_ins.configured()

        async def decide(state: CaseFile) -> Changed:
            package = _current(state, sha256)
            approvers = [each.approval.approver for each in package.approvals]
            if has_approved(caller, package.built_by, approvers, "built"):
                return None
            if state.state != "packaged":
                raise RefusedError("case_state", "The state of the case does not allow this.")
            needed = package.needed(rules.releasers, rules.exemption_releasers)
            role = role_for(caller, needed, package.missing(needed), "package")
            # Checked in here, so that a repeated attempt has the time of its own event.
            now = self._work.clock.now()
            nonce = nonce_of_package(case_id, sha256)
            approval = await self._sign_ins.approval(caller, id_token, nonce, now, "package")
            approved = package.approved_by(PackageApproval(role=role, approval=approval))
            after = state.packaging(state.packages.with_newest(approved))
            if not approved.missing(needed):
                after = after.entering("approved")
            step = after.recorded(
                rules, step="package_approval", actor=caller.sub, at=now, codes=(role,)
            )
            told = with_counts(step, step.counts, {"package": sha256})
            return Change(after, (Outgoing(told),))

        found = await self._work.change(case_id, decide)
        return found, shown(found, _current(found, sha256), rules)

    async def release(
        self, caller: Caller, case_id: str, sha256: str
    ) -> tuple[CaseFile, ShownPackage]:
        """Release the approved package: from then on its recipient may fetch it. May be repeated,
        and happens once.

        :param sha256: of the package.
        :raises RefusedError: there is no such case for this caller, whose role does not release it;
            the newest package has another hash, it is not approved, a third person must release
            it, it is not encrypted to its recipient, or something must be paid first.
        """
        _, rules = await seen(self._work, caller, case_id)

        async def decide(state: CaseFile) -> Changed:
            newest = state.packages.newest
            again = newest is not None and newest.sha256 == sha256
            if _released(state, sha256) is not None and not again:
                return None
            # One that was recalled may be built again with the same bytes, and goes out again.
            package = _current(state, sha256)
            if state.state != "approved":
                raise RefusedError("case_state", "The package must be approved first.")
            check_releases(caller, state, package, rules)
            if is_unpaid(state):
                raise RefusedError("unpaid", "Something must be paid first.")
            now = self._work.clock.now()
            out = package.released(caller.sub, now)
            after = state.packaging(state.packages.went_out(out)).entering("released")
            return Change(after, (Outgoing(_told(after, out, rules)),))

        found = await self._work.change(case_id, decide)
        package = _released(found, sha256)
        if package is None:
            raise unknown_case()
        return found, shown(found, package, rules)

    async def fetch(self, caller: Caller, case_id: str, sha256: str) -> FetchedPackage:
        """The bytes of a package, for its desk and for those who approve it.

        :raises RefusedError: there is no such case for this caller, or the case has no such
            package.
        :raises DeniedError: the rules refuse.
        :raises AuditUnavailableError: it could not be recorded; nothing was opened.
        """
        state, rules = await seen(self._work, caller, case_id)
        package = state.packages.package(sha256)
        if package is None:
            raise RefusedError("not_found", "This case has no such package.")
        operation = "GET /v1/cases/{case_id}/packages/{sha256}"
        unlocking = unlocked(self._work, caller, state, "export", operation, rules.packagers)
        content = await opened(self._sealed, unlocking, state, package)
        return FetchedPackage(sha256, package.size, content)

    async def fetch_by_token(
        self, caller: Caller, token: str, number: int | None = None
    ) -> FetchedPackage:
        """The bytes of a package that was released to the requester with this token.

        :param caller: the gateway, which passes the request on.
        :param number: which of the released packages, from 1; the newest if it is left out.
        :raises RefusedError: no case has this token, or no such package was released.
        :raises AuditUnavailableError: it could not be recorded; nothing was opened.
        """
        state = await self._cases.of_token(sha256_of(token.encode()).hexdigest())
        if state is None or not state.exists:
            raise RefusedError("unknown_case", "There is no such case.")
        released = state.packages.released
        wanted = len(released) if number is None else number
        if not 1 <= wanted <= len(released):
            raise RefusedError("not_released", "No such package was released.")
        if released[wanted - 1].recalled_at is not None:
            raise RefusedError("recalled", "The county has recalled this package.")
        package = released[wanted - 1]
        operation = "POST /internal/cases/package"
        access = replace(
            self._work.access(caller, state, "export", operation, FIELDS),
            recipient=course_of(state.kind).recipient,
        )
        unlocking = self._work.vault.unlock(access, RecordFacts(state.record_id))
        content = await opened(self._sealed, unlocking, state, package)
        return FetchedPackage(package.sha256, package.size, content, wanted, len(released))


def shown(state: CaseFile, package: BuiltPackage, rules: KindRules) -> ShownPackage:
    """A package as its approvers see it."""
    needed = package.needed(rules.releasers, rules.exemption_releasers)
    is_current = package == state.packages.newest and state.state in ("packaged", "approved")
    missing = package.missing(needed) if is_current else ()
    status: PackageState = "replaced"
    if package.released_at is not None:
        status = "released"
    elif is_current:
        status = "built" if missing else "approved"
    nonce = nonce_of_package(state.record_id, package.sha256)
    return ShownPackage(package, status, nonce, missing)


def _told(after: CaseFile, out: BuiltPackage, rules: KindRules) -> ev.DisclosureReleased:
    if out.released_at is None or out.released_by is None:
        raise ValueError("a package that was not released")
    return ev.DisclosureReleased(
        case_id=after.record_id,
        version=after.version + 1,
        kind=rules.kind,
        exemption=after.exemption(rules, out.released_at),
        package=out.sha256,
        counts=out.counts,
        recipient=course_of(rules.kind).recipient,
        released_by=out.released_by,
        approvals=tuple(each.approval for each in out.approvals),
        released_at=out.released_at,
    )


def _current(state: CaseFile, sha256: str) -> BuiltPackage:
    """The newest package, which must have this hash and be what would be built now."""
    check_open(state)
    check_unopposed(state)
    newest = state.packages.newest
    if newest is None or newest.sha256 != sha256 or state.state not in ("packaged", "approved"):
        raise RefusedError(
            "package_hash", "The hash is not that of the newest package.", field="sha256"
        )
    return newest


def _released(state: CaseFile, sha256: str) -> BuiltPackage | None:
    """The package with this hash that went out last."""
    released = reversed(state.packages.released)
    return next((each for each in released if each.sha256 == sha256), None)
