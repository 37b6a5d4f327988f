"""A witness of transparency logs (c2sp.org/tlog-witness), run by a party other than the log's
operator.

witness   the checks before a checkpoint is cosigned
memory    each log's latest checkpoint, durable before any answer is sent
app       the HTTP interface
"""
