"""The routes of clients, and the checks before all calls."""
