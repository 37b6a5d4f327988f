"""Open311 GeoReport v2: reads what clients send, and writes what they read."""
