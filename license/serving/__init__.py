"""What the vendor's endpoint and a site's desk share: refusals, limits, bodies."""
