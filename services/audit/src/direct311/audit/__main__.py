"""`python -m direct311.audit`."""

from direct311.audit.app import create_app
from direct311.audit.settings import AuditSettings
from direct311.runtime.process import Resources, serve
from direct311.runtime.storage.objects import ObjectStore


def main() -> None:
    """Serve until told to stop."""
    settings = AuditSettings()
    resources = Resources.open("audit", settings)
    serve(create_app(settings, resources, ObjectStore.from_settings(settings)), settings)


if __name__ == "__main__":
    main()
