"""The data files and the gazetteer."""
