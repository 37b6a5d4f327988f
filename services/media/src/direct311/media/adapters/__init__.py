"""What stands behind the ports: decoders in processes of their own, and the object store."""
