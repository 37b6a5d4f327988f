"""A witness of transparency logs (c2sp.org/tlog-witness), run by another party than the log.

witness   what is checked before a checkpoint is cosigned
memory    the latest checkpoint of each log, durable before anything is answered
app       the HTTP face
"""
