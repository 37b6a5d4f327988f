"""What an attack leaves behind in the log."""

from collections.abc import Callable

from tests.support.county import County, Document, until


async def trace(
    county: County, query: str, fits: Callable[[Document], bool], role: str = "auditor"
) -> Document:
    """The entry that fits, once it is in the log, as somebody with this role finds it. `query`: a
    filter."""

    async def look() -> Document | None:
        path = f"/v1/entries?{query}&limit=100&reference=LETTER-P21"
        page = await county.get("audit", path, role, "petra")
        return next((dict(entry) for entry in page["entries"] if fits(entry)), None)

    return await until(look, f"the log tells of it ({query})")


async def refusal(county: County, actor: str, rule: str, role: str = "auditor") -> Document:
    """The entry of a refusal by this rule, as somebody with this role finds it."""
    return await trace(
        county,
        f"actor={actor}&outcome=denied",
        lambda entry: rule in str((entry["signed_event"] or {}).get("body")),
        role,
    )
