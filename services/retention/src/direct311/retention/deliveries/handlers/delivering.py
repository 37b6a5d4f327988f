"""What the use cases share: which delivery somebody speaks of."""

from direct311.retention.case_file.deliveries import Delivery, DeliveryCode
from direct311.retention.case_file.packages import BuiltPackage
from direct311.retention.cases.domain import CaseFile
from direct311.runtime.errors import RefusedError


def package_in(state: CaseFile, sha256: str) -> BuiltPackage:
    """The package with this hash.

    :raises RefusedError: the case has none, or it was replaced.
    """
    package = state.packages.package(sha256)
    if package is None:
        raise RefusedError("not_found", "This case has no such package.")
    is_current = package == state.packages.newest and state.state in ("packaged", "approved")
    if package.released_at is None and not is_current:
        raise RefusedError(
            "package_hash", "The hash is not that of the newest package.", field="sha256"
        )
    return package


def check_not_recalled(package: BuiltPackage) -> None:
    """:raises RefusedError: it went out wrongly, and somebody has recalled it."""
    if package.recalled_at is not None:
        raise RefusedError("recalled", "The county has recalled this package.")


def delivery_in(state: CaseFile, sha256: str) -> Delivery:
    """What the package was encrypted to.

    :raises RefusedError: it was not encrypted.
    """
    found = state.deliveries.of(sha256)
    if found is None:
        raise RefusedError("not_encrypted", "Encrypt the package to its recipient first.")
    return found


def coded_in(
    state: CaseFile | None, code_hash: str
) -> tuple[CaseFile, BuiltPackage, Delivery, DeliveryCode]:
    """The package and its delivery that has this code. Whether there is a case, whether an
    objection stands or the delivery was withdrawn: the answer is that of a wrong code.

    :raises RefusedError: no delivery that counts has it.
    """
    delivery = state.deliveries.of_code(code_hash) if state is not None and state.exists else None
    if state is None or delivery is None or delivery.code is None:
        raise unknown_code()
    package = state.packages.package(delivery.package)
    objected = state.legal is not None and state.legal.objected
    if package is None or package.released_at is None or objected:
        raise unknown_code()
    return state, package, delivery, delivery.code


def unknown_code() -> RefusedError:
    """For everybody whose code opens nothing."""
    return RefusedError("unknown_code", "No delivery has this code, or it was used.")
