"""Who calls which paths of a service: the first rule that is found gives a role that gets past the
door, or a service."""

SERVICE = "svc-"
"""What a service's name at the issuer begins with."""
LINK = "link"
"""In place of a role: the reporter's signed link."""

CALLERS: dict[str, tuple[tuple[str, str], ...]] = {
    "intake": (
        (r"/(follow|subject|corrections|comments|media|withdraw|notifications)$", LINK),
        (r"/v1/protections|/internal/persons", "custodian"),
        (r"/v1/clients|/internal/keys", "admin"),
        (r"/release$", "inspector"),
        (r"/internal/key-fetches", "svc-audit"),
        (r"", "agent"),
    ),
    "media": (
        (r"/internal/keys", "admin"),
        (r"/internal/media", "agent"),
        (r"/internal/key-fetches", "svc-audit"),
        (r"", "svc-intake"),
    ),
    "geo": ((r"/internal/normalise", "svc-intake"), (r"", "admin")),
    "routing": ((r"", "agent"),),
    "retention": (
        (r"/v1/holds/.*/release", "counsel"),
        (r"/(approve|reject)$", "records_officer"),
        (r"", "custodian"),
    ),
    "audit": (
        # Not past the door: a rebuild of the index keeps all other questions waiting (503).
        (r"/internal/index", "auditor"),
        (r"/internal/keys", "admin"),
        (r"/internal/key-fetches", "svc-intake"),
        (r"/v1/holds", "custodian"),
        (r"/v1/subject", LINK),
        (r"", "auditor"),
    ),
}
