"""`appliance models …`: the library of models."""
