"""By which names originals are sealed."""

SEALED_FIELD = "media_original"
"""The name by which rules of access speak of originals."""


def sealed_name(media_id: str) -> str:
    """What binds a ciphertext to its upload; record and version are bound by the key."""
    return f"{SEALED_FIELD}/{media_id}"
