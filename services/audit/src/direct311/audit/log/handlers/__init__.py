"""What the log does, one module for each task."""
