"""The result of an audit as text and as an HTML page."""
