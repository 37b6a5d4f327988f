"""Items, assignments and clocks: pure."""
