"""What stands behind the ports of submission."""
