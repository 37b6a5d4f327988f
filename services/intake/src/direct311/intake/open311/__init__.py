"""Open311 GeoReport v2: reading what clients send, and writing what they read."""
