"""`appliance speech …`: custom speech on this machine."""
