"""How persons and places are read: pure."""
