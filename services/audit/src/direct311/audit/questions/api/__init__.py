"""Questions over HTTP, and the formats of their answers."""
