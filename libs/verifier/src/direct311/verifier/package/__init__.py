"""Offline verification of a released package: a BagIt bag (RFC 8493) in a deterministic zip.

archive     the zip: one fixed form, so that no byte of it can change unseen
bag         the bag: its files, manifests and the note that retention signed
withheld    the marks in the records against the rows of the exemption log
files       the files of records against what records and log say of them
proofs      the log's proof of the case's entries
release     the receipt of the release against the package
check       all of it, in one report

No finding repeats what a file of the package says: it gives the file and the place in it.
"""
