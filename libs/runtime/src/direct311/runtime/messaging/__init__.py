"""Records, the events that they handle and publish, and Kafka."""
