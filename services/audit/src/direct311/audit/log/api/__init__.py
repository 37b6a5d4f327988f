"""The log's edges: events from the broker, and its files over HTTP."""
