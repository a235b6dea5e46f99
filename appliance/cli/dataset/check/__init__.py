"""`appliance dataset check`: the report as text, as JSON and as a page."""
