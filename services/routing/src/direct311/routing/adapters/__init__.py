"""What stands behind the ports of routing."""
