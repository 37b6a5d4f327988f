"""Records, the events that they take and give, and Kafka."""
