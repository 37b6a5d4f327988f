"""`python -m direct311.media`"""

from direct311.media.app import SERVICE, create_app
from direct311.media.settings import MediaSettings
from direct311.runtime.keys import FileKeyProvider
from direct311.runtime.process import Resources, serve
from direct311.runtime.store import ObjectStore


def main() -> None:
    settings = MediaSettings()
    resources = Resources.open(SERVICE, settings)
    app = create_app(
        settings,
        resources,
        ObjectStore.from_settings(settings),
        FileKeyProvider.from_file(settings.kek_file),
        resources.access_policy(),
    )
    serve(app, settings)


if __name__ == "__main__":
    main()
