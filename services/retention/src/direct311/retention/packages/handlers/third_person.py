"""Who releases an approved package.

The desk releases what the public asked for. Where the rules of the kind name others, a third person
does: somebody who has not built the package, and has approved it in no other role.
"""

from direct311.retention.case_file.packages import BuiltPackage
from direct311.retention.cases.domain import CaseFile, KindRules
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.persons import same_person


def check_releases(
    caller: Caller, state: CaseFile, package: BuiltPackage, rules: KindRules
) -> None:
    """:raises RefusedError: the caller's role does not release it, a third person must, or it is
    not encrypted to its recipient yet."""
    if not {*(rules.released_by or rules.desks)} & {*caller.roles}:
        raise RefusedError("role", "This needs one of the roles that release such a package.")
    if not rules.released_by:
        return
    others = [each.approval.approver for each in package.approvals if each.role not in caller.roles]
    if any(same_person(each, caller.sub) for each in (package.built_by, *others)):
        raise RefusedError(
            "same_person", "Somebody other than those who built and reviewed it must release it."
        )
    if state.deliveries.of(package.sha256) is None:
        raise RefusedError("not_encrypted", "Encrypt the package to its recipient first.")
