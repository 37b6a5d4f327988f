"""Offline verification of Direct311's audit log and of released packages: for auditors, and for
the service that keeps the log.

merkle      RFC 6962 hashes, inclusion and consistency proofs, growth of a tree by batches
tiles       C2SP tlog-tiles: names and contents of hash tiles and entry bundles
note        C2SP signed-note and cosignature/v1
checkpoint  C2SP tlog-checkpoint, and the keys that a verifier trusts
policy      C2SP tlog-policy: that trust in a file, with the witnesses' addresses
proof       C2SP tlog-proof
submission  C2SP tlog-witness: a log's request to a witness
event       an access event as its producer signed it
entry       a leaf of the log: an event under a key that can be destroyed
bundle      the receipts and bundles that an auditor keeps
package     a released package of a disclosure case, with the receipt of its release
cases_report  the yearly report of disclosure cases, signed by the log
log         a whole log against one or several checkpoints
difference  how a run of entries came to differ from the signed one
report      what a verification found, in words
"""
