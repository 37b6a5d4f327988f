"""What stands behind the ports of protection."""
