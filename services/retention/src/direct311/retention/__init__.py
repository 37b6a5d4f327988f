"""Schedule, holds, review, disposition, certificates."""
