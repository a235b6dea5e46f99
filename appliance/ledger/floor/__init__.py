"""What the logs prove was used: how much of the plan, kept twice, the greater holds; and which requests."""
