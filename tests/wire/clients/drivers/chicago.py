"""Runs chicagorequests' downloader, and its command, and prints what came."""

import json
import sys
from datetime import datetime, timedelta, timezone

import chicagorequests
from click.testing import CliRunner

base, service_code, since = sys.argv[1:4]
chicagorequests.Downloader.BASE_URL = base + "requests.json"
now = datetime.now(timezone.utc)
day = (now - timedelta(days=1), now + timedelta(minutes=1))
by_type = chicagorequests.Downloader(request_type=[service_code])(day)
by_update = chicagorequests.Downloader(
    updated_start_date=datetime.fromisoformat(since), updated_end_date=day[1]
)(day)
long_ago = chicagorequests.Downloader(
    updated_start_date=datetime(2018, 7, 18, tzinfo=timezone.utc), updated_end_date=day[1]
)((day[0] - timedelta(days=2000), day[1] - timedelta(days=2000)))
day_before = (now - timedelta(days=1)).strftime("%Y-%m-%d")
command = CliRunner().invoke(chicagorequests.main, ["--start-date", day_before])
lines = [json.loads(line) for line in command.stdout.splitlines() if line.startswith("{")]
print(
    json.dumps(
        {
            "by_type": by_type,
            "by_update": [each["service_request_id"] for each in by_update],
            "long_ago": long_ago,
            "exit": command.exit_code,
            "command": [each["service_request_id"] for each in lines],
        }
    )
)
