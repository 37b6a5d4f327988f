"""The events about a request."""

TOPICS = ("request.created", "request.updated", "location.resolved", "media.stored")
