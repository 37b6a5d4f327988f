"""How people and places are read: pure."""
