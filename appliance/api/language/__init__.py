"""The Language API: routes, requests, responses and their OpenAPI document."""
