"""The HTTP clients of the vendor's service: licences, metering and model packages."""
