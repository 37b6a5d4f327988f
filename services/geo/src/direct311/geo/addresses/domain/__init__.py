"""Words, lines, readings, streets and grids; no input or output."""
