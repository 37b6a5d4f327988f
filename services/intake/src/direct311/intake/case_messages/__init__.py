"""What a requester of records and the county write to each other, at the gateway."""
