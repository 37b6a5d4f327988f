"""The files of a record, for staff: which there are, and the originals."""
