"""Run intake: `python -m direct311.intake`."""

from direct311.intake.app import create_app
from direct311.intake.settings import IntakeSettings
from direct311.runtime.process import Resources, serve


def main() -> None:
    settings = IntakeSettings()
    serve(create_app(settings, Resources.open("intake", settings)), settings)


if __name__ == "__main__":
    main()
