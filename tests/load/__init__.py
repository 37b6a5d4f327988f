"""Measurements on this machine: `make bench`. Nothing here passes or fails by a clock."""
