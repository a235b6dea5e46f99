"""One connection: heads, bodies, deadlines, refusals before the application, replies, TLS."""
