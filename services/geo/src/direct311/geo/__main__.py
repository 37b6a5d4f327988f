"""`python -m direct311.geo`"""

from direct311.geo.app import SERVICE, create_app
from direct311.geo.settings import GeoSettings
from direct311.runtime.process import Resources, serve


def main() -> None:
    settings = GeoSettings()
    serve(create_app(settings, Resources.open(SERVICE, settings)), settings)


if __name__ == "__main__":
    main()
