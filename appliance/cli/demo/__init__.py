"""The newcomer's minute: vendor, licence, service, usage and audit on one machine, with nothing faked."""
