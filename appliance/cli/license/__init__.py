"""The commands `appliance license …` and `appliance clock …`, and what they print."""
