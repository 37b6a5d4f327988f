"""What stands behind the ports of retention."""
