"""The place of a request: resolved, and followed as it changes."""
