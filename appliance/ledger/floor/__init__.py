"""How much of the plan is used, kept twice: in the logs and in the state directory. The greater holds."""
