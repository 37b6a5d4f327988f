"""Calls every method of georeport and prints what it read."""

import json
import sys

from georeport import GeoReport

base, form, record_id, service_code, start, end = sys.argv[1:7]
client = GeoReport(base, jurisdiction="miamidade", output_format=form)
print(
    json.dumps(
        {
            "services": client.get_service_list(),
            "definition": client.get_service_definition(service_code),
            "one": client.get_service_request(record_id),
            "several": client.get_service_requests(service_request_id=f"{record_id},nothing-such"),
            "some": client.get_service_requests(
                service_code=service_code, start_date=start, end_date=end, status="open,closed"
            ),
        }
    )
)
