"""What the audit service does, one module for each task."""
