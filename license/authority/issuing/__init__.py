"""From a request to a licence or a lease."""
