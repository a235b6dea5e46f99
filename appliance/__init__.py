"""The service on the isolated server: settings, gate, inference, usage ledger, API, command line."""
