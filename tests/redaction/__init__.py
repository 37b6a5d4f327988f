"""How well the redaction does: on a labelled set, and on real rows."""
