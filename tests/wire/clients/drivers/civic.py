"""Calls every method of civicbot's Open311 client and prints what it read; it sends one request."""

import json
import sys
import time

from civicbot.http import HttpError, HttpTransport, RateLimiter
from civicbot.open311 import Open311Client, ValidationError
from civicbot.registry import Endpoint

base, key, service_code, batch = sys.argv[1:5]
endpoint = Endpoint(id="miamidade", name="Miami-Dade", base_url=base, write=True, geo_scoped=True)
transport = HttpTransport(rate_limiter=RateLimiter(min_interval=0.0))
client = Open311Client(endpoint, transport, jurisdiction_id="miamidade")
place = {"lat": 25.666, "lng": -80.358}
services = client.list_services(place["lat"], place["lng"])
definition = client.get_service_definition(service_code)
dry = client.create_request(service_code, validate_remote=True, attributes={"SIZE": "small"}, **place)
sent = client.create_request(
    service_code,
    dry_run=False,
    confirm="SEND",
    api_key=key,
    validate_remote=True,
    description="A dog by the canal, says a robot.",
    attributes={"SIZE": "large"},
    email="robot@example.org",
    **place,
)
record_id = sent.response[0]["service_request_id"]
try:
    client.create_request(service_code, validate_remote=True, attributes={"SIZE": "vast"}, **place)
    refused = []
except ValidationError as error:
    refused = error.problems
try:
    client.create_request(service_code, dry_run=False, confirm="SEND", api_key="none", **place)
    forbidden = 0
except HttpError as error:
    forbidden = error.status
deadline = time.monotonic() + 60
one = client.get_request(record_id)
while not one["lat"] and time.monotonic() < deadline:
    time.sleep(0.2)
    one = client.get_request(record_id)
later = client.create_request(batch, dry_run=False, confirm="SEND", api_key=key, **place)
token = later.response[0]["token"]
known = client.get_token(token)[0]
while not known.get("service_request_id") and time.monotonic() < deadline:
    time.sleep(0.2)
    known = client.get_token(token)[0]
print(
    json.dumps(
        {
            "services": services,
            "definition": definition,
            "dry": dry.as_dict(),
            "record_id": record_id,
            "one": one,
            "token": token,
            "known": known,
            "open": client.list_requests(service_code=service_code, status="open", page_size=1000),
            "several": client.list_requests(service_request_ids=[record_id, "nothing-such"]),
            "none": client.list_requests(start_date="2001-01-01", end_date="2001-02-01"),
            "refused": refused,
            "forbidden": forbidden,
        }
    )
)
