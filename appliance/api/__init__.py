"""The HTTP edge: what callers send, what they get back, and the only status codes of the service."""
