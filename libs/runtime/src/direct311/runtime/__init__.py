"""What every Direct311 process shares."""
