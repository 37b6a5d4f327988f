"""Calls every method of three, under Python 2.7, and prints what it read; it sends one request."""

from __future__ import print_function

import json
import sys
import time

import three

base, discovery, key, form, service_code, batch, photo = sys.argv[1:8]
t = three.Three(base, api_key=key, format=form, jurisdiction="miamidade")
found = {"discovery": t.discovery(discovery), "services": t.services()}
found["definition"] = t.services(service_code)
found["posted"] = t.post(
    service_code,
    address="111 NW 1ST ST, MIAMI",
    name="Zora Neale",
    phone="305-555-0142",
    email="zora@example.org",
    description="A dog by the courthouse.",
    media=open(photo, "rb"),
)
posted = found["posted"]
record_id = (posted[0] if form == "json" else posted["request"])["service_request_id"]
found["record_id"] = record_id


def one():
    rows = t.request(record_id)
    return rows[0] if form == "json" else rows["request"]


deadline = time.time() + 90
found["one"] = one()
while not found["one"]["lat"] and time.time() < deadline:
    time.sleep(0.5)
    found["one"] = one()
found["listed"] = t.requests(service_code, status="open", count=1000)
found["between"] = t.requests(between=["01-01-2020", "02-01-2020"])
posted = t.post(batch, lat="25.666", long="-80.358", description="A crossing without a signal.")
found["token"] = (posted[0] if form == "json" else posted["request"])["token"]


def known():
    rows = t.token(found["token"])
    return rows[0] if form == "json" else rows["request"]


found["known"] = known()
while not found["known"].get("service_request_id") and time.time() < deadline:
    time.sleep(0.5)
    found["known"] = known()
found["refused"] = t.services("NO-SUCH")
print(json.dumps(found))
