"""Work on the query index, one module per task."""
