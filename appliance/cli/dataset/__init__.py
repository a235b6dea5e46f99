"""`appliance dataset …`: making, checking and pre-labelling labelled text; reading it for other commands."""
