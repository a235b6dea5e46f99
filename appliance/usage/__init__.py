"""Usage of the service: durable before an answer leaves, reported and checked from the same bytes."""
