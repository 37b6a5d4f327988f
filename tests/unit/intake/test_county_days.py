"""Days are the county's: in the evening it is tomorrow by UTC, and in winter an hour later."""

from datetime import UTC, date, datetime, timedelta

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from direct311.intake.catalogue.adapters import load_catalogue, load_policies
from direct311.intake.catalogue.domain.types import Catalogue
from direct311.intake.county import ZONE, close_of, day_of
from direct311.intake.language import LANGUAGES
from direct311.intake.open311.api.georeport import GeoReport
from direct311.intake.protection.api import _entry
from direct311.intake.protection.domain import Protection
from direct311.intake.request import Notifications, PendingMail
from direct311.intake.settings import IntakeSettings
from direct311.intake.submission.handlers.agreement import Agreement
from tests.support.drafts import read_form
from tests.support.quotas import callers
from tests.support.reporters import ReporterIntake
from tests.support.runtime import SetClock

DOG = "ANI-STRAY-DOG"
LAST = date(2026, 11, 30)
EVENING = datetime(2026, 12, 1, 0, 30, tzinfo=UTC)
"""Half past seven of the last day."""
MIDNIGHT = datetime(2026, 12, 1, 5, tzinfo=UTC)
PACKAGED = load_catalogue().content
SERVICES = tuple(
    each.model_copy(update={"effective_until": LAST} if each.service_code == DOG else {})
    for each in PACKAGED.services
)
# Made anew: a copy would keep the index of types that others have asked the original for.
CATALOGUE = Catalogue.model_construct(**(dict(PACKAGED) | {"services": SERVICES}))


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize(
    ("at", "offered"), [(EVENING, True), (MIDNIGHT - timedelta(seconds=1), True), (MIDNIGHT, False)]
)
def test_a_type_is_offered_to_the_end_of_its_last_day(
    form: str, at: datetime, offered: bool
) -> None:
    fields = [("service_code", DOG), ("lat", "25.7"), ("long", "-80.3")]
    assert (read_form(fields, CATALOGUE, at).submission is not None) == offered
    clock = SetClock(at)
    report = GeoReport(
        settings=IntakeSettings.model_construct(files_in_hand=1, most_files=1, largest_file=1),
        catalogues=dict.fromkeys(LANGUAGES, CATALOGUE),
        agreement=Agreement(load_policies().content, clock),
        admission=None,  # type: ignore[arg-type]
        failed_keys=None,  # type: ignore[arg-type]
        accept=None,  # type: ignore[arg-type]
        requests=None,  # type: ignore[arg-type]
        updates=None,  # type: ignore[arg-type]
        add_comment=None,  # type: ignore[arg-type]
        callers=callers(clock, most=100),
        clock=clock,
    )
    app = FastAPI()
    app.router.routes.extend(report.routes())
    client = TestClient(app)
    assert (DOG in client.get(f"/open311/v2/services.{form}").text) == offered
    # A list of the day before is not kept.
    clock.at = MIDNIGHT
    assert DOG not in client.get(f"/open311/v2/services.{form}").text
    clock.at = at
    answer = client.get(f"/open311/v2/services/{DOG}.{form}")
    assert answer.status_code == (200 if offered else 404)


@pytest.mark.anyio
@pytest.mark.parametrize(("at", "new"), [(EVENING, False), (MIDNIGHT, True)])
async def test_a_message_carries_the_notice_of_the_countys_day(at: datetime, new: bool) -> None:
    intake = ReporterIntake()
    intake.clock.at = at
    policies = load_policies().content
    (*_, newest) = sorted(policies.policies, key=lambda each: each.effective_from)
    texts = dict.fromkeys(LANGUAGES, "The notice of December.")
    later = newest.model_copy(
        update={
            "version": "2026-12",
            "effective_from": date(2026, 12, 1),
            "email_notice": newest.email_notice.model_copy(update={"texts": texts}),
        }
    )
    intake.mail._policies = policies.model_copy(update={"policies": (*policies.policies, later)})
    await intake.request(
        notifications=Notifications(language="en", since=at),
        mail=PendingMail(mail_id="m", since=at),
        mail_after=at,
    )
    await intake.mail.step()
    (message,) = intake.mailer.sent
    assert ("December" in message.get_content()) == new


def test_an_old_entry_of_the_registry_shows_the_countys_day() -> None:
    entry = Protection(
        protection_id="p",
        reference="r",
        citation="119.071",
        kinds=(),
        hashes=(),
        received_at=EVENING,
        entered_by="c",
    )
    assert _entry(entry).received_on == LAST


@pytest.mark.parametrize(
    ("day", "hour"),
    [
        (date(2026, 12, 1), 22),
        (date(2026, 7, 1), 21),
        (date(2026, 3, 8), 21),
        (date(2026, 11, 1), 22),
    ],
)
def test_work_is_over_at_five_in_the_county_in_winter_and_in_summer(day: date, hour: int) -> None:
    assert close_of(day) == datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


@given(st.dates())
def test_any_day_has_its_close_within_it(day: date) -> None:
    assert day_of(close_of(day)) == day
    assert close_of(day).astimezone(ZONE).hour == 17
