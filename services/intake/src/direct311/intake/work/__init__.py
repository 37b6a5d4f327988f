"""What staff see of requests and change about them: `/v1/work`. Nothing here opens a sealed
field."""
