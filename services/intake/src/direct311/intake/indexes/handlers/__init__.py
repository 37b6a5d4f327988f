"""The values of a place, and whose submissions the registry knows."""
