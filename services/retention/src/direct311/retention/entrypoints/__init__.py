"""How the service is reached: HTTP and events."""
