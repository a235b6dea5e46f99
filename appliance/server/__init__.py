"""One process: composition, uvicorn, TLS, load shedding, start and stop."""
