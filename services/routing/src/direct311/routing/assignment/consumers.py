"""Which events say something of a request."""

TOPICS = ("request.created", "request.updated", "location.resolved", "media.stored")
