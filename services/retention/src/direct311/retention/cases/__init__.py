"""The case desk: case files, sealed in a vault of their own."""
