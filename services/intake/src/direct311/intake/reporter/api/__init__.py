"""The routes of reporters."""
