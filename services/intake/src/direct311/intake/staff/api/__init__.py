"""The routes and pages of staff."""
