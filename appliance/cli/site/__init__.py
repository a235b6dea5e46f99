"""`appliance site …`: the desk of a site, and what its operator does with it."""
