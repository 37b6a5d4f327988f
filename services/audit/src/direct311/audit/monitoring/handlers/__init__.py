"""What watches the log, one module for each task."""
