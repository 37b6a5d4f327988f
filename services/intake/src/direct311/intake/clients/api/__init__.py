"""The routes of clients, and what stands before all calls."""
