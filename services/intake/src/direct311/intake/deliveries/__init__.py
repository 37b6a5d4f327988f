"""Deliveries: whoever was told a one-time code downloads what the case desk encrypted, once."""
