"""What stands behind the ports of intake."""
