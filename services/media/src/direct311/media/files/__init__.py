"""The files of a record, for staff: the list, and the originals."""
