"""Address lines: read, brought to one form, placed by numbering or by the gazetteer."""
