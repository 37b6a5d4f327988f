"""`python -m direct311.retention`"""

from direct311.retention.app import SERVICE, create_app
from direct311.retention.settings import RetentionSettings
from direct311.runtime.process import Resources, serve


def main() -> None:
    settings = RetentionSettings()
    serve(create_app(settings, Resources.open(SERVICE, settings)), settings)


if __name__ == "__main__":
    main()
