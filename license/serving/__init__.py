"""What every endpoint of the licensing protocol shares: refusals, limits, bodies. The vendor's, and a site's."""
