"""How a scope becomes bounds, and what a timeline says of age."""

from direct311.retention.case_file.scope import OpenScope
from direct311.retention.holds.domain import Bounds, HoldQuery


def bounds_of(scope: OpenScope, *, also_by_sealed: bool) -> Bounds | None:
    """The bounds that contain every record of the scope; `None` if that is any record. What bounds
    cannot say, such as several departments, makes them wider, never narrower.

    :param also_by_sealed: it looks by sealed values too, besides the records that it names.
    """
    (department, *others) = scope.departments or (None,)
    query = HoldQuery(
        service_codes=scope.service_codes,
        municipality=scope.municipality,
        department=None if others else department,
        since=scope.since,
        until=scope.until,
    )
    asks = query != HoldQuery()
    if not asks and not scope.record_ids:
        return None
    if not asks and (scope.departments or also_by_sealed):
        # It looks for other records too, and bounds cannot say for which.
        return None
    return Bounds(record_ids=scope.record_ids, query=query if asks else None)
