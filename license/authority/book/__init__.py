"""What the vendor keeps: resources, licences, log heads and usage reports, in tables."""
