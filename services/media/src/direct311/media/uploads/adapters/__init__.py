"""What stands behind the ports of uploads."""
