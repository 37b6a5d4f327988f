"""`python -m direct311.media`"""

from direct311.media.app import SERVICE, create_app
from direct311.media.settings import MediaSettings
from direct311.runtime.confinement import close_to_others
from direct311.runtime.process import Resources, serve
from direct311.runtime.storage.objects import ObjectStore
from direct311.runtime.vault.providers import key_provider


def main() -> None:
    # Do this before starting workers, which run as the same user.
    close_to_others()
    settings = MediaSettings()
    resources = Resources.open(SERVICE, settings)
    app = create_app(
        settings,
        resources,
        ObjectStore.from_settings(settings),
        key_provider(settings, resources.http),
        resources.access_policy(),
    )
    serve(app, settings)


if __name__ == "__main__":
    main()
