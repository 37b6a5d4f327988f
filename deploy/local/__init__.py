"""The local stack: real servers, three witnesses and the six services as processes on one machine.

``python -m deploy.local`` is the command; :class:`deploy.local.stack.Stack` is what tests use.
"""
