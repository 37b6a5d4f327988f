"""Run routing: `python -m direct311.routing`."""

from direct311.routing.app import create_app
from direct311.routing.settings import RoutingSettings
from direct311.runtime.process import Resources, serve


def main() -> None:
    settings = RoutingSettings()
    serve(create_app(settings, Resources.open("routing", settings)), settings)


if __name__ == "__main__":
    main()
