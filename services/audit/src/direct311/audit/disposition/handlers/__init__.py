"""How entries end and are held, one module per task."""
