"""What the county and the requester of records write to each other."""
