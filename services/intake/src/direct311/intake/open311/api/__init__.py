"""The routes of GeoReport v2, the feeds, and the limit of reads."""
