"""How both commands, `appliance` and `license`, speak with people: one style, one place."""
