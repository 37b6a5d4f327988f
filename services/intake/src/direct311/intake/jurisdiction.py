"""The only jurisdiction served here (GeoReport v2, `jurisdiction_id`)."""

from direct311.intake.problems import Problem

JURISDICTIONS = ("miamidade", "miamidade.gov")


def jurisdiction_problem(given: str | None) -> Problem | None:
    """An unknown jurisdiction is 404; a missing or empty one means ours."""
    if not given or given in JURISDICTIONS:
        return None
    return Problem(404, "jurisdiction_id", "jurisdiction_id must be miamidade")
