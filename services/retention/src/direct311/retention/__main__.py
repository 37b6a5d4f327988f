"""`python -m direct311.retention`"""

from direct311.retention.app import SERVICE, create_app
from direct311.retention.settings import RetentionSettings
from direct311.runtime.confinement import close_to_others
from direct311.runtime.process import Resources, serve
from direct311.runtime.storage.objects import ObjectStore


def main() -> None:
    # The process that reads residents' documents runs as the same user.
    close_to_others()
    settings = RetentionSettings()
    resources = Resources.open(SERVICE, settings)
    serve(create_app(settings, resources, ObjectStore.from_settings(settings)), settings)


if __name__ == "__main__":
    main()
