"""What stands behind the ports of reporter."""
