"""The query index: asked, made again from the log, compared with its tree."""
