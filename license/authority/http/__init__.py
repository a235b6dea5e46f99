"""The vendor's web service: routes, rate limits, errors and its OpenAPI document."""
