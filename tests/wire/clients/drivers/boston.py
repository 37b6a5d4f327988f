"""Calls every function of boston311 and prints what it read."""

import json
import sys
from datetime import datetime, timezone

import boston311
from boston311 import api
from boston311.datamodels import Status

base, record_id, service_code, start = sys.argv[1:5]
api.BOSTON_API_ENDPOINT = base
services = boston311.get_services()
one = boston311.get_service_request(record_id)
every = boston311.get_service_requests()
some = boston311.get_service_requests(
    service_code=service_code,
    start_date=datetime.fromisoformat(start),
    end_date=datetime.now(tz=timezone.utc),
    status=Status.OPEN,
)
closed = boston311.get_service_requests(status=Status.CLOSED)
print(
    json.dumps(
        {
            "services": len(services),
            "name": services.get_service_name(service_code),
            "one": json.loads(one.json()),
            "every": len(every),
            "some": [each.service_request_id for each in some.service_requests],
            "statuses": sorted({each.status.value for each in some.service_requests}),
            "closed": sorted({each.status.value for each in closed.service_requests}),
        }
    )
)
